"""The guards of conftest.py hold: what they forbid fails."""

import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import NetworkForbiddenError, list_open


def test_the_network_is_out_of_reach() -> None:
    with pytest.raises(NetworkForbiddenError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(NetworkForbiddenError):
        socket.getaddrinfo("example.org", 80)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="seen only where /proc is")
def test_what_a_test_leaves_open_is_found(tmp_path: Path) -> None:
    before = list_open()
    with (
        closing(socket.socket()) as left,
        closing(sqlite3.connect(tmp_path / "left.db")),
    ):
        inode = os.fstat(left.fileno()).st_ino
        assert list_open() - before == {f"socket:[{inode}]", str(tmp_path / "left.db")}
    assert list_open() == before


def test_the_home_directory_is_not_the_real_one(home: Path) -> None:
    assert Path.home() == home
    assert Path("~").expanduser() == home
    assert os.environ["HOME"] == str(home)
    assert not list(home.iterdir())
