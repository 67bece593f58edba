"""Waits for a usage limit to be lifted, then lets the agent go on."""

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
"""Limits are told to the minute and lifted a little later. It is also the shortest wait."""

_SLICE_SECONDS: Final = 30.0
"""A machine that slept meanwhile goes on as soon after the reset."""


@dataclass(frozen=True)
class Time:
    """The time and how to let it pass; tests have their own."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class WaitForResetAgent:
    """An agent that waits for its usage limit's reset, and works on.

    Its tokens and its time before the wait count too. Should the process die meanwhile, nothing
    is lost: the attempt begins anew with `resume`.

    Args:
        agent: who works.
        clock: the run's clock; a reset beyond it is not waited for.
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
        """Let the agent work; while its usage limit holds, wait and let it work again."""
        result = self._agent.run(prompt, workspace, limits, on_event)
        while result.outcome is AgentOutcome.USAGE_LIMIT and result.resets_at:
            now = self._time.now()
            until = max(result.resets_at.timestamp(), now) + _MARGIN_SECONDS
            if until - now > self._clock.seconds_left:
                words = "the run's wall clock ends before; limits.run_wall_clock allows more"
                return replace(result, message=f"{result.message}; {words}")
            reason = f"usage limit: waits until {format_moment(until, now).removeprefix('at ')}"
            on_event(events.AgentWaiting(f"{reason}, {_format_duration(until - now)}"))
            self._wait_until(until)
            before, result = result, self._agent.run(prompt, workspace, limits, on_event)
            result = replace(
                result,
                usage=before.usage + result.usage,
                seconds=before.seconds + result.seconds,
                turns=before.turns + result.turns,
            )
        return result

    def _wait_until(self, until: float) -> None:
        while (left := until - self._time.now()) > 0:
            self._time.sleep(min(left, _SLICE_SECONDS))


def _format_duration(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
