"""kill -9 at any line of a review: the next one does the rest, and nothing twice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_TOP = Path(__file__).parents[2]


@pytest.mark.kills
@pytest.mark.kills_sample
def test_a_review_that_is_killed_at_any_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.reviewer", str(tmp_path), "23"],
        cwd=_TOP,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert counted["killed"] >= 10
    assert counted["asked"] <= counted["killed"] + 2
