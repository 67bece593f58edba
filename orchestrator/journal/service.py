"""Say what a worker takes from a queue, for `durable` and `queues`."""

from dataclasses import dataclass
from typing import Final

JOB_WORKFLOW: Final = "job"
"""The name of the workflow of a job."""
RUN_WORKFLOW: Final = "carry"
"""That of a run."""


@dataclass(frozen=True)
class Service:
    """What a process takes jobs from."""

    queue: str
    executor: str
    """The id of this process, which no other process ever has."""
