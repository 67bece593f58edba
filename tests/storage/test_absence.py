"""A Postgres that goes away and comes back: outside of a transaction nobody notices."""

from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.errors import DatabaseAwayError
from orchestrator.storage import engines
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from tests.postgres import Server, make_database, restartable_server

pytestmark = pytest.mark.whole


def _write_across_restart(database: Database, server: Server) -> None:
    with database.transaction():
        database.write("INSERT INTO things VALUES ('two')")
        server.stop()
        server.start()
        with suppress(DatabaseAwayError):
            database.write("INSERT INTO things VALUES ('three')")
        database.write("INSERT INTO things VALUES ('four')")


def test_a_connection_is_opened_again_but_never_within_a_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with restartable_server() as server:
        monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", make_database(server.url))
        with open_database(tmp_path / "state") as database:
            database.write("CREATE TABLE things (name TEXT)")
            server.stop()
            server.start()
            assert database.fetch_rows("SELECT name FROM things") == []
            server.stop()
            server.start()
            assert database.write("INSERT INTO things VALUES ('one')") == 1
            with pytest.raises(DatabaseAwayError):
                _write_across_restart(database, server)
            assert database.fetch_rows("SELECT name FROM things") == [("one",)]
            monkeypatch.setattr(engines, "_ABSENCE_SECONDS", 0.5)
            server.stop()
            with pytest.raises(DatabaseAwayError):
                database.fetch_rows("SELECT name FROM things")
            server.start()
            assert database.fetch_rows("SELECT name FROM things") == [("one",)]
            database.close()
            with pytest.raises(DatabaseAwayError):
                database.fetch_rows("SELECT name FROM things")
