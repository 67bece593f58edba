"""What is looked for in all that is kept is found there, however it is packed."""

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

from tests.stored_text import read_stored_text


def test_what_is_packed_is_read(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("one", encoding="utf-8")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "packed").write_bytes(zlib.compress(b"two"))
    (tmp_path / "pinned").mkdir()
    (tmp_path / "pinned" / "own").write_text("three", encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "state.db")) as database, database:
        database.execute("CREATE TABLE results (result BLOB)")
        database.execute("INSERT INTO results VALUES (?)", (zlib.compress(b"four" * 99),))
    found = read_stored_text(tmp_path)
    assert [word for word in ("one", "two", "three", "four") if word in found] == [
        *("one", "two", "four")
    ]
