"""Values that one step of a run passes on to later ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.models import RunOutcome, Snapshot, SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.verdict.suite_obstacle import Obstacle

ModuleStamps = Mapping[str, tuple[int, int]]
"""Size in bytes and time of change in nanoseconds of module files, by absolute path."""


class BlockedError(Exception):
    """The suite cannot judge the project as it is, so no attempt could be judged."""

    def __init__(self, report: SuiteReport, obstacle: Obstacle) -> None:
        super().__init__(obstacle.text)
        self.report = report
        self.outcome = RunOutcome.MISCONFIGURED if obstacle.configured else RunOutcome.STOPPED


@dataclass(frozen=True)
class Baseline:
    """The project before any agent worked."""

    report: SuiteReport
    footprint: Footprint | None
    """What the verdict rests on, where the runner can record it."""


@dataclass(frozen=True)
class AttemptStart:
    """An attempt that has started; in this process, no agent has worked in it yet."""

    number: int
    before: Snapshot
    """The project's files at that time."""
    fresh: bool
    """Whether this process started it. If not, an agent may already have worked."""
    stamps: ModuleStamps
    """The project's modules at that time; empty if another process started it."""
