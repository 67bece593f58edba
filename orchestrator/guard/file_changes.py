"""Finds guarded files that changed, were deleted, added or moved since a manifest was recorded."""

import ast
import difflib
import stat
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Final

from orchestrator.guard.copy_store import CopyStore, compute_digest
from orchestrator.guard.errors import build_lost_copy_error
from orchestrator.guard.manifest import Change, ChangeType, Entry, Manifest
from orchestrator.guard.protection import Kind, Protection
from orchestrator.guard.scripts import parse_source
from orchestrator.guard.shared_files import is_shared, read_test_config
from orchestrator.guard.tree import FileState, Tree, read_content, unpack_mode
from orchestrator.platform import files

_MIN_SIMILARITY: Final = 0.6
"""Ratio of equal lines from which on a new file counts as a deleted one that was moved."""


class ChangeFinder:
    """Compares the guarded files of a project with a manifest.

    Args:
        protection: which files are guarded.
        copies: the stored content of the files in the manifest.
    """

    def __init__(self, protection: Protection, copies: CopyStore) -> None:
        self._protection, self._copies = protection, copies
        self._project = protection.project

    def resolve_kind(self, name: str) -> Kind | None:
        """Return why a file is guarded; None if it is not."""
        guarded = self._protection.guarded.get(name)
        if guarded:
            return None if self._protection.is_free(name) else guarded.kind
        return Kind.CONFIG if self._protection.explain_prohibition(name) else None

    def iter_changes(self, manifest: Manifest, tree: Tree) -> Iterator[Change]:
        """Yield the guarded files that differ from a manifest, and prohibited new files.

        Raises:
            OSError: a file cannot be read.
            InfrastructureError: a stored copy that is needed is missing or damaged.
        """
        for name, entry in manifest.entries.items():
            at = tree.get(name)
            if at is None:
                if self._has_recorded_effect(name, entry):
                    yield Change(name, entry.kind, ChangeType.DELETED)
            elif at != entry.state and not self._is_unchanged(name, entry, at):
                yield Change(name, entry.kind, ChangeType.CHANGED)
        for name, at in tree.items():
            if name in manifest.entries or manifest.others.get(name) == at:
                continue
            if self.resolve_kind(name) and not self._is_without_effect(name, at):
                yield Change(name, Kind.CONFIG, ChangeType.ADDED)

    def find_moved_files(
        self, manifest: Manifest, changes: Collection[Change], tree: Tree
    ) -> list[Change]:
        """Return new files that are deleted guarded files under another path.

        The deleted file is restored, and then there would be two test modules of one name. In
        folders without an `__init__.py`, pytest imports both under that one name, and stops with
        "import file mismatch". So the moved file has to be removed.
        """
        deleted = {
            PurePosixPath(each.name).name: each
            for each in changes
            if each.type is ChangeType.DELETED
        }
        found: list[Change] = []
        for name in tree if deleted else ():
            was = deleted.get(PurePosixPath(name).name)
            if was is None or name.startswith("/") or not manifest.is_new(name):
                continue
            if self._is_similar(name, was.name, manifest):
                found.append(Change(name, was.kind, ChangeType.MOVED, moved_from=was.name))
        return found

    def _is_similar(self, name: str, was: str, manifest: Manifest) -> bool:
        before, now = self._copies.read_copy(manifest.entries[was].digest), self._read_bytes(name)
        if before is None or now is None:
            return False
        matcher = difflib.SequenceMatcher(None, before.splitlines(), now.splitlines())
        return matcher.ratio() > _MIN_SIMILARITY

    def _has_recorded_effect(self, name: str, entry: Entry) -> bool:
        """Return whether a file affected tests when it was recorded, so that its loss counts."""
        return not self._is_shared(name) or self._read_recorded_config(name, entry) is not None

    def _is_shared(self, name: str) -> bool:
        return is_shared(name) and name not in self._protection.whole

    def _read_recorded_config(self, name: str, entry: Entry) -> object:
        data = self._copies.read_copy(entry.digest)
        if data is None:
            raise build_lost_copy_error(self._copies.folder / entry.digest)
        return read_test_config(name, data)

    def _is_without_effect(self, name: str, at: FileState) -> bool:
        """Return whether an added file of a prohibited name cannot affect tests."""
        if not stat.S_ISREG(unpack_mode(at)):
            return False
        if name.endswith("/__init__.py") and name not in self._protection.absent:
            return not _has_code(self._read_bytes(name) or b"")
        return self._is_shared(name) and read_test_config(name, self._read_bytes(name)) is None

    def _is_unchanged(self, name: str, entry: Entry, at: FileState) -> bool:
        mode = unpack_mode(at)
        if not entry.digest or stat.S_ISLNK(mode) != entry.link:
            return False
        if not (entry.link or stat.S_ISREG(mode)):
            return False
        if not self._is_shared(name) or entry.link:
            executable = (mode ^ entry.mode) & 0o111
            return not executable and self._compute_digest(name, at) == entry.digest
        return read_test_config(name, self._read_bytes(name)) == self._read_recorded_config(
            name, entry
        )

    def _compute_digest(self, name: str, at: FileState) -> str:
        return compute_digest(read_content(self._project / name, at))

    def _read_bytes(self, name: str) -> bytes | None:
        return files.read_whole_file(self._project / name)


def _has_code(source: bytes) -> bool:
    """Return whether a Python file does anything when it is imported."""
    tree = parse_source(source)
    return tree is None or any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in tree.body
    )
