"""A thousand sessions of 300 kB in one review, in bounded memory."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.sessions.written import Written

SESSIONS = 1_000
OUTPUT = "a line of output that a command has printed, and that nobody reads again\n" * 50
FAILED = f"{OUTPUT}FAILED tests/test_cart.py::test_total\n1 failed, 2 passed in 0.1s"
MEASURE = (
    "import resource, subprocess, sys, json;"
    "done = subprocess.run(sys.argv[1:], capture_output=True, text=True);"
    "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss;"
    "print(json.dumps([done.returncode, done.stdout, done.stderr, peak]))"
)
"""Only the children of this process count for its peak, and there is one."""


def write_session(home: Path, project: Path, number: int) -> int:
    """Write a session of 300 kB; return its size."""
    day = f"{datetime.now(UTC) - timedelta(days=1 + number % 20):%Y-%m-%d}"
    made = Written(home / ".claude", f"{number:08d}", folder=str(project), day=day)
    made.prompt("Make the cart work")
    for call in range(76):
        made.call("Bash", {"command": f"cat part-{call}.txt"}, OUTPUT)
    if number % 10 == 0:
        made.call("Bash", {"command": "pytest -q | tail -60"}, FAILED)
    return made.save().stat().st_size


@pytest.mark.whole
def test_a_thousand_sessions_are_reviewed_in_one_go(
    project: Path, home: Path, tmp_path: Path
) -> None:
    sizes = [write_session(home, project, number) for number in range(SESSIONS)]
    assert sum(sizes) / SESSIONS > 290_000
    command = [sys.executable, "-m", "orchestrator", "review", "--all", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command],
        cwd=project,
        env={**os.environ, "ORCHESTRATOR_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=True,
    )
    code, out, err, peak = json.loads(done.stdout)
    assert code == 0, err
    report = json.loads(out)
    assert report["sessions"] == {"human": SESSIONS}
    (finding,) = [
        each
        for each in report["projects"][0]["findings"]
        if each["detector"] == "hidden test failure"
    ]
    assert len(finding["sessions"]) == SESSIONS / 10
    kilobytes = peak / (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 300_000, f"{kilobytes} kB"
