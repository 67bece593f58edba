"""Know the lanes of task lists by notes of our own: nothing that is in a lane is trusted.

<list>/repository.git/lane-notes/<hash>    which folder a lane is, and whether all of it is there
<list>/repository.git/main-worktree        the top of the user's work tree, which lanes stand for
<list>/lanes/<n>/, <list>/judge/           the lanes

An agent may rewrite the `.git` link of its lane, or put a link in the place of the lane. A folder
is a lane only if its device and inode are those that were noted when it was made.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.platform.folders import hash_path

REPOSITORY: Final = "repository.git"

_NOTES: Final = "lane-notes"
_MAIN_WORKTREE: Final = "main-worktree"
_COMPLETE: Final = "complete"
_STARTED: Final = "started"


@dataclass(frozen=True)
class LaneNote:
    """The note about the folder of a lane.

    Args:
        repository: the repository of the list.
        top: the top of the lane.
    """

    repository: Path
    top: Path

    @property
    def name(self) -> str:
        """The name of what belongs to the lane; another one if a folder above became a link."""
        return hash_path(Path(os.path.realpath(self.top.parent)) / self.top.name)

    @property
    def is_own(self) -> bool:
        """Whether the folder is the one that was made for the lane, and no link."""
        return self._matches(_STARTED) or self.is_complete

    @property
    def is_complete(self) -> bool:
        """Whether it is that folder, and all of it is there."""
        return self._matches(_COMPLETE)

    def write(self, *, complete: bool) -> None:
        """Note which folder the lane is.

        Raises:
            OSError: the note cannot be written.
        """
        found = self._identify()
        if found is None:
            raise FileNotFoundError(2, "it is no folder", str(self.top))
        text = f"{found} {_COMPLETE if complete else _STARTED}"
        files.write_file(self._path, text.encode("ascii"), 0o600)

    def record_main_worktree(self, top: Path) -> None:
        """Record which work tree of the user the lanes of this list stand for."""
        path = self.repository / _MAIN_WORKTREE
        if files.read_whole_file(path) != os.fsencode(top):
            files.write_file(path, os.fsencode(top), 0o600)

    def read_main_worktree(self) -> Path | None:
        """Return the user's work tree; None if it is not on this machine."""
        recorded = files.read_whole_file(self.repository / _MAIN_WORKTREE)
        return Path(os.fsdecode(recorded)) if recorded else None

    @property
    def _path(self) -> Path:
        return self.repository / _NOTES / self.name

    def _matches(self, state: str) -> bool:
        found = self._identify()
        text = f"{found} {state}".encode("ascii")
        return found is not None and files.read_whole_file(self._path) == text

    def _identify(self) -> str | None:
        try:
            status = self.top.lstat()
        except OSError:
            return None
        return f"{status.st_dev} {status.st_ino}" if stat.S_ISDIR(status.st_mode) else None


def find_lane(folder: Path) -> LaneNote | None:
    """Return the note of the lane that a folder is in, or None.

    Args:
        folder: a real path, without links.
    """
    for top in (folder, *folder.parents):
        for above in (top.parent, top.parent.parent):
            note = LaneNote(above / REPOSITORY, top)
            if note.is_own:
                return note
    return None
