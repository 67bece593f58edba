"""`kill -9` before every write of a list, and again after: nothing is lost or done twice."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.kills, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
PARTS = 24
"""Each kills a list before every so many writes."""
LEAST_LISTS = 2
"""Of each part: fewer would mean that a list has few writes, or that none are counted."""
PROCESS_LISTS = 12
"""Lists whose runs are processes, and that are killed at random moments."""
PROCESS_KILLS = 5


@pytest.mark.parametrize(
    "part",
    [pytest.param(part, marks=() if part else pytest.mark.kills_sample) for part in range(PARTS)],
)
def test_a_list_that_is_killed_before_any_write_is_completed_once(
    tmp_path: Path, part: int
) -> None:
    counted = run_killer("list_killer", str(tmp_path), str(part), str(PARTS))
    assert counted["lists"] >= LEAST_LISTS
    kills = sum(counted["kills"].values())
    assert kills >= 2 * counted["lists"]
    keep_figures(f"list-kills-{part}", kills, counted["lists"])


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=() if seed else pytest.mark.kills_sample)
        for seed in range(PROCESS_LISTS)
    ],
)
def test_a_list_whose_processes_are_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    counted = run_killer("list_process_killer", str(tmp_path), str(seed), str(PROCESS_KILLS))
    assert counted["kills"]
    keep_figures(f"list-kills-processes-{seed}", counted["kills"], 1)


def run_killer(name: str, *arguments: str) -> dict[str, Any]:
    """Run a program of `tests.faults`, which checks each list; return what it counted."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.faults.{name}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def keep_figures(name: str, kills: int, lists: int) -> None:
    """Write what was counted; each list was checked, so nothing is lost or doubled in these."""
    if folder := os.environ.get("ORCHESTRATOR_FIGURES"):
        values = {"kills": kills, "lists": lists, "commits_lost": 0, "doubled": 0}
        Path(folder, f"{name}.json").write_text(json.dumps(values), encoding="utf-8")
