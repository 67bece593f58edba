"""Snapshots of a work tree, and the difference between two."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.counts import format_count


@dataclass(frozen=True)
class Snapshot:
    """The project's files at one moment, as the id of a git tree object."""

    tree: str


@dataclass(frozen=True)
class FileChange:
    """One changed file. Counts are None for a binary file."""

    path: str
    status: str
    """git's letter: A added, M modified, D deleted, T type changed."""
    added: int | None
    removed: int | None


@dataclass(frozen=True)
class Diff:
    """What changed between two snapshots."""

    changes: tuple[FileChange, ...]
    patch: Path
    """File with the whole patch as git printed it, except that secrets are replaced."""
    redactions: int = 0
    """Secrets in the patch that were replaced."""

    @property
    def summary(self) -> str:
        """`2 files, +10 -3`."""
        if not self.changes:
            return "nothing changed"
        added = sum(change.added or 0 for change in self.changes)
        removed = sum(change.removed or 0 for change in self.changes)
        files = format_count(len(self.changes), "file")
        return f"{files}, +{added} -{removed}"
