"""Find what a merge of a run's branch would replace, or be refused for, in the user's folder."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.platform import files
from orchestrator.workspace.git import Git
from orchestrator.workspace.worktree import Worktree


@dataclass(frozen=True)
class MergeObstacles:
    """Paths in the user's folder, from the top of the work tree."""

    untracked: tuple[str, ...] = ()
    """Not tracked by git. It replaces those that it ignores, without a word."""
    uncommitted: tuple[str, ...] = ()
    """Tracked, with changes that are not committed. git refuses to merge over them."""


def find_merge_obstacles(worktree: Worktree) -> MergeObstacles:
    """Return what stands in the way of a merge of the work tree's branch.

    Raises:
        InfrastructureError: git failed.
    """
    top = worktree.repository.top
    git, branch = Git(top), f"refs/heads/{worktree.branch}"
    start = worktree.resolve_start()
    options = ("--name-only", "-z", "--no-renames", "--no-ext-diff")
    changed = _split(git.read_output("diff", *options, start, branch))
    written = _split(git.read_output("diff", *options, "--diff-filter=d", start, branch))
    tracked = set(_split(git.read_output("ls-files", "-z")))
    # Not `git status`, which says nothing about files with the flag assume-unchanged.
    dirty = set(_split(git.read_output("diff", *options, "HEAD")))
    untracked = dict.fromkeys(
        found
        for path in written
        if path not in tracked and (found := _find_untracked(git, top, branch, path, tracked))
    )
    return MergeObstacles(tuple(untracked), tuple(path for path in changed if path in dirty))


def _find_untracked(git: Git, top: Path, branch: str, path: str, tracked: set[str]) -> str | None:
    """Return the untracked file that is where the branch has a file; None if there is none."""
    for above in reversed(PurePosixPath(path).parents[:-1]):
        folder = top / above
        if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
            return None if str(above) in tracked else str(above)
    if not os.path.lexists(top / path):
        return None
    same = git.run("cat-file", "blob", f"{branch}:{path}", allowed=(0, 128)).stdout
    return None if files.read_whole_file(top / path) == same else path


def _split(printed: bytes) -> list[str]:
    return [os.fsdecode(path) for path in printed.split(b"\0") if path]
