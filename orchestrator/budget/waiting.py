"""An agent that waits for the reset of its usage limit, then goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator import events
from orchestrator.budget.ledger import format_moment
from orchestrator.budget.metering import RunClock
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from orchestrator.ports import Agent

_MARGIN_SECONDS: Final = 60.0
"""Reset times are given to the minute, and limits reset a little later. The shortest wait."""

_SLICE_SECONDS: Final = 30.0
"""The longest sleep: a machine that was suspended notices the reset this soon."""


@dataclass(frozen=True)
class Time:
    """The clock and how to sleep; tests bring their own."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class WaitForResetAgent:
    """An agent that waits for the reset of its usage limit, then works again.

    Tokens, cost and time before the wait are included in its result. If the process dies while it
    waits, nothing is lost: `resume` starts the attempt again.

    Args:
        agent: does the work.
        clock: the run's clock; a reset after its end is not waited for.
        watch: the time.
    """

    def __init__(self, agent: Agent, clock: RunClock, watch: Time | None = None) -> None:
        self._agent, self._clock, self._time = agent, clock, watch or Time()

    def preflight(self) -> str:
        """Check that the agent can start. Raises LoopError."""
        return self._agent.preflight()

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Let the agent work; as long as it hits its usage limit, wait and let it work again."""
        result = self._agent.run(prompt, workspace, limits, on_event)
        while result.outcome is AgentOutcome.USAGE_LIMIT and result.resets_at:
            now = self._time.now()
            until = max(result.resets_at.timestamp(), now) + _MARGIN_SECONDS
            if until - now > self._clock.seconds_left:
                hint = "the run's wall clock ends before that; raise limits.run_wall_clock"
                return replace(result, message=f"{result.message}; {hint}")
            reason = f"usage limit: waiting until {format_moment(until, now).removeprefix('at ')}"
            on_event(events.AgentWaiting(f"{reason}, {_format_duration(until - now)}"))
            self._wait_until(until)
            earlier, result = result, self._agent.run(prompt, workspace, limits, on_event)
            result = replace(
                result,
                usage=earlier.usage + result.usage,
                seconds=earlier.seconds + result.seconds,
                turns=earlier.turns + result.turns,
            )
        return result

    def _wait_until(self, until: float) -> None:
        while (left := until - self._time.now()) > 0:
            self._time.sleep(min(left, _SLICE_SECONDS))


def _format_duration(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
