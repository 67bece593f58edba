"""What differs between two trees, as git says it."""

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
    """What a tree says about a path: mode and object id. Nothing there has the mode 000000."""

    mode: bytes
    oid: bytes

    @property
    def exists(self) -> bool:
        """Whether there is anything."""
        return self.mode != b"000000"


@dataclass(frozen=True)
class Change:
    """One path that differs between two trees."""

    path: bytes
    status: str
    before: Content
    after: Content


def list_changes(git: Git, before: str, after: str) -> list[Change]:
    """The paths that differ, in git's order."""
    return _parse_changes(_read_records(git, before, after, "--raw"))


def list_paths(git: Git, tree: str) -> list[bytes]:
    """Return the paths of all that is in a tree."""
    return git.read_output("ls-tree", "-r", "-z", "--name-only", "--full-tree", tree).split(b"\0")[
        :-1
    ]


def list_tree(git: Git, tree: str) -> tuple[list[bytes], list[bytes]]:
    """Return the paths of all that is in a tree, and of them those of other repositories."""
    paths, inside = [], []
    listed = git.read_output("ls-tree", "-r", "-z", "--full-tree", tree)
    # Of the first snapshot all is new, so this must be quick on each line.
    for record in listed.split(b"\0")[:-1]:
        path = record[record.index(b"\t") + 1 :]
        paths.append(path)
        if record.startswith(_GITLINK):
            inside.append(path)
    return paths, inside


@dataclass(frozen=True)
class Comparison:
    """What git lists of two trees: what became of each path, and how many lines differ."""

    before: str
    after: str
    changes: tuple[Change, ...]
    counts: Mapping[bytes, tuple[int, int] | tuple[None, None]]

    @property
    def gitlinks(self) -> list[bytes]:
        """The paths that are another repository afterwards."""
        return [change.path for change in self.changes if change.after.mode == _GITLINK]

    def write_diff(self, git: Git, patch: Path) -> Diff:
        """Write the whole patch to a file, without holding it in memory, and list what changed.

        `git apply --binary` carries the patch out, whatever is in it.
        """
        asked = (*_COMPARE, "--patch", "--binary", "--full-index", "--no-color")
        git.run(*asked, self.before, self.after, stdout_file=patch)
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
    # All raw records come first, each with a record of its path; then one of each path's counts.
    raw = 2 * sum(record.startswith(b":") for record in records[::2])
    return Comparison(
        before, after, tuple(_parse_changes(records[:raw])), _parse_counts(records[raw:])
    )


def _read_records(git: Git, before: str, after: str, *formats: str) -> list[bytes]:
    return git.read_output(*_COMPARE, *formats, "-z", before, after).split(b"\0")[:-1]


def _parse_changes(records: Sequence[bytes]) -> list[Change]:
    return [_parse_change(raw, path) for raw, path in zip(records[::2], records[1::2], strict=True)]


def _parse_change(raw: bytes, path: bytes) -> Change:
    """Read `:mode mode oid oid letter` (git-diff-tree(1), raw output format)."""
    mode_before, mode_after, oid_before, oid_after, status = raw[1:].split(b" ")
    before, after = Content(mode_before, oid_before), Content(mode_after, oid_after)
    return Change(path, status[:1].decode("ascii"), before, after)


def _parse_counts(records: Iterable[bytes]) -> dict[bytes, tuple[int, int] | tuple[None, None]]:
    """Read `added TAB removed TAB path`; of a binary file both are a dash."""
    counts: dict[bytes, tuple[int, int] | tuple[None, None]] = {}
    for record in records:
        added, removed, path = record.split(b"\t", 2)
        binary = added == b"-"
        counts[path] = (None, None) if binary else (int(added), int(removed))
    return counts
