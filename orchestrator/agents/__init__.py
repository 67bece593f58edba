"""Headless coding agents: the plug points, and which kinds there are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from orchestrator import events
from orchestrator.agents.permissions import suite_permissions
from orchestrator.models import AgentLimits, AgentResult

__all__ = ["HeadlessAgent", "claude_code", "command", "suite_permissions"]


class HeadlessAgent(Protocol):
    """What every kind can do: the loop's `Agent`, and what goes before."""

    def preflight(self) -> str:
        """Make sure that a run can begin; gives the program in words.

        Raises:
            LoopError: it cannot, in one line with the mend.
        """

    def warm(self) -> None:
        """Import what is heavy; from a thread, while something else runs."""

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Work on the prompt in the workspace, within the limits."""


def claude_code(
    *,
    environment: Mapping[str, str] | None = None,
    model: str | None = None,
    allowed_tools: Sequence[str] = (),
    skip_permissions: bool = False,
) -> HeadlessAgent:
    """Claude Code; see `ClaudeCodeAgent`."""
    from orchestrator.agents.claude_code import ClaudeCodeAgent

    return ClaudeCodeAgent(
        environment=environment,
        model=model,
        allowed_tools=allowed_tools,
        skip_permissions=skip_permissions,
    )


def command(
    template: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> HeadlessAgent:
    """Any program; see `CommandAgent`."""
    from orchestrator.agents.command import CommandAgent

    return CommandAgent(template, environment=environment)
