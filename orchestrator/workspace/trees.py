"""Compare two trees with `git diff-tree`, and list what is in one."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.models import Diff, FileChange
from orchestrator.workspace.git import Git, decode_path

_GITLINK: Final = b"160000"
EXECUTABLE: Final = b"100755"

LARGEST_PATCH: Final = 100_000_000
"""Bytes of changed files, before and after together, that a patch may hold. git refuses to compare
a file of 1 GB as text, and the patch of a binary file is larger than the file."""
_MOST_LEFT_OUT: Final = 500
"""Each is an argument of git, and the system limits their length. A patch of many small files only
takes time and space."""
_LEFT_OUT: Final = b"# too large for this patch: %s\n"

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


MISSING: Final = Content(b"000000", b"")
"""That of a path that is not in a tree."""


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

        `git apply --binary` can apply it, whatever the files contain. The largest files are left
        out if there is too much for one patch; its last lines name them.
        """
        command = (*_COMPARE, "--patch", "--binary", "--full-index", "--no-color")
        left_out = self._find_large_paths(git)
        pathspecs = [f":(top,exclude,literal){os.fsdecode(path)}" for path in left_out]
        git.run(*command, self.before, self.after, "--", *pathspecs, stdout_file=patch)
        if left_out:
            with patch.open("ab") as file:
                file.writelines(_LEFT_OUT % path.replace(b"\n", b"\\n") for path in left_out)
        changes = tuple(
            FileChange(
                decode_path(change.path), change.status, *self.counts.get(change.path, (0, 0))
            )
            for change in self.changes
        )
        return Diff(changes, patch)

    def _find_large_paths(self, git: Git) -> list[bytes]:
        """Return the largest changed files, so many that the others fit into a patch."""
        contents = [each for change in self.changes for each in (change.before, change.after)]
        files = [each for each in contents if each.exists and each.mode != _GITLINK]
        sizes = _read_sizes(git, {each.oid for each in files})
        total = sum(sizes.get(each.oid, 0) for each in files)
        found: list[bytes] = []

        def measure(change: Change) -> int:
            return sizes.get(change.before.oid, 0) + sizes.get(change.after.oid, 0)

        for change in sorted(self.changes, key=measure, reverse=True)[:_MOST_LEFT_OUT]:
            if total <= LARGEST_PATCH:
                break
            total -= measure(change)
            found.append(change.path)
        return sorted(found)


def _read_sizes(git: Git, oids: Collection[bytes]) -> dict[bytes, int]:
    """Return the sizes of blobs, in bytes, by their ids; without those that are missing."""
    if not oids:
        return {}
    command = ("cat-file", "--buffer", "--batch-check=%(objectname) %(objectsize)")
    answers = git.read_output(*command, stdin=b"\n".join([*oids, b""])).splitlines()
    pairs = (answer.rsplit(b" ", 1) for answer in answers)
    return {oid: int(size) for oid, size in pairs if size.isdigit()}


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
