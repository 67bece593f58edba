"""A worker that dies before each of its writes: others do its jobs, each once."""

from pathlib import Path

import pytest

from tests.sampling import sample_every_sixth
from tests.tasks.test_list_kills import keep_figures, run_killer

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
    keep_figures(f"list-kills-worker-{part}", sum(counted["kills"].values()), counted["lists"])
