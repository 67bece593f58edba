"""What is bounded here: anything that works on a prompt, as the loop's agents do."""

from pathlib import Path
from typing import Protocol

from orchestrator import events
from orchestrator.models import AgentLimits, AgentResult


class WorkingAgent(Protocol):
    """The loop's agent."""

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Work on the prompt in the workspace, within the limits."""
