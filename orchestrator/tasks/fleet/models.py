"""Define jobs, workers, and how they stand."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Final

from orchestrator.platform.liveness import ProcessMark
from orchestrator.tasks.models import TaskEnd, TaskOrder

MOST_DEATHS: Final = 3
"""Workers that may die with a job; then it is ended, because it is probably what kills them."""
JOB_REFS: Final = "refs/orchestrator/jobs/"


class JobStatus(StrEnum):
    """Where a job stands. The values are stored and printed."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class Job:
    """A run of a task that a worker shall do."""

    order: TaskOrder
    """Its `run` is the id of the job."""
    project: Path
    """The user's project, on the machine of the list."""
    prefix: str
    """The folder of the project below the top of its repository: empty, or with a final `/`."""
    repository: str
    """The git repository that has the base, and takes the result."""
    config: str
    """The configuration of the run, as text and with secrets masked."""

    @property
    def id(self) -> str:
        """The id of the job."""
        return self.order.run


@dataclass(frozen=True)
class JobRecord:
    """A job as the database stores it."""

    job: Job
    status: JobStatus
    token: int
    """How often it was claimed or taken from a worker: only results with the latest count."""
    worker: str
    """The worker that had it last."""
    deaths: int
    """Workers that have died with it."""
    cancelled: bool
    message: str
    end: TaskEnd | None
    """What came of it; None before it has ended."""

    @property
    def id(self) -> str:
        """The id of the job."""
        return self.job.id


class Ownership(Enum):
    """Whether a worker may go on with a job."""

    OWN = "own"
    CANCELLED = "cancelled"
    """A person or the list has cancelled it."""
    LOST = "lost"
    """Another worker has it, or it has ended."""


class WorkerState(StrEnum):
    """What a worker does. The values are stored and printed."""

    SERVING = "serving"
    DRAINING = "draining"
    """It takes no new jobs, and ends when those that run have ended."""
    ENDED = "ended"


@dataclass(frozen=True)
class WorkerRecord:
    """A worker as the database stores it."""

    id: str
    process: ProcessMark
    version: str
    """The version of jobs that it takes."""
    lanes: int
    """Jobs at a time."""
    state: WorkerState
    started: datetime
    last_seen: datetime
    is_alive: bool
    """Whether its lock is held."""
    jobs: tuple[str, ...] = ()
    """Ids of the jobs that it has."""
