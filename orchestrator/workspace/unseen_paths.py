"""Record what a snapshot could not see: nested repositories, and files that cannot be read.

<state>/unseen/<tree>      the paths, each ended by a NUL byte; folders end in a slash
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from orchestrator.platform import files


@dataclass(frozen=True)
class UnseenPaths:
    """The record of one workspace.

    Args:
        state: the workspace's own folder.
    """

    state: Path

    def record_paths(self, tree: str, paths: Collection[bytes]) -> None:
        """Add paths to those that a tree lacks although they existed.

        Raises:
            OSError: the record cannot be written.
        """
        known = self.read_paths(tree)
        if not known.issuperset(paths):
            data = b"".join(path + b"\0" for path in sorted(known.union(paths)))
            files.write_file(self._locate_note(tree), data)

    def read_paths(self, tree: str) -> frozenset[bytes]:
        """Return the recorded paths of a tree."""
        note = self._locate_note(tree)
        return frozenset(note.read_bytes().split(b"\0")[:-1]) if note.exists() else frozenset()

    def _locate_note(self, tree: str) -> Path:
        return self.state / "unseen" / tree
