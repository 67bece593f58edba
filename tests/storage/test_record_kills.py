"""Kill the import of earlier data and pruning at every point: data is complete, or gone completely.

The child counts its statements and its moves and removals of files, and ends itself with SIGKILL at
the one that it is told: no point is left out by chance.
"""

import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from orchestrator.storage.opening import open_database
from orchestrator.storage.retention import prune_database
from orchestrator.storage.runs import Store
from tests.sampling import sample_every_sixth
from tests.storage.test_earlier_versions import OLD, unpack
from tests.storage.test_retention import BEFORE, make_run, rows_of

pytestmark = pytest.mark.kills

_COUNTING: Final = """
import os, pathlib, shutil, signal, sys
from datetime import datetime
from pathlib import Path
from orchestrator.storage import earlier_versions, engines, opening, retention

last, seen = int(sys.argv[2]), 0

def count(function):
    def counted(*arguments, **named):
        global seen
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return counted

engines.SQLite.execute = count(engines.SQLite.execute)
engines.SQLite.begin = count(engines.SQLite.begin)
pathlib.Path.replace = count(pathlib.Path.replace)
os.unlink, os.rmdir = count(os.unlink), count(os.rmdir)
opened = opening.open_database(Path(sys.argv[1]))
if sys.argv[3:]:
    retention.prune_database(opened, datetime.fromisoformat(sys.argv[3]))
opened.close()
print(seen)
"""
POINTS: Final = 40
"""Points of each that are tried, spread evenly; all of them where there are fewer."""
THIRDS: Final = pytest.mark.parametrize("third", sample_every_sixth(range(3)))


def run_counting(state: Path, last: int, *words: str) -> int:
    """Let a child work and be killed at a point; give how many it passed, 0 if it was killed."""
    done = subprocess.run(
        [sys.executable, "-c", _COUNTING, state, str(last), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return int(done.stdout) if done.returncode == 0 else 0


def spread(count: int, third: int) -> list[int]:
    """Return the numbers of the points to try, a third of them."""
    step = max(1.0, count / POINTS)
    points = {round(1 + step * number) for number in range(min(count, POINTS))} | {count}
    return sorted(points)[third::3]


@THIRDS
def test_the_import_of_earlier_data(tmp_path: Path, third: int) -> None:
    whole = tmp_path / "whole"
    unpack(whole)
    count = run_counting(Path(shutil.copytree(whole, tmp_path / "counted")), 0)
    assert count > 100
    expected = dump(tmp_path / "counted")
    for point in spread(count, third):
        state = Path(shutil.copytree(whole, tmp_path / f"killed-{point}"))
        assert run_counting(state, point) == 0
        found = {path.name for path in state.iterdir()} | {
            path.name for path in (state / "earlier").glob("*")
        }
        assert found >= set(OLD)  # nothing that was there is gone, wherever it is
        assert dump(state) == expected, f"killed at {point} of {count}"


def dump(state: Path) -> dict[str, list[str]]:
    """Return every row of the record, but for when its tables were made."""
    with open_database(state) as database:
        tables = [
            name
            for (name,) in database.fetch_rows(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        return {
            table: sorted(map(repr, database.fetch_rows(f"SELECT * FROM {table}")))  # noqa: S608
            for table in tables
            if table != "schema_version"
        }


@THIRDS
def test_pruning(tmp_path: Path, third: int) -> None:
    def make_state(name: str) -> Path:
        state = tmp_path / name
        with Store(state) as store:
            for _ in range(3):
                make_run(store)
            make_run(store, datetime.now(UTC))
        (state / "earlier").mkdir()
        (state / "earlier" / "runs.db").write_bytes(b"old")
        return state

    before = BEFORE.isoformat()
    count = run_counting(make_state("counted"), 0, before)
    assert count > 20
    for point in spread(count, third):
        state = make_state(f"killed-{point}")
        assert run_counting(state, point, before) == 0
        with Store(state) as store:
            old, new = [], ""
            for record in store.list_runs():
                if record.ended and record.ended > datetime.now(UTC) - timedelta(days=1):
                    new = record.id
                else:
                    old.append(record)
            assert len(old) == 3
            for record in old:
                complete = (record.folder / "big.patch").exists() and all(rows_of(store, record.id))
                assert complete or record.pruned, f"killed at {point} of {count}"
            prune_database(store.database, BEFORE)
            assert [record.id for record in old if record.folder.exists()] == []
            assert all(rows_of(store, new))
