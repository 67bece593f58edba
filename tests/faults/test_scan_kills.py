"""`kill -9` while transcripts are read: each session is stored whole, or not at all."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.storage.opening import open_database
from tests.sessions.written import read_tables, scan, scan_afresh, write_shop_session

pytestmark = [pytest.mark.kills, pytest.mark.kills_sample, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
KILLS = 20
SESSIONS = 30
LONGEST_SECONDS = 0.4


def test_no_session_is_ever_half_stored(tmp_path: Path) -> None:
    home, state = tmp_path / "claude", tmp_path / "state"
    chance = random.Random(16)  # noqa: S311 -- repeatable, not secret
    for number in range(SESSIONS):
        write_shop_session(home, f"s{number}")
    expected = scan_afresh(home, tmp_path / "fresh")
    open_database(state).close()
    incomplete = 0
    for number in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.scanner", home, state],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, LONGEST_SECONDS if number else 0.2))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        with open_database(state) as database:
            found = read_tables(database)
            versions = database.fetch_rows("SELECT DISTINCT reader FROM transcripts")
        # What is there is as it will be, and each session has all of its rows.
        assert all(set(rows) <= set(expected[table]) for table, rows in found.items())
        stored = {row[0] for row in found["sessions"]}
        for table in ("session_tasks", "occurrences"):
            wanted = {row for row in expected[table] if row[0] in stored}
            assert set(found[table]) == wanted
        incomplete += len(versions) > 1 or len(stored) < SESSIONS
    assert incomplete > KILLS // 4  # kills that always came between two scans would show nothing
    with open_database(state) as database:
        scan(database, home)
        assert read_tables(database) == expected
        assert scan(database, home).read == 0
