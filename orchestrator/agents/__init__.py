"""Headless coding agents: Claude Code, any command, and a scripted one for tests.

The loop asks for `run` alone (`orchestrator.steps.Agent`); this is what every kind here can do.
"""

from pathlib import Path
from typing import Protocol

from orchestrator import events
from orchestrator.models import AgentLimits, AgentResult


class HeadlessAgent(Protocol):
    """The loop's `Agent`, and what goes before a run."""

    def preflight(self) -> str:
        """Make sure that a run can begin; gives the program in words.

        Raises:
            LoopError: it cannot, in one line with the mend.
        """

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Work on the prompt in the workspace, within the limits."""
