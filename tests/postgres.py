"""A real Postgres for tests, on a socket of its own, where its programs are installed."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from tests.ordinary_user import NOBODY, make_public_folder

_PLACES: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _program(name: str) -> str:
    places = os.pathsep.join([*map(str, _PLACES), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if not found:
        pytest.skip(f"{name} of Postgres is not installed (on Debian: apt install postgresql)")
    return found


@dataclass(frozen=True)
class Server:
    """A server that can be away for a while."""

    url: str
    """The URL of its databases, without a name."""
    start: Callable[[], object]
    stop: Callable[[], object]


@contextmanager
def running_server(settings: str = "-c fsync=off") -> Iterator[str]:
    """Run a server; give the URL of its databases without a name."""
    with restartable_server(settings) as server:
        yield server.url


@contextmanager
def restartable_server(settings: str = "-c fsync=off") -> Iterator[Server]:
    """Run a server that listens to no network.

    Args:
        settings: options of the server; by default, a power failure would lose data.
    """
    initdb, server = _program("initdb"), _program("pg_ctl")
    # Postgres refuses to be root's.
    user: dict[str, Any] = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
    with make_public_folder() as folder:
        data = folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            **user,
        )
        options = f"-c listen_addresses='' -k {folder} {settings}"
        words = [server, "-D", str(data), "-w", "-l", str(folder / "log")]
        call = partial(subprocess.run, check=True, cwd=folder, stdout=-3, **user)
        found = Server(
            f"postgresql://tester@/{{name}}?host={folder}",
            lambda: call([*words, "-o", options, "start"]),
            lambda: call([*words, "-m", "fast", "stop"]),
        )
        found.start()
        try:
            yield found
        finally:
            call([*words, "-m", "immediate", "stop"])


def make_database(server: str) -> str:
    """Make an empty database; return its URL."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server.format(name="postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return server.format(name=name)
