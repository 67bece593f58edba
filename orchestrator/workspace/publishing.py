"""Bring a commit of a list into the user's repository, as a branch that nobody else has changed."""

import contextlib
from pathlib import Path
from typing import Final

from orchestrator.workspace.git import Git
from orchestrator.workspace.lane_base import open_bare
from orchestrator.workspace.lane_history import LaneHistory, open_lane_history
from orchestrator.workspace.repository import Repository

_BRANCHES: Final = "refs/heads/"
_PUBLISHED: Final = "refs/orchestrator/published/"
"""What the user's branch was set to last, by its name."""
_INTENDED: Final = "refs/orchestrator/publishing/"
"""What it was about to be set to; the process may have been killed before it wrote the other."""
_REWRITING: Final = ("rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START")
"""Files of a work tree with the name of a branch that git will set when it has finished."""

_FETCH: Final = (
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-gc",
    "--no-prune",
    "--no-recurse-submodules",
    "--refmap=",
)
_FETCH_SETTINGS: Final = ("protocol.file.allow=always", "gc.auto=0", "maintenance.auto=false")


def publish_commit(repository: Repository, folder: Path, commit: str, branch: str) -> str:
    """Point a branch of the user's repository at a commit.

    Only the branch and the objects are written. A branch that somebody else has changed since, or
    that is checked out, is left alone. One that was deleted is made again.

    Args:
        repository: the user's repository.
        folder: the repository of the lanes that has the commit.
        commit: the commit.
        branch: the name of the branch.

    Returns:
        Why it was left alone; empty if it is at the commit, or beyond it.

    Raises:
        InfrastructureError: git failed.
    """
    git = Git(repository.top, config=_FETCH_SETTINGS)
    users, own = open_lane_history(git), open_lane_history(open_bare(folder))
    ref = _BRANCHES + branch
    now = users.resolve(ref)
    if now == commit or (now and _is_beyond(users, now, commit)):
        own.set_ref(_PUBLISHED + branch, commit)
        return ""
    known = [own.resolve(name + branch) for name in (_PUBLISHED, _INTENDED)]
    if now and now not in known:
        return f"the branch {branch} was changed by somebody else"
    if holder := find_checkout(git, repository, branch):
        return f"the branch {branch} is checked out in {holder}"
    own.set_ref(_INTENDED + branch, commit)
    # Into no ref: git would compare with the branch as it is then, and not as it was published.
    git.run(*_FETCH, "--", str(folder), _INTENDED + branch)
    if not users.move_ref(ref, commit, now):
        return f"git could not set the branch {branch}: it was changed, or another is in its way"
    own.set_ref(_PUBLISHED + branch, commit)
    return ""


def is_reachable(repository: Repository, commit: str) -> bool:
    """Return whether a branch, a tag or another ref of the user leads to a commit.

    Raises:
        InfrastructureError: git failed.
    """
    git = Git(repository.top)
    if not open_lane_history(git).resolve(f"{commit}^{{commit}}"):
        return False
    return bool(git.read_output("for-each-ref", "--count=1", "--contains", commit))


def find_checkout(git: Git, repository: Repository, branch: str) -> str:
    """Return a work tree that has a branch checked out, or is rewriting it; empty if none has."""
    ref = _BRANCHES + branch
    listing = git.read_output("worktree", "list", "--porcelain", "-z")
    for record in listing.split(b"\0\0"):
        lines = [line.decode("utf-8", "backslashreplace") for line in record.split(b"\0")]
        if f"branch {ref}" in lines:
            return lines[0].removeprefix("worktree ")
    common = repository.common_dir
    for entry in (common, *sorted((common / "worktrees").glob("*"))):
        for name in _REWRITING:
            with contextlib.suppress(OSError):
                text = (entry / name).read_text(encoding="utf-8", errors="replace").strip()
                if text in (ref, branch):
                    return str(entry)
    return ""


def _is_beyond(users: LaneHistory, now: str, commit: str) -> bool:
    """Return whether the user has only added commits."""
    return bool(users.resolve(f"{commit}^{{commit}}")) and users.is_ancestor(commit, now)
