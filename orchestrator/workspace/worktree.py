"""A separate work tree on a branch of its own, in which an agent works beside the user.

Only what `git worktree add` writes is written to the user's repository: a branch, and the entry of
the new work tree. HEAD, index, stash and files of the user's own work tree are not touched.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform.folders import GIT_FOLDER
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.workspace.git import Git
from orchestrator.workspace.private import MACHINE_MADE
from orchestrator.workspace.repository import Repository, find_repository
from orchestrator.workspace.repository_history import RepositoryHistory, open_private_history

_FALLBACK_IDENTITY: Final = ("Prompt Learning Loop", "orchestrator@localhost")
"""The name and address of commits where git knows none for the user."""

START: Final = "refs/worktree/start"
"""The commit that the work tree started from. git keeps refs below `refs/worktree/` for each work
tree alone, so the user's repository does not show it."""

_COMMIT_PATHSPECS: Final = (
    ".",
    *(
        f":(exclude,glob)**/{name.rstrip('/')}{rest}"
        for name in MACHINE_MADE
        for rest in ("", "/**")
    ),
)
"""Pathspecs of what is committed: all but caches and other files that tools generate."""


@dataclass(frozen=True)
class Worktree:
    """A work tree for one run.

    Args:
        repository: the user's repository.
        folder: the top of the work tree; its name is the run's id.
        branch: the branch that it is on.
    """

    repository: Repository
    folder: Path
    branch: str

    @property
    def project(self) -> Path:
        """The project's folder in it."""
        return self.folder / self.repository.prefix.decode("utf-8", "surrogateescape")

    @property
    def source(self) -> Path:
        """The top of the user's own work tree."""
        return self.repository.top

    def is_complete(self) -> bool:
        """Return whether `create` has finished, which writes the ref of the start last."""
        if not (self._entry.is_dir() and self.folder.is_dir()):
            return False
        return self._open_history().has_readable_commit(START)

    def create(self) -> None:
        """Create the work tree and the branch, from the user's HEAD.

        What an earlier process left when it was killed in here is removed first.

        Raises:
            InfrastructureError: git failed.
        """
        if self.folder.is_dir():
            shutil.rmtree(self.folder)
        make_private_folder(self.folder.parent)
        self._open_user_history().add_worktree(self.folder, self.branch, "HEAD")
        self._open_history().set_ref(START, "HEAD")

    def commit(self, message: str, private: Sequence[str] = ()) -> None:
        """Commit all changes on the branch, except to files that belong to the user alone.

        No hook is run and nothing is signed. Files that git ignores or that tools generate are
        left out. Called again, it commits what has changed since.

        Args:
            message: the commit message.
            private: paths from the top that stay as they were in the commit that the run started
                from, even if the agent has committed them.

        Raises:
            InfrastructureError: git failed.
        """
        history = self._open_history()
        # In a sparse checkout `git add` would refuse what is outside of its patterns.
        sparse = ("--sparse",) if history.read_setting("core.sparseCheckout") == "true" else ()
        history.stage("-A", *sparse, "--", *_COMMIT_PATHSPECS)
        if private:  # not excluded from `git add`, which fails when an ignored path is named
            history.reset_paths(START, [f":(literal){path}" for path in private])
        commit = self._open_history(environment=read_identity(history)).commit_index(message)
        # The agent may have switched to another branch; its work is expected on this one.
        history.set_ref(f"refs/heads/{self.branch}", commit)

    def has_commits(self) -> bool:
        """Return whether the branch has moved on from the commit that the run started from.

        Raises:
            InfrastructureError: git failed.
        """
        history = self._open_history()
        tip = history.resolve_commit(f"refs/heads/{self.branch}")
        return tip != history.resolve_commit(START)

    def resolve_start(self) -> str:
        """Return the id of the commit that the run started from.

        Raises:
            InfrastructureError: git failed.
        """
        return self._open_history().resolve_commit(START)

    def list_uncommitted_paths(self, private: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the paths whose content is in the work tree and not on the branch.

        Files that git ignores, that tools generate, or that were deleted do not count.

        Args:
            private: paths from the top that do not count either, see `commit`.

        Raises:
            InfrastructureError: git failed; there may be no such branch.
        """
        history = self._open_history()
        pathspecs = [*_COMMIT_PATHSPECS, *(f":(exclude,literal){path}" for path in private)]
        changed = history.list_changed_paths(f"refs/heads/{self.branch}", pathspecs)
        return changed + history.list_untracked_paths(pathspecs)

    def remove(self, *, with_branch: bool) -> None:
        """Remove the work tree, and the branch too if asked.

        Raises:
            InfrastructureError: git failed.
        """
        history = self._open_user_history()
        if self.folder.is_dir():
            # git refuses to remove a work tree whose link does not lead back to its entry, and the
            # agent may have rewritten the link.
            link = self.folder / GIT_FOLDER
            if link.is_dir() and not link.is_symlink():
                shutil.rmtree(link)
            link.unlink(missing_ok=True)
            link.write_text(f"gitdir: {self._entry}\n", encoding="utf-8")
            history.remove_worktree(self.folder)
        if with_branch:
            history.delete_branch(self.branch)

    @property
    def _entry(self) -> Path:
        return self.repository.common_dir / "worktrees" / self.folder.name

    def _open_user_history(self) -> RepositoryHistory:
        return open_private_history(Git(self.repository.top))

    @property
    def git(self) -> Git:
        """Git in the work tree, which is found by its entry in the user's repository.

        Not by its `.git` link: the agent may have rewritten it, and git would then commit to
        another repository.
        """
        location = {"GIT_DIR": str(self._entry), "GIT_WORK_TREE": str(self.folder)}
        return Git(self.folder, location)

    def _open_history(self, environment: Mapping[str, str] | None = None) -> RepositoryHistory:
        """Open the history of the work tree, with further variables for git."""
        return open_private_history(self.git.with_folder(self.folder, **(environment or {})))


def resolve_worktree(project: Path, folder: Path, branch: str) -> Worktree:
    """Return the work tree of a project, which need not exist yet.

    Args:
        project: the user's project; may be a subfolder of its repository.
        folder: where the work tree is, or will be; its name must be unique in the repository.
        branch: the branch that it is on.

    Raises:
        UsageError: the project is in no repository, or in one without a commit.
    """
    repository = find_repository(project)
    if not repository:
        raise UsageError(
            f"{project} is not in a git repository, so a run cannot be isolated",
            "`git init` and commit, or run without --isolate",
        )
    history = open_private_history(Git(project))
    if not history.has_commit("HEAD"):
        raise UsageError(
            f"the repository of {project} has no commit, so a run cannot be isolated",
            "make a first commit, or run without --isolate",
        )
    if repository.prefix and not history.has_path("HEAD:./"):
        raise UsageError(
            f"{project} is not in the repository's last commit, so a run cannot be isolated",
            "commit it, or run without --isolate",
        )
    return Worktree(repository, folder, branch)


def list_uncommitted(project: Path) -> tuple[str, ...]:
    """Return the paths in a project that differ from the last commit, untracked ones included.

    Raises:
        InfrastructureError: git failed.
    """
    return open_private_history(Git(project)).list_uncommitted_paths()


def read_identity(history: RepositoryHistory) -> dict[str, str]:
    """Return the variables that name the author and the committer of a commit."""
    configured = [history.read_setting(key) for key in ("user.name", "user.email")]
    name, email = configured if all(configured) else _FALLBACK_IDENTITY
    return {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", name), ("EMAIL", email))
    }
