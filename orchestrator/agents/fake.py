"""An agent that follows a script, for tests and for trying out the rest."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator import events
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult

Act = Callable[[str, Path, AgentLimits, events.Listener], AgentResult]
"""One run of the agent: takes and returns the same as `Agent.run`."""


class ScriptedAgent:
    """Performs one scripted act per run; `prompts` has the prompts of the runs.

    Args:
        acts: what each run does, in order.
    """

    def __init__(self, *acts: Act) -> None:
        self._acts = deque(acts)
        self.prompts: list[str] = []

    def enqueue(self, act: Act) -> None:
        """Append an act for a later run."""
        self._acts.append(act)

    def preflight(self) -> str:
        """Return the name; a script needs no preparation."""
        return "scripted agent"

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Perform the next act.

        Raises:
            IndexError: no act is left.
        """
        self.prompts.append(prompt)
        return self._acts.popleft()(prompt, workspace, limits, on_event)


def write_files(files: Mapping[str, str], message: str = "done") -> Act:
    """Return an act that writes files, by path in the workspace, and completes."""

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
    """Return an act that changes nothing and ends with the given outcome."""
    return lambda *_: AgentResult(outcome, message, stderr_tail=stderr)


def hang_until_limit() -> Act:
    """Return an act that does nothing until the first of the two time limits ends it."""

    def act(
        prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        del prompt, workspace, on_event
        silence, clock = limits.no_output_seconds, limits.wall_clock_seconds
        time.sleep(min(silence, clock))
        outcome = AgentOutcome.NO_OUTPUT if silence < clock else AgentOutcome.WALL_CLOCK
        return AgentResult(outcome, f"ended after {min(silence, clock):g} s")

    return act
