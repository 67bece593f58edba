"""An agent whose work is written down beforehand: for tests, and for trying out the rest."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator import events
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult

Act = Callable[[str, Path, AgentLimits, events.Listener], AgentResult]
"""One run of the agent: what `run` is called with, and what it gives."""


class ScriptedAgent:
    """Gives one scripted act after the other; `prompts` has what it was asked.

    Args:
        acts: what each run does, in order. A run too many is an error of the test.
    """

    def __init__(self, *acts: Act) -> None:
        self._acts = deque(acts)
        self.prompts: list[str] = []

    def enqueue(self, act: Act) -> None:
        """Add an act for a run to come."""
        self._acts.append(act)

    def preflight(self) -> str:
        """There is nothing to miss."""
        return "scripted agent"

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Do the next act.

        Raises:
            IndexError: no act is left.
        """
        self.prompts.append(prompt)
        return self._acts.popleft()(prompt, workspace, limits, on_event)


def write_files(files: Mapping[str, str], message: str = "done") -> Act:
    """An act that writes files, by their path in the workspace, and completes."""

    def act(
        prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        del prompt, limits
        for path, text in files.items():
            on_event(events.ToolUsed("Write", path, id=path))
            (workspace / path).parent.mkdir(parents=True, exist_ok=True)
            (workspace / path).write_text(text, encoding="utf-8")
            on_event(events.ToolEnded(path, "Write"))
        on_event(events.AgentSpoke(message))
        return AgentResult(AgentOutcome.COMPLETED, message, turns=1)

    return act


def fail_with(outcome: AgentOutcome, message: str, stderr: str = "") -> Act:
    """An act that changes nothing and comes to the given outcome."""
    return lambda *_: AgentResult(outcome, message, stderr_tail=stderr)


def hang_until_limit() -> Act:
    """An act that does nothing until the nearer of its two time limits ends it."""

    def act(
        prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        del prompt, workspace, on_event
        silence, clock = limits.no_output_seconds, limits.wall_clock_seconds
        time.sleep(min(silence, clock))
        outcome = AgentOutcome.NO_OUTPUT if silence < clock else AgentOutcome.WALL_CLOCK
        return AgentResult(outcome, f"ended after {min(silence, clock):g} s")

    return act
