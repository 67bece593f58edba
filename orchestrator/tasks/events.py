"""The events of a list. Each has the id of its list; `run` and `attempt` are those of a run."""

from dataclasses import dataclass

from orchestrator.events import Event
from orchestrator.models import RunOutcome
from orchestrator.tasks.models import LaneConflict, ListRecord, TaskRecord, TaskState


@dataclass(frozen=True)
class ListStarted(Event):
    """A list starts, or goes on."""

    record: ListRecord
    tasks: tuple[TaskRecord, ...]
    resumed: bool = False


@dataclass(frozen=True)
class TaskStarted(Event):
    """A run of a task starts."""

    record: TaskRecord


@dataclass(frozen=True)
class TaskProgress(Event):
    """What the run of a task is doing, in one line."""

    task: str
    lane: int
    text: str


@dataclass(frozen=True)
class TaskRunEnded(Event):
    """A run of a task has ended."""

    record: TaskRecord
    outcome: RunOutcome
    message: str = ""


@dataclass(frozen=True)
class CombinedSuiteStarted(Event):
    """The suite runs on the combined tree of one or more works."""

    tasks: tuple[str, ...]


@dataclass(frozen=True)
class TaskLanded(Event):
    """The work of a task is on the list's branch."""

    record: TaskRecord
    commit: str
    files: int


@dataclass(frozen=True)
class TaskReturned(Event):
    """The merge queue did not take the work of a task."""

    record: TaskRecord
    reason: str


@dataclass(frozen=True)
class TaskChanged(Event):
    """A task has another state for another reason than the above."""

    record: TaskRecord
    state: TaskState
    reason: str = ""


@dataclass(frozen=True)
class LanesConflicted(Event):
    """Two lanes have changed the same lines; `paused` says whether the younger one was ended."""

    conflict: LaneConflict
    paused: bool = False


@dataclass(frozen=True)
class ListEnded(Event):
    """Nothing more runs."""

    record: ListRecord
    tasks: tuple[TaskRecord, ...]
    next_steps: tuple[str, ...] = ()
    """What a person can do; a line that ends with a colon says what the commands below it do."""
