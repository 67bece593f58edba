"""kill -9 at any line of an accept: the next list is right, and accepting again completes it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_TOP = Path(__file__).parents[2]


@pytest.mark.kills
@pytest.mark.kills_sample
@pytest.mark.parametrize(("kind", "step"), [("skill", 3), ("permission", 3), ("rule", 3)])
def test_an_accept_that_is_killed_at_any_line(tmp_path: Path, kind: str, step: int) -> None:
    folder = tmp_path / "projects"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.proposals.killed_accepts", kind, str(folder), str(step)],
        cwd=_TOP,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) >= 10
