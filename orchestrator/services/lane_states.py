"""Give a lane from one run to the next, so that nothing that a run has left is lost.

<list>/lanes/<n>.run      the run that a lane belongs to, and the tree that is known to be stored

What a run has left is a commit before its lane is reset: `refs/orchestrator/learned/<run>` at its
end, else `refs/orchestrator/left/<run>`.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.services.lane_preparation import locate_temporary_folder
from orchestrator.services.lane_results import LEARNED
from orchestrator.tasks.models import TaskOrder
from orchestrator.workspace.lanes import LaneRepository

LEFT: Final = "refs/orchestrator/left/"


@dataclass(frozen=True)
class LaneStates:
    """Which run each lane belongs to, and what is stored of it.

    Args:
        repository: the repository of the lanes.
    """

    repository: LaneRepository

    def take(self, top: Path, order: TaskOrder) -> None:
        """Make a lane, or store what is in it and reset it: then its files are those of the base.

        Raises:
            InfrastructureError: git failed, or a file cannot be written.
        """
        make_private_folder(top.parent)
        self.store_left_state(top, order.base)
        self.repository.add_lane(top, order.base)
        self.repository.reset_lane(top, order.base)
        _write_note(top, order.run, self.repository.tree_of(order.base))
        shutil.rmtree(locate_temporary_folder(top), ignore_errors=True)

    def return_to(self, top: Path, order: TaskOrder, *, ended: bool) -> None:
        """Return a lane to a run that is continued, if another one has used it since.

        Args:
            top: the lane.
            order: the order of the run.
            ended: whether the run has ended for good; what was left later is not its own.

        Raises:
            InfrastructureError: git failed, or a file cannot be written.
        """
        if _read_note(top).get("run") == order.run and top.is_dir():
            return
        self.take(top, order)
        for prefix in (LEARNED,) if ended else (LEFT, LEARNED):
            if commit := self.repository.read_ref(prefix + order.run):
                self.repository.reset_lane(top, commit)
                return

    def store_left_state(self, top: Path, parent: str) -> None:
        """Commit what is in a lane under a ref of its run, if it is not stored yet.

        Args:
            top: the lane.
            parent: the commit that it goes on top of.

        Raises:
            InfrastructureError: git failed.
        """
        note = _read_note(top)
        if not note or not top.is_dir():  # it is not complete: nothing has worked in it
            return
        message = f"What run {note['run']} has left in lane {top.name}"
        state = self.repository.snapshot_lane(top, parent, message)
        if self.repository.tree_of(state) != note["tree"]:
            self.repository.set_ref(LEFT + note["run"], state)

    def note_state(self, top: Path, order: TaskOrder, learned: str) -> None:
        """Note that what is in a lane now need not be stored.

        Args:
            top: the lane.
            order: the order of its run.
            learned: the commit with all that the run has left; empty if it has not started.
        """
        if learned and self.repository.read_ref(LEFT + order.run):
            self.repository.set_ref(LEFT + order.run, learned)
        state = self.repository.snapshot_lane(top, order.base, "The state of a lane")
        _write_note(top, order.run, self.repository.tree_of(state))


def _locate_note(top: Path) -> Path:
    return top.with_name(f"{top.name}.run")


def _write_note(top: Path, run: str, tree: str) -> None:
    files.write_file(_locate_note(top), json.dumps({"run": run, "tree": tree}).encode(), 0o600)


def _read_note(top: Path) -> dict[str, str]:
    """Return which run a lane belongs to, and the tree that is stored; empty for a new lane."""
    try:
        note = json.loads(files.read_text(_locate_note(top)) or "{}")
        return {name: str(note[name]) for name in ("run", "tree")} if note else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
