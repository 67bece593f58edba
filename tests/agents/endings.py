"""Notices of agents' programs, as data: the text, and how the agent ended."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.models import AgentOutcome

_DATA: Final = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
_OUTCOMES: Final = {
    "limit": AgentOutcome.USAGE_LIMIT,
    "login": AgentOutcome.NOT_LOGGED_IN,
    "api": AgentOutcome.API_ERROR,
}


@dataclass(frozen=True)
class Notice:
    message: str
    outcome: AgentOutcome
    status: int | None
    has_reset_time: bool
    quotes: str

    def __str__(self) -> str:
        return self.message[:50]


def _notice(row: dict[str, Any]) -> Notice:
    outcome = _OUTCOMES[row["is"]]
    return Notice(
        row["says"], outcome, row.get("status"), row.get("reset", False), row.get("quotes", "")
    )


LIMITS: Final = [_notice(row) for row in _DATA["limits"]]
LOGINS: Final = [_notice(row) for row in _DATA["logins"]]
API_ERRORS: Final = [_notice(row) for row in _DATA["api_errors"]]
MENTIONS: Final[list[str]] = _DATA["mentions"]
"""Final texts of agents that worked, which mention limits and the like."""
