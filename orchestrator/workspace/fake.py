"""A project in memory, for tests of code that uses a workspace."""

import difflib
import hashlib
from collections.abc import Collection
from pathlib import Path

from orchestrator.models import Diff, FileChange, Snapshot


class FakeWorkspace:
    """The files of a project as a dictionary, with snapshots that are copies of it.

    Change `files` between two snapshots as an agent would change the disk.

    Args:
        files: the initial files, path to content.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files: dict[str, bytes] = dict(files or {})
        self.unseen_paths: tuple[str, ...] = ()
        self._trees: dict[str, dict[str, bytes]] = {}

    def take_snapshot(self) -> Snapshot:
        """Store a copy of the current files; equal files give the same snapshot."""
        tree = hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()  # noqa: S324 -- an id
        self._trees[tree] = dict(self.files)
        return Snapshot(tree)

    def remember_modes(self, snapshot: Snapshot) -> None:
        """Do nothing: the files have no permissions."""

    def restore_command(self, snapshot: Snapshot) -> str:
        """Return a placeholder: there are no files that a command could print."""
        return f"show {snapshot.tree}:PATH"

    def diff_command(self, before: Snapshot, after: Snapshot) -> str:
        """Return a placeholder: there are no files that a command could compare."""
        return f"diff {before.tree} {after.tree}"

    def read_file(self, snapshot: Snapshot, path: str) -> bytes | None:
        """Return the content of a file in a snapshot; None if it is not there."""
        return self._trees[snapshot.tree].get(path)

    def diff_snapshots(self, before: Snapshot, after: Snapshot, patch: Path) -> Diff:
        """Write a unified diff to the file `patch` and list what changed."""
        old, new = self._trees[before.tree], self._trees[after.tree]
        paths = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
        texts = [_build_text_diff(path, old.get(path), new.get(path)) for path in paths]
        patch.write_bytes(b"".join(b"".join(lines) for lines in texts))
        changes = tuple(
            _build_file_change(path, old.get(path), new.get(path), lines)
            for path, lines in zip(paths, texts, strict=True)
        )
        return Diff(changes, patch)

    def restore_files(
        self, to: Snapshot, changed_since: Snapshot, leave: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Restore the files that differ; return those left alone: they changed since then."""
        target, since = self._trees[to.tree], self._trees[changed_since.tree]
        left_alone = []
        for path in sorted(target.keys() | since.keys()):
            present, wanted = self.files.get(path), target.get(path)
            if since.get(path) == wanted or present == wanted or path in leave:
                continue
            if present != since.get(path):
                left_alone.append(path)
            elif wanted is None:
                del self.files[path]
            else:
                self.files[path] = wanted
        return tuple(left_alone)


def _build_file_change(
    path: str, old: bytes | None, new: bytes | None, lines: list[bytes]
) -> FileChange:
    status = "A" if old is None else "D" if new is None else "M"
    if b"\0" in (old or b"") + (new or b""):
        return FileChange(path, status, None, None)
    added = sum(line.startswith(b"+") for line in lines[3:])
    removed = sum(line.startswith(b"-") for line in lines[3:])
    return FileChange(path, status, added, removed)


def _build_text_diff(path: str, old: bytes | None, new: bytes | None) -> list[bytes]:
    header = f"diff --git a/{path} b/{path}\n".encode()
    if b"\0" in (old or b"") + (new or b""):
        return [header, f"Binary files a/{path} and b/{path} differ\n".encode()]
    changes = list(
        difflib.diff_bytes(
            difflib.unified_diff,
            (old or b"").splitlines(keepends=True),
            (new or b"").splitlines(keepends=True),
            b"/dev/null" if old is None else f"a/{path}".encode(),
            b"/dev/null" if new is None else f"b/{path}".encode(),
        )
    )
    return [header, *changes]
