"""What happens during a run, as frozen events that go out to listeners. Nothing listens back.

A listener is any callable that takes an event: the console, the JSON lines, the run's record. One
that raises is logged and reported, and cannot end a run: whatever a run must not go on without is
a step of it, and no listener's work.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

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

_log: Final = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # a logger without a handler prints


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Event:
    """Something that happened. When and in which run says nothing about what it was."""

    run: str = field(default="", kw_only=True, compare=False)
    """Id of the run; empty outside of one."""
    attempt: int = field(default=0, kw_only=True, compare=False)
    """Number of the attempt; 0 outside of one."""
    at: datetime = field(default_factory=_utc_now, kw_only=True, compare=False)
    """When it happened, in UTC."""


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
    """The agent calls a tool; `detail` is the file, the command, the pattern."""

    tool: str
    detail: str
    id: str = field(default="", compare=False)
    """The agent's own id of the call; empty where it gives none."""


@dataclass(frozen=True)
class ToolEnded(Event):
    """A tool call of the agent ended."""

    id: str
    """The id of its `ToolUsed`."""
    tool: str
    failed: bool = False
    """Whether it was carried out and failed."""
    refused: bool = False
    """Whether it was not carried out: no permission, or a hook or a guard said no."""
    why: str = ""
    """How it failed, or why it was refused, on one line."""
    seconds: float = field(default=0.0, compare=False)
    """Time since the call."""


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
    """Return a listener that passes each event to all of `listeners`, in order.

    One that raises is logged, and the first time reported to the others; all hear the event
    nevertheless. What is no `Exception`, as Ctrl-C, passes through.
    """
    all_of_them = tuple(listeners)
    reported = set[int]()

    def pass_on(event: Event) -> list[tuple[int, Exception]]:
        failed = []
        for position, listener in enumerate(all_of_them):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the run goes on
                _log.exception("a listener failed on %s", event_name(event))
                failed.append((position, error))
        return failed

    def emit(event: Event) -> None:
        for position, error in pass_on(event):
            if position in reported:
                continue
            reported.add(position)
            text = f"a listener failed on {event_name(event)}: {type(error).__name__}: {error}"
            notice = Notice(text, run=event.run, attempt=event.attempt)
            reported.update(broken for broken, _ in pass_on(notice))

    return emit


class RunEvents:
    """Where the events of one run come together: each is stamped, and passed to every listener.

    Args:
        run: the run's id.
        listeners: hear everything, in this order. One that raises cannot end the run.
    """

    def __init__(self, run: str, *listeners: Listener) -> None:
        self.run = run
        self._attempt = 0
        self._listeners = listeners
        self._pass_on = fan_out(listeners)

    def __call__(self, event: Event) -> None:
        """Stamp an event with the run and the attempt in hand, and pass it on."""
        attempt = 0 if isinstance(event, RunStarted | RunEnded) else self._attempt
        self._pass_on(replace(event, run=self.run, attempt=attempt))

    @property
    def attempt(self) -> int:
        """The number of the current attempt; 0 for none."""
        return self._attempt

    def set_attempt(self, number: int) -> None:
        """Say which attempt is in hand from now on; 0 for none."""
        self._attempt = number

    def listen_first(self, *listeners: Listener) -> None:
        """Let further listeners hear everything, each event before the present ones do."""
        self._listeners = (*listeners, *self._listeners)
        self._pass_on = fan_out(self._listeners)


def event_name(event: Event) -> str:
    """Return the name that an event has on record and in JSON: its class in snake case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
