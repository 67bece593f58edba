"""The store: runs are found again, steps are done once, and versions are told apart."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.models import RunOutcome, RunResult, Task
from orchestrator.storage.place import state_directory
from orchestrator.storage.runs import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as store:
        yield store


def test_a_run_is_found_by_id_by_its_beginning_and_as_the_last(store: Store) -> None:
    first = store.create(Task("one", Path("/p")), "{}")
    second = store.create(Task("two", Path("/p")), "{}")
    assert store.get(first.id) == first
    assert store.get(first.id[:-1]).id == first.id or first.id[:-1] == second.id[:-1]
    assert store.get("last").id == second.id
    assert [record.id for record in store.list()] == [second.id, first.id]
    assert first.folder.is_dir()


def test_what_is_not_there_or_not_clear_is_said(store: Store) -> None:
    with pytest.raises(UsageError, match="no run last"):
        store.get("last")
    store.create(Task("one", Path("/p")), "{}")
    store.create(Task("two", Path("/p")), "{}")
    with pytest.raises(UsageError, match="beginning of several"):
        store.get("2")
    with pytest.raises(UsageError, match="no run %"):
        store.get("%")


def test_a_result_comes_back_as_it_was(store: Store) -> None:
    run = store.create(Task("täsk", Path("/p")), "{}").id
    result = RunResult(RunOutcome.STOPPED, message="why")
    store.save(run, result)
    with Store(store.directory) as again:
        record = again.get(run)
    assert record.result == result
    assert record.outcome is RunOutcome.STOPPED
    assert record.ended is not None


def test_a_later_version_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as database, database:
        database.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(InfrastructureError, match="later version"):
        Store(tmp_path)


def test_a_state_directory_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InfrastructureError, match="cannot be used"):
        Store(tmp_path / "file" / "state")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "state.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(InfrastructureError, match="cannot be used"):
        Store(tmp_path / "broken")


def test_the_state_directory_is_private_and_can_be_chosen(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home in state_directory().parents
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "here"))
    assert state_directory() == tmp_path / "here"
    with Store() as store:
        run = store.create(Task("secret", Path("/p")), "{}")
    assert run.folder.stat().st_mode & 0o077 == 0
    assert run.process == os.getpid()


def test_nobody_else_can_look_into_the_state_directory(tmp_path: Path) -> None:
    Store(tmp_path / "made" / "state").close()
    assert (tmp_path / "made" / "state").stat().st_mode & 0o077 == 0
