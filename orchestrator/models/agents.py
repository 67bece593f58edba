"""What an agent may use, and how its work ended."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from teacher.models import Usage


class AgentOutcome(StrEnum):
    """How an agent's work ended. Whether it *solved* anything is the suite's word, not this."""

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
        """Whether the agent did its work, to the end or until its turns were used up."""
        return self in (AgentOutcome.COMPLETED, AgentOutcome.MAX_TURNS)


@dataclass(frozen=True)
class AgentLimits:
    """What one attempt of an agent may take."""

    max_turns: int = 15
    max_cost_usd: float | None = None
    wall_clock_seconds: float = 1800.0
    no_output_seconds: float = 300.0
    max_processes: int | None = None
    """Size of the agent's process tree; None for no limit."""
    same_tool_call: int | None = None
    """So many equal tool calls, or rounds of a few, in a row are no progress; None for no limit."""


@dataclass(frozen=True)
class AgentResult:
    """One attempt of an agent, as far as it can be known from outside."""

    outcome: AgentOutcome
    message: str = ""
    """The agent's last words, or the cause when it did not work."""
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    program: str = ""
    """Which agent it was: `claude_code`, or the name of a command."""
    program_version: str = ""
    model: str = ""
    """The model that it worked with, as far as it tells."""
    session_id: str = ""
    transcript: Path | None = None
    stderr_tail: str = ""
    denials: tuple[str, ...] = ()
    """Tool calls that were not permitted, in a few words each."""
    resets_at: datetime | None = None
    """When a usage limit is lifted, if that was told. It knows its time zone."""
    silent: bool = False
    """Report that it ended as if it had worked, without a word and without a tool call that could
    be seen. A command agent may work so: only if it left every file as it was, it did nothing."""
