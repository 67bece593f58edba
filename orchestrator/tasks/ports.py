"""What a list needs from above: runs, verdicts about combined trees, and the writer of rules."""

from pathlib import Path
from typing import Protocol

from orchestrator.tasks.models import CombinedVerdict, TaskEnd, TaskOrder, TaskRecord


class TaskRunner(Protocol):
    """Runs tasks: in lanes of this machine, or as jobs of workers."""

    def start(self, order: TaskOrder) -> None:
        """Start a run, or continue it if a run with this id was started before.

        Raises:
            LoopError: it cannot be started.
        """

    def poll(self, run: str) -> TaskEnd | None:
        """Return what came of a run, or None while it works.

        Raises:
            LoopError: that cannot be found out.
        """

    def interrupt(self, run: str) -> None:
        """End the processes of a run. Its work stays, and `poll` returns what came of it."""

    def find_lane(self, run: str) -> Path | None:
        """Return the lane that a run works in, if it is on this machine: its work tree's top."""


class CombinedJudge(Protocol):
    """Judges trees that no agent has worked in: several works together, on the tip."""

    def judge(self, commit: str, tip: str) -> CombinedVerdict:
        """Run the whole suite on a commit, and compare with the tip where cases fail.

        Args:
            commit: the combined tree.
            tip: the commit that the works were merged onto.

        Raises:
            LoopError: the suite gives no verdict.
        """


class RuleWriter(Protocol):
    """Brings what runs learned in lanes to the list's branch, one at a time."""

    def write_rules(self, end: TaskEnd, base: str, tip: str, run: str) -> str:
        """Return the new tip: a commit with the rules that a run learned, or the tip itself."""

    def teach_conflict(self, record: TaskRecord, verdict: CombinedVerdict, tip: str) -> str:
        """Teach that a work was green alone and red together; return the new tip."""
