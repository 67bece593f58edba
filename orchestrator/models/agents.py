"""The limits of an agent's attempt, and how it ended."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from teacher.models import Usage


class AgentOutcome(StrEnum):
    """How an agent's work ended. Whether the task is *solved* is decided by the suite."""

    COMPLETED = "completed"
    MAX_TURNS = "turn limit reached"
    MAX_COST = "cost limit reached"
    WALL_CLOCK = "time limit reached"
    NO_OUTPUT = "no output for too long"
    NO_PROGRESS = "no progress"
    PROCESSES = "too many processes"
    API_ERROR = "API error"
    NOT_LOGGED_IN = "not logged in"
    USAGE_LIMIT = "usage limit reached"
    REFUSED = "refused by the model"
    CRASHED = "ended unexpectedly"

    @property
    def has_worked(self) -> bool:
        """Whether the agent worked until it finished or had no turns left."""
        return self in (AgentOutcome.COMPLETED, AgentOutcome.MAX_TURNS)


@dataclass(frozen=True)
class AgentLimits:
    """The limits of one attempt of an agent."""

    max_turns: int = 15
    max_cost_usd: float | None = None
    wall_clock_seconds: float = 1800.0
    no_output_seconds: float = 300.0
    max_processes: int | None = None
    """Size of the agent's process tree; None for no limit."""
    same_tool_call: int | None = None
    """Number of equal tool calls in a row, or of equal series of a few calls, that counts as no
    progress; None for no limit."""


@dataclass(frozen=True)
class AgentResult:
    """One attempt of an agent, as far as it can be observed from outside."""

    outcome: AgentOutcome
    message: str = ""
    """The agent's last message, or the cause if it did not work."""
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    program: str = ""
    """The agent: `claude_code`, or the name of a command."""
    program_version: str = ""
    model: str = ""
    """The model that it used; empty if it does not report one."""
    session_id: str = ""
    transcript: Path | None = None
    stderr_tail: str = ""
    denials: tuple[str, ...] = ()
    """Tool calls that were not permitted, with a short description each."""
    resets_at: datetime | None = None
    """When a usage limit is reset, with a time zone; None if that was not reported."""
    silent: bool = False
    """Whether it ended successfully without any message or visible tool call. A command agent can
    work like that: it did nothing only if it has changed no file either."""
