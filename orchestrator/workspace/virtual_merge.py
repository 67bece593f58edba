"""Merge commits without a work tree, by `git merge-tree`, which GitPython does not know."""

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.workspace.git import Git

# `-z`, because without it git quotes names; and then there are no messages to be parsed.
_COMMAND: Final = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages")


@dataclass(frozen=True)
class Merge:
    """What a merge of two commits gives."""

    tree: str
    """The id of the merged tree; empty if they conflict."""
    conflicts: tuple[str, ...] = ()
    """The paths in which they conflict, from the top."""


def merge_commits(git: Git, onto: str, commit: str) -> Merge:
    """Merge a commit onto another one, whose common ancestor git finds.

    Raises:
        InfrastructureError: git failed, or knows no such commits.
    """
    command = (*_COMMAND, onto, commit)
    done = git.run(*command, allowed=(0, 1))
    tree, *conflicts = done.stdout.split(b"\0")[:-1] or [b""]
    if not tree:  # exit code 1 stands for an unknown commit too
        raise git.build_error(command, done)
    if done.returncode == 0:
        return Merge(tree.decode("ascii"))
    return Merge("", _decode_paths(conflicts))


def find_conflicts(git: Git, commits: Mapping[str, str]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Merge each pair of commits, and return those that conflict.

    Args:
        git: git in a repository that has the commits.
        commits: a commit by a key.

    Returns:
        The keys of the two, in their order, and the paths.

    Raises:
        InfrastructureError: git failed, or knows no such commits.
    """
    pairs = [
        (one, other)
        for one, other in itertools.combinations(commits, 2)
        if commits[one] != commits[other]
    ]
    if not pairs:
        return []
    lines = "".join(f"{commits[one]} {commits[other]}\n" for one, other in pairs)
    printed = git.read_output(*_COMMAND, "--stdin", stdin=lines.encode("ascii"))
    # A record is `status NUL tree NUL (path NUL)* NUL`. The status, which is the opposite
    # of the exit code, is not needed: where there is a conflict, there are paths.
    records = printed.removesuffix(b"\0\0").split(b"\0\0")
    found = []
    for (one, other), record in zip(pairs, records, strict=True):
        _, _, *paths = record.split(b"\0")
        if paths:
            found.append((one, other, _decode_paths(paths)))
    return found


def _decode_paths(paths: list[bytes]) -> tuple[str, ...]:
    return tuple(os.fsdecode(path) for path in dict.fromkeys(paths))
