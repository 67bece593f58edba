"""Say for how long Claude Code keeps transcripts: `cleanupPeriodDays` of the user's settings.

The sweep runs when Claude Code starts. Nothing here changes the setting: the user decides.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.platform import files
from orchestrator.platform.bom import split_bom
from orchestrator.platform.folders import SETTINGS

KEY: Final = "cleanupPeriodDays"
DEFAULT_DAYS: Final = 30


@dataclass(frozen=True)
class CleanupPeriod:
    """For how long Claude Code keeps the transcripts of a home."""

    home: Path
    days: float
    """The days that count: the default if the setting is missing or cannot be used."""
    is_set: bool = False
    """Whether the user has set it."""
    problem: str = ""
    """Why the setting cannot be used."""

    @property
    def text(self) -> str:
        """One line for people."""
        origin = "" if self.is_set else ", its default"
        line = f"Claude Code deletes transcripts after {self.days:g} days ({KEY}{origin})"
        return f"{line}; {self.problem}" if self.problem else line


def find_cleanup_period(home: Path) -> CleanupPeriod:
    """Return for how long Claude Code keeps the transcripts in a configuration folder."""
    value = _read_value(files.read_text(home / SETTINGS))
    if value is None:
        return CleanupPeriod(home, DEFAULT_DAYS)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value < 1e9:
        return CleanupPeriod(home, value, is_set=True)
    shown = json.dumps(value)[:40]
    return CleanupPeriod(home, DEFAULT_DAYS, problem=f"{KEY} {shown} is not a number above 0")


def _read_value(text: str) -> Any:  # noqa: ANN401 -- whatever the user's settings hold
    try:
        settings = json.loads(split_bom(text)[1])
    except (ValueError, RecursionError):
        return None
    return settings.get(KEY) if isinstance(settings, dict) else None
