"""Find lanes that change the same lines while their agents still work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError
from orchestrator.tasks.models import LaneConflict
from orchestrator.workspace.lanes import LaneRepository

INTERVAL_SECONDS: Final = 10.0

_MESSAGE: Final = "A lane at work\n"


@dataclass(frozen=True)
class WatchedLane:
    """A lane in which an agent works."""

    folder: Path
    base: str
    started: datetime


@dataclass
class LaneWatch:
    """Compares the lanes of a list every few seconds, in the loop of its caller.

    Args:
        repository: the repository of the lanes.
        interval: seconds between two looks.
    """

    repository: LaneRepository
    interval: float = INTERVAL_SECONDS
    _due: float | None = None
    _known: set[tuple[str, str]] = field(default_factory=set)
    """Pairs that have been reported, and conflict still."""

    def look(self, now: float, lanes: Mapping[str, WatchedLane]) -> list[LaneConflict]:
        """Return the conflicts that are new since the last look; nothing before its time.

        A lane that git cannot read now, because its agent is writing, is left out this time. A
        pair that was reported is reported again only if it was seen without a conflict since.

        Args:
            now: seconds of a clock that does not go back.
            lanes: the lanes at work, by the ids of their tasks.
        """
        if self._due is not None and now < self._due:
            return []
        self._due = now + self.interval
        self._known = {pair for pair in self._known if set(pair) <= lanes.keys()}
        order = sorted(lanes, key=lambda task: (lanes[task].started, task))
        commits = {task: commit for task in order if (commit := self._commit(lanes[task]))}
        try:
            found = self.repository.find_conflicts(commits)
        except (LoopError, OSError):
            return []
        paths = {(older, younger): names for older, younger, names in found}
        fresh = [pair for pair in paths if pair not in self._known]
        unseen = {pair for pair in self._known if not set(pair) <= commits.keys()}
        self._known = unseen | paths.keys()
        return [LaneConflict(*pair, paths[pair]) for pair in fresh]

    def _commit(self, lane: WatchedLane) -> str:
        """Return a commit of the files of a lane as they are, on no ref; empty if it fails."""
        try:
            return self.repository.snapshot_lane(lane.folder, lane.base, _MESSAGE)
        except (LoopError, OSError):
            return ""
