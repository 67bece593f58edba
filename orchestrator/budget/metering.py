"""Agent and teacher, metered: room is reserved in the ledger before, and the bill entered after."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator import events
from orchestrator.budget.ledger import CapReachedError, Caps, Entry, Kind, Ledger
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from orchestrator.ports import Agent, Teacher
from teacher.errors import TeacherError, TeacherUnavailable
from teacher.models import Failure, KnownRule, Lesson


@dataclass(frozen=True)
class RunClock:
    """The wall clock of a run in this process; `resume` starts a new one.

    Args:
        seconds: how long the run may take.
        now: returns seconds of a clock that is never set back.
        started: when it started; now, if negative.
    """

    seconds: float
    now: Callable[[], float] = time.monotonic
    started: float = field(default=-1.0)

    def __post_init__(self) -> None:
        """Start the clock, unless a start was given."""
        if self.started < 0:
            # The dataclass is frozen, and only here may it set a field of its own.
            object.__setattr__(self, "started", self.now())

    @property
    def seconds_left(self) -> float:
        """Seconds that are left; zero or negative when the time is over."""
        return self.started + self.seconds - self.now()


@dataclass(frozen=True)
class Account:
    """The run that pays for agents and lessons, and its limits.

    Args:
        ledger: the ledger that all runs share.
        run: the run's id, or that of a lesson outside of any run.
        caps: the limits.
        current_attempt: returns the number of the attempt that is being made, 0 for none.
    """

    ledger: Ledger
    run: str
    caps: Caps
    current_attempt: Callable[[], int] = lambda: 0

    def open_entry(self, kind: Kind, at_most: float | None = None) -> Entry:
        """Open an entry of the current attempt in the ledger.

        Args:
            kind: what the money is spent on.
            at_most: US dollars that an agent may spend by its run's own limit.

        Raises:
            CapReachedError: a limit leaves no room for it.
        """
        return self.ledger.open_entry(
            self.run, self.caps, kind, attempt=self.current_attempt(), at_most=at_most
        )


class MeteredAgent:
    """An agent that works within what the ledger and the run's clock leave.

    Args:
        agent: does the work.
        account: pays.
        clock: the run's clock.
    """

    def __init__(self, agent: Agent, account: Account, clock: RunClock) -> None:
        self._agent, self._account, self._clock = agent, account, clock

    def preflight(self) -> str:
        """Check that the agent can start. Raises LoopError."""
        return self._agent.preflight()

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Let the agent work, within the narrowest of all limits.

        Raises:
            CapReachedError: a limit leaves nothing; the agent was not started.
            LoopError: raised by the agent itself.
        """
        left = self._clock.seconds_left
        if left <= 0:
            raise CapReachedError(
                f"the run's wall clock of {self._clock.seconds:g} s has run out",
                "`orchestrator resume` starts it again, or raise limits.run_wall_clock",
            )
        ledger = self._account.ledger
        entry = self._account.open_entry(Kind.AGENT, limits.max_cost_usd)
        narrowed = replace(
            limits,
            max_cost_usd=entry.allowance,
            wall_clock_seconds=min(limits.wall_clock_seconds, left),
        )
        try:
            result = self._agent.run(prompt, workspace, narrowed, on_event)
        except BaseException:
            ledger.abandon_entry(entry)
            raise
        result = replace(result, usage=ledger.close_entry(entry, result.usage))
        return _name_reached_cap(result, limits, narrowed, by_day=entry.by_day)


class MeteredTeacher:
    """A teacher that enters its bills in the ledger.

    Args:
        teacher: is asked.
        account: pays.
        kind: what kind of lesson it gives.
    """

    def __init__(self, teacher: Teacher, account: Account, kind: Kind = Kind.LESSON) -> None:
        self._teacher, self._account, self._kind = teacher, account, kind

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the teacher, if the limits leave room.

        Raises:
            TeacherUnavailable: they do not; nothing was sent, and `resume` asks again.
            TeacherError: raised by the teacher itself.
        """
        ledger = self._account.ledger
        try:
            entry = self._account.open_entry(self._kind)
        except CapReachedError as error:
            # A LoopError would end the run without the attempt, which is over and was paid for.
            raise TeacherUnavailable(error.message, error.hint) from error
        try:
            lesson = self._teacher.teach(failure, known_rules)
        except TeacherError as error:
            counted = ledger.close_entry(entry, error.usage)
            raise type(error)(error.message, error.hint, counted) from error
        except BaseException:
            ledger.abandon_entry(entry)
            raise
        return replace(lesson, usage=ledger.close_entry(entry, lesson.usage))


def _name_reached_cap(
    result: AgentResult, asked: AgentLimits, narrowed: AgentLimits, *, by_day: bool
) -> AgentResult:
    """Name the limit that ended the agent, where it was given a narrower one than its own."""
    if result.outcome is AgentOutcome.MAX_COST and by_day:
        return replace(
            result,
            message=f"the cost limit of a day, all runs together, left ${narrowed.max_cost_usd:.2f}"
            " for this attempt; raise limits.max_cost_usd_per_day",
        )
    if (
        result.outcome is AgentOutcome.WALL_CLOCK
        and narrowed.wall_clock_seconds < asked.wall_clock_seconds
    ):
        return replace(
            result,
            message=f"ended after {narrowed.wall_clock_seconds:g} s, all that the run's wall clock "
            "had left; raise limits.run_wall_clock",
        )
    return result
