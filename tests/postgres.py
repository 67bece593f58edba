"""A real Postgres for tests, on a socket of its own, where its programs are installed."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def running_server(settings: str = "-c fsync=off") -> Iterator[str]:
    """Run a server that listens to no network; give the URL of its databases without a name.

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
        subprocess.run([*words, "-o", options, "start"], check=True, cwd=folder, stdout=-3, **user)
        try:
            yield f"postgresql://tester@/{{name}}?host={folder}"
        finally:
            subprocess.run(
                [*words, "-m", "immediate", "stop"], check=True, cwd=folder, stdout=-3, **user
            )


def make_database(server: str) -> str:
    """Make an empty database; return its URL."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server.format(name="postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return server.format(name=name)
