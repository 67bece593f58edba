"""The events of a run: frozen values that go out to listeners. Nothing listens back.

A listener is any callable that takes an event: the console, the JSON lines, the run's record. One
that raises is logged and reported, and cannot end a run. Work that a run cannot go on without is
therefore a step of the loop, never a listener's.
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
    RunPlan,
    RunResult,
    SuiteReport,
    Task,
)
from teacher.models import Failure, Lesson, Usage

_log: Final = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # a logger without a handler prints


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Event:
    """Something that happened. Two events are equal if the same happened, whenever and wherever."""

    run: str = field(default="", kw_only=True, compare=False)
    """Id of the run; empty outside of one."""
    attempt: int = field(default=0, kw_only=True, compare=False)
    """Number of the attempt; 0 outside of one."""
    at: datetime = field(default_factory=_utc_now, kw_only=True, compare=False)
    """When it happened, in UTC."""


@dataclass(frozen=True)
class Notice(Event):
    """A line for the user that belongs to no step: a warning, or what is used instead."""

    text: str


@dataclass(frozen=True)
class Ready(Event):
    """Everything that the run needs was found: programs with their versions, the teacher."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class RunPlanned(Event):
    """What the run will do at most is known; nothing has been spent."""

    plan: RunPlan


@dataclass(frozen=True)
class RunStarted(Event):
    """A run starts, or is `resumed`."""

    run_id: str
    task: Task
    folder: Path
    resumed: bool = False


@dataclass(frozen=True)
class StepStarted(Event):
    """Work that takes a while starts; the console shows `name` beside the clock."""

    name: str


@dataclass(frozen=True)
class AttemptStarted(Event):
    """The agent is about to work. `of` is how many attempts there can be at most."""

    number: int
    of: int
    prompt: str
    resumed: bool = False
    """Whether the attempt was started before, and goes on after an interruption."""


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
    """The agent's own id of the call; empty if it has none."""


@dataclass(frozen=True)
class ToolEnded(Event):
    """A tool call of the agent ended."""

    id: str
    """The id of its `ToolUsed`."""
    tool: str
    failed: bool = False
    """Whether the call was executed and failed."""
    refused: bool = False
    """Whether the call was not executed: permission missing, or a hook or the guard refused it."""
    why: str = ""
    """How it failed, or why it was refused, on one line."""
    seconds: float = field(default=0.0, compare=False)
    """Seconds since the call."""


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
    """A reviewer found something: tests or their configuration were edited, or the like."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class FilesGuarded(Event):
    """The files that the verdict rests on are known, and guarded from now on."""

    files: tuple[tuple[str, str], ...]
    """Path and reason of each."""


@dataclass(frozen=True)
class CaseFinished(Event):
    """A test case ended; only runners that print each case while they run cause it."""

    case: Case


@dataclass(frozen=True)
class SuiteRunning(Event):
    """The suite is still running. It is sent if there is news, at least once a minute."""

    seconds: float
    """Seconds since the suite started."""
    timeout_seconds: float
    """Seconds after which it is ended: `tests.timeout`."""
    case: str = ""
    """Id of the test case that has been running for the longest time, if it is slow; else empty."""
    case_seconds: float = 0.0
    """Seconds since that case started."""
    line: str = ""
    """The last line of output, if the runner reports no cases."""
    is_late: bool = False
    """Whether much of the time is used up, so that the timeout should be announced."""


@dataclass(frozen=True)
class SuiteFinished(Event):
    """A run of the suite is over. `baseline` marks the one before any agent worked."""

    report: SuiteReport
    baseline: bool = False
    before_attempt: bool = False
    """Whether it ran on the tree before the attempt, for comparison."""
    goal: str = field(default="", compare=False)
    """What will count as solved, as far as the baseline shows it."""


@dataclass(frozen=True)
class Judged(Event):
    """The attempt was compared with the tree before it, and has a verdict."""

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
    """The rulebook applied the lesson."""

    change: RuleChange


@dataclass(frozen=True)
class AttemptFinished(Event):
    """An attempt is over. It is the last one in `result`, which is the run so far."""

    result: RunResult


@dataclass(frozen=True)
class RunEnded(Event):
    """A run has an outcome, or stopped until it is resumed."""

    run_id: str
    result: RunResult
    folder: Path
    seconds: float
    spent: Usage | None = None
    """What the ledger counts for the run; None if only the result is known."""
    changes: str = ""
    """What the run changed, and the command that shows it."""
    advice: str = ""
    """The one thing to do next, where the outcome's message does not say it."""

    @property
    def usage(self) -> Usage:
        """Tokens and cost of the run, with those of attempts that have no result."""
        return self.result.usage if self.spent is None else self.spent


Listener = Callable[[Event], None]


def fan_out(listeners: Iterable[Listener]) -> Listener:
    """Return a listener that passes each event to all of `listeners`, in order.

    One that raises is logged each time, and reported to the others the first time; all of them
    receive the event nevertheless. Ctrl-C and whatever else is no `Exception` passes through.
    """
    receivers = tuple(listeners)
    reported = set[int]()

    def pass_on(event: Event) -> list[tuple[int, Exception]]:
        failed = []
        for position, listener in enumerate(receivers):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 -- no bug of a listener may end a paid run
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
    """The listener of one run: stamps each event with run and attempt, and passes it on.

    Args:
        run: the run's id.
        listeners: receive every event, in this order. One that raises cannot end the run.
    """

    def __init__(self, run: str, *listeners: Listener) -> None:
        self.run = run
        self._attempt = 0
        self._listeners = listeners
        self._pass_on = fan_out(listeners)

    def __call__(self, event: Event) -> None:
        """Stamp an event with the run and the current attempt, and pass it on."""
        attempt = 0 if isinstance(event, RunStarted | RunEnded) else self._attempt
        self._pass_on(replace(event, run=self.run, attempt=attempt))

    @property
    def attempt(self) -> int:
        """The number of the current attempt; 0 for none."""
        return self._attempt

    def set_attempt(self, number: int) -> None:
        """Set the number of the current attempt; 0 for none."""
        self._attempt = number

    def listen_first(self, *listeners: Listener) -> None:
        """Add listeners that receive each event before the present ones do."""
        self._listeners = (*listeners, *self._listeners)
        self._pass_on = fan_out(self._listeners)


def event_name(event: Event) -> str:
    """Return the name of an event in the record and in JSON: its class in snake case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
