"""Compare two trees with `git diff-tree`, and list what is in one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.models import Diff, FileChange
from orchestrator.workspace.git import Git, decode_path

_GITLINK: Final = b"160000"
EXECUTABLE: Final = b"100755"

_COMPARE: Final = ("diff-tree", "-r", "--no-renames", "--no-ext-diff", "--no-textconv")


@dataclass(frozen=True)
class Content:
    """The mode and object id of a path in a tree; mode 000000 if the path is not in it."""

    mode: bytes
    oid: bytes

    @property
    def exists(self) -> bool:
        """Whether the path is in the tree."""
        return self.mode != b"000000"


@dataclass(frozen=True)
class Change:
    """One path that differs between two trees."""

    path: bytes
    status: str
    before: Content
    after: Content


def list_changes(git: Git, before: str, after: str) -> list[Change]:
    """Return the paths that differ between two trees, in git's order."""
    return _parse_changes(_read_records(git, before, after, "--raw"))


def list_paths(git: Git, tree: str) -> list[bytes]:
    """Return all paths of a tree, nested repositories included."""
    return git.read_output("ls-tree", "-r", "-z", "--name-only", "--full-tree", tree).split(b"\0")[
        :-1
    ]


def list_tree(git: Git, tree: str) -> tuple[list[bytes], list[bytes]]:
    """Return all paths of a tree, and those among them that are nested repositories."""
    paths, inside = [], []
    listed = git.read_output("ls-tree", "-r", "-z", "--full-tree", tree)
    # The first snapshot lists every file of the project, so each line must be quick.
    for record in listed.split(b"\0")[:-1]:
        path = record[record.index(b"\t") + 1 :]
        paths.append(path)
        if record.startswith(_GITLINK):
            inside.append(path)
    return paths, inside


@dataclass(frozen=True)
class Comparison:
    """The difference of two trees: the changed paths, and the changed lines of each."""

    before: str
    after: str
    changes: tuple[Change, ...]
    counts: Mapping[bytes, tuple[int, int] | tuple[None, None]]

    @property
    def gitlinks(self) -> list[bytes]:
        """The changed paths that are a nested repository in the second tree."""
        return [change.path for change in self.changes if change.after.mode == _GITLINK]

    def write_diff(self, git: Git, patch: Path) -> Diff:
        """Write the patch to a file, without holding it in memory, and list what changed.

        `git apply --binary` can apply it, whatever the files contain.
        """
        command = (*_COMPARE, "--patch", "--binary", "--full-index", "--no-color")
        git.run(*command, self.before, self.after, stdout_file=patch)
        changes = tuple(
            FileChange(
                decode_path(change.path), change.status, *self.counts.get(change.path, (0, 0))
            )
            for change in self.changes
        )
        return Diff(changes, patch)


def compare_trees(git: Git, before: str, after: str) -> Comparison:
    """List what differs between two trees."""
    records = _read_records(git, before, after, "--raw", "--numstat")
    # With -z, git prints all raw records first, each followed by its path as a record of its own,
    # and then one record of counts for each path.
    raw = 2 * sum(record.startswith(b":") for record in records[::2])
    return Comparison(
        before, after, tuple(_parse_changes(records[:raw])), _parse_counts(records[raw:])
    )


def _read_records(git: Git, before: str, after: str, *formats: str) -> list[bytes]:
    return git.read_output(*_COMPARE, *formats, "-z", before, after).split(b"\0")[:-1]


def _parse_changes(records: Sequence[bytes]) -> list[Change]:
    return [_parse_change(raw, path) for raw, path in zip(records[::2], records[1::2], strict=True)]


def _parse_change(raw: bytes, path: bytes) -> Change:
    """Parse `:mode mode oid oid letter` (git-diff-tree(1), raw output format)."""
    mode_before, mode_after, oid_before, oid_after, status = raw[1:].split(b" ")
    before, after = Content(mode_before, oid_before), Content(mode_after, oid_after)
    return Change(path, status[:1].decode("ascii"), before, after)


def _parse_counts(records: Iterable[bytes]) -> dict[bytes, tuple[int, int] | tuple[None, None]]:
    """Parse `added TAB removed TAB path`; for a binary file both counts are a dash."""
    counts: dict[bytes, tuple[int, int] | tuple[None, None]] = {}
    for record in records:
        added, removed, path = record.split(b"\t", 2)
        binary = added == b"-"
        counts[path] = (None, None) if binary else (int(added), int(removed))
    return counts
