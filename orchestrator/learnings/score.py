"""Decide whether to act without being asked, by four weighted dimensions."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook import files

DEFAULT_THRESHOLD: Final = 50.0
THRESHOLD_VARIABLE: Final = "VFM_THRESHOLD"
WEIGHTS: Final[Mapping[str, int]] = {
    "frequency": 3,
    "failure reduction": 3,
    "user burden": 2,
    "self cost": 2,
}
"""Dimension and weight, as published; each dimension is scored from 0 to 10, so 100 is the most."""

MAX_SCORE: Final = 10.0


@dataclass(frozen=True)
class Score:
    """A scored action. `origin` names the source of the threshold."""

    values: Mapping[str, float]
    threshold: float
    origin: str

    @property
    def total(self) -> float:
        """The weighted sum, from 0 to 100."""
        return sum(self.values[name] * weight for name, weight in WEIGHTS.items())

    @property
    def should_act(self) -> bool:
        """Whether to act; otherwise it is a note for later."""
        return self.total >= self.threshold


def score_action(values: Mapping[str, float], project: Path) -> Score:
    """Score an action in a project.

    Args:
        values: each dimension of `WEIGHTS`, from 0 to 10. A high self cost means little effort.
        project: the project; a line `VFM_THRESHOLD=70` in its CLAUDE.md or AGENTS.md counts.

    Raises:
        UsageError: a value or the threshold is out of range.
        LoopError: CLAUDE.md or AGENTS.md cannot be read.
    """
    for name, value in values.items():
        if not 0 <= value <= MAX_SCORE:
            raise UsageError(f"{name} is {value:g}", f"score it from 0 to {MAX_SCORE:g}")
    text, origin = _read_threshold(project)
    try:
        threshold = float(text)
    except ValueError:
        threshold = -1.0
    if not 0 <= threshold <= MAX_SCORE * sum(WEIGHTS.values()):
        raise UsageError(
            f"{THRESHOLD_VARIABLE} is {text!r} ({origin})", "make it a number from 0 to 100"
        )
    return Score(values, threshold, origin)


def _read_threshold(project: Path) -> tuple[str, str]:
    if chosen := os.environ.get(THRESHOLD_VARIABLE, "").strip():
        return chosen, "environment"
    for name in (CLAUDE_MD, AGENTS_MD):
        text = files.read_content(project / name).data.decode("utf-8-sig", "replace")
        line = re.search(rf"^[-*\s`]*{THRESHOLD_VARIABLE}\s*=\s*([^\s`]+)", text, re.MULTILINE)
        if line:
            return line[1], name
    return f"{DEFAULT_THRESHOLD:g}", "default"
