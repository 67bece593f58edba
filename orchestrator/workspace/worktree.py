"""A work tree of our own on a branch of its own: an agent works beside the user, not among them.

Of the user's repository, only what `git worktree add` writes is written: a branch, and the new
work tree's entry. HEAD, index, stash and files of the user's own work tree stay as they are.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform.folders import GIT_FOLDER
from orchestrator.workspace.git import Git, decode_path
from orchestrator.workspace.private import MACHINE_MADE
from orchestrator.workspace.repository import Repository, find_repository

_FALLBACK_IDENTITY: Final = ("Prompt Learning Loop", "orchestrator@localhost")
"""Who commits where git knows no name of the user's."""

_START: Final = "refs/worktree/start"
"""The commit that the work tree began with. Such a ref is seen in that work tree alone."""

_COMMIT_PATHSPECS: Final = (
    ".",
    *(
        f":(exclude,glob)**/{name.rstrip('/')}{rest}"
        for name in MACHINE_MADE
        for rest in ("", "/**")
    ),
)
"""Pathspecs of what goes on the branch."""


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

    def is_complete(self) -> bool:
        """Return whether `make` has come to its end."""
        asked = ("rev-parse", "-q", "--verify", _START)
        if not (self._entry.is_dir() and self.folder.is_dir()):
            return False
        return not self._open_git().run(*asked, allowed=(0, 1, 128)).returncode

    def create(self) -> None:
        """Make the work tree and the branch, from the user's HEAD.

        What a process that was killed while it made them has left is removed first.

        Raises:
            InfrastructureError: git failed.
        """
        if self.folder.is_dir():
            shutil.rmtree(self.folder)
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Forced, because such a process may have left an entry and a branch of these names.
        asked = ("worktree", "add", "-q", "-f", "-f", "--no-guess-remote", "-B", self.branch)
        Git(self.repository.top).run(*asked, str(self.folder), "HEAD")
        self._open_git().run("update-ref", _START, "HEAD")

    def commit(self, message: str, anyway: Sequence[str] = ()) -> None:
        """Commit on the branch all that differs from it, and the files named `anyway` in any case.

        No hook is run, nothing is signed, and nothing that git ignores or a machine made goes in.
        Called again, it commits what came since.

        Raises:
            InfrastructureError: git failed.
        """
        git = self._open_git()
        git.run("add", "-A", "--", *_COMMIT_PATHSPECS)
        # What was learned is kept also where the repository ignores it.
        for name in anyway:
            if (self.project / name).is_file():
                git.with_folder(self.project).run("add", "-f", "--", name)
        tip, tree = git.read_line("rev-parse", "HEAD"), git.read_line("write-tree")
        if tree != git.read_line("rev-parse", "HEAD^{tree}"):
            asked = ("commit-tree", tree.decode(), "-p", tip.decode(), "-F", "-")
            who = git.with_folder(self.folder, **_read_identity(git))
            tip = who.run(*asked, stdin=message.encode("utf-8", "replace")).stdout.strip()
        # The agent may have switched to another branch; what it did is to be found on this one.
        git.run("update-ref", f"refs/heads/{self.branch}", tip.decode())

    def has_commits(self) -> bool:
        """Whether the branch has anything that the user's HEAD had not when the run began.

        Raises:
            InfrastructureError: git failed.
        """
        git = self._open_git()
        return git.read_line("rev-parse", f"refs/heads/{self.branch}") != git.read_line(
            "rev-parse", _START
        )

    def list_uncommitted_paths(self) -> tuple[str, ...]:
        """Paths whose content is in the work tree and not on the branch.

        What git ignores or a machine made does not count, nor a file that is not there any more.

        Raises:
            InfrastructureError: git failed; there may be no such branch.
        """
        git = self._open_git()
        asked = ("diff", "--name-only", "-z", "--no-renames", "--diff-filter=d")
        paths = git.read_output(*asked, f"refs/heads/{self.branch}", "--", *_COMMIT_PATHSPECS)
        paths += git.read_output(
            "ls-files", "-z", "--others", "--exclude-standard", "--", *_COMMIT_PATHSPECS
        )
        return tuple(decode_path(path) for path in paths.split(b"\0")[:-1])

    def remove(self, *, with_branch: bool) -> None:
        """Remove the work tree, and the branch too if asked.

        Raises:
            InfrastructureError: git failed.
        """
        git = Git(self.repository.top)
        if self.folder.is_dir():
            # Should the agent have changed it, git would not know the work tree as its own.
            link = self.folder / GIT_FOLDER
            if link.is_dir() and not link.is_symlink():
                shutil.rmtree(link)
            link.unlink(missing_ok=True)
            link.write_text(f"gitdir: {self._entry}\n", encoding="utf-8")
            git.run("worktree", "remove", "--force", "--force", str(self.folder))
        if with_branch:
            git.run("branch", "-q", "-D", self.branch)

    @property
    def _entry(self) -> Path:
        return self.repository.common_dir / "worktrees" / self.folder.name

    def _open_git(self) -> Git:
        """Git in the work tree, by its entry in the user's repository and not by its own word."""
        where = {"GIT_DIR": str(self._entry), "GIT_WORK_TREE": str(self.folder)}
        return Git(self.folder).with_folder(self.folder, **where)


def resolve_worktree(project: Path, folder: Path, branch: str) -> Worktree:
    """A work tree for a project, which is not made yet.

    Args:
        project: the user's project, also a subfolder of its repository.
        folder: where it is, or will be; its name is to be unique.
        branch: the branch it is on.

    Raises:
        UsageError: the project is in no repository, or in one without a commit.
    """
    repository = find_repository(project)
    if not repository:
        raise UsageError(
            f"{project} is not in a git repository, so a run cannot be isolated",
            "`git init` and commit, or run without --isolate",
        )
    if Git(project).run("rev-parse", "-q", "--verify", "HEAD", allowed=(0, 1)).returncode:
        raise UsageError(
            f"the repository of {project} has no commit, so a run cannot be isolated",
            "commit something, or run without --isolate",
        )
    if (
        repository.prefix
        and Git(project).run("cat-file", "-e", "HEAD:./", allowed=(0, 1, 128)).returncode
    ):
        raise UsageError(
            f"{project} is not in the repository's last commit, so a run cannot be isolated",
            "commit it, or run without --isolate",
        )
    return Worktree(repository, folder, branch)


def list_uncommitted(project: Path) -> tuple[str, ...]:
    """Paths in a project that differ from the last commit, untracked ones included.

    Raises:
        InfrastructureError: git failed.
    """
    records = Git(project).read_output("status", "--porcelain", "-z", "--no-renames", "--", ".")
    return tuple(decode_path(record[3:]) for record in records.split(b"\0") if record)


def _read_identity(git: Git) -> dict[str, str]:
    keys = ("user.name", "user.email")
    known = [git.run("config", key, allowed=(0, 1)).stdout.strip().decode() for key in keys]
    name, email = known if all(known) else _FALLBACK_IDENTITY
    return {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", name), ("EMAIL", email))
    }
