"""What happens during a run, as frozen events that go out to listeners. Nothing listens back.

A listener is any callable that takes an event: the console, the JSON lines, the run's log.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.models import (
    AgentResult,
    Case,
    Diff,
    Finding,
    Judgement,
    RuleChange,
    RunResult,
    SuiteReport,
    Task,
)
from teacher.models import Failure, Lesson


@dataclass(frozen=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True)
class Notice(Event):
    """A line for the user that belongs to no step: a warning, a replacement."""

    text: str


@dataclass(frozen=True)
class Ready(Event):
    """Everything that the run needs was found: programs with their versions, the teacher."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class RunStarted(Event):
    """A run begins, or goes on when `resumed`."""

    run_id: str
    task: Task
    folder: Path
    resumed: bool = False


@dataclass(frozen=True)
class StepStarted(Event):
    """Work that takes a while begins: `name` is what a person sees beside the clock."""

    name: str


@dataclass(frozen=True)
class AttemptStarted(Event):
    """The agent is about to work. `of` is how many attempts there can be at most."""

    number: int
    of: int
    prompt: str


@dataclass(frozen=True)
class AgentSpoke(Event):
    """The agent said something."""

    text: str


@dataclass(frozen=True)
class ToolUsed(Event):
    """The agent used a tool; `detail` is the file, the command, the pattern."""

    tool: str
    detail: str


@dataclass(frozen=True)
class AgentWaiting(Event):
    """The agent waits for its model: a retry after an error."""

    reason: str


@dataclass(frozen=True)
class AgentFinished(Event):
    """The agent's work is over."""

    result: AgentResult


@dataclass(frozen=True)
class DiffTaken(Event):
    """What the agent changed is known."""

    diff: Diff


@dataclass(frozen=True)
class Tampered(Event):
    """Tests, or what steers them, were touched, or the verdict cannot be believed."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class FilesGuarded(Event):
    """What the verdict rests on is known: the guarded files, each with the reason."""

    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CaseFinished(Event):
    """A test case ended, as far as the runner's output tells it while it runs."""

    case: Case


@dataclass(frozen=True)
class SuiteFinished(Event):
    """A run of the suite is over. `baseline` marks the one before the agent."""

    report: SuiteReport
    baseline: bool = False
    before_attempt: bool = False
    """Whether it ran on the tree before the attempt, for comparison."""


@dataclass(frozen=True)
class Judged(Event):
    """The attempt was compared with the tree before, and it is known what it came to."""

    judgement: Judgement


@dataclass(frozen=True)
class TeachingStarted(Event):
    """A failure goes to the teacher."""

    failure: Failure


@dataclass(frozen=True)
class LessonLearned(Event):
    """The teacher answered."""

    lesson: Lesson


@dataclass(frozen=True)
class RuleWritten(Event):
    """The rulebook took the lesson in."""

    change: RuleChange


@dataclass(frozen=True)
class AttemptFinished(Event):
    """An attempt is over; it is the last one of `result`, which is the run so far."""

    result: RunResult


@dataclass(frozen=True)
class RunEnded(Event):
    """A run has come to an outcome, or stands still until it is resumed."""

    run_id: str
    result: RunResult
    folder: Path
    seconds: float


Listener = Callable[[Event], None]


def fan_out(listeners: Iterable[Listener]) -> Listener:
    """One listener that passes each event to all of `listeners`, in order."""
    all_of_them = tuple(listeners)

    def emit(event: Event) -> None:
        for listener in all_of_them:
            listener(event)

    return emit
