"""Make commits, branches and work trees, and read commits, through GitPython.

GitPython's commands are used, not its objects, because its objects

- find the repository by rules of their own: `Repo()` honours neither GIT_CEILING_DIRECTORIES nor
  `safe.bareRepository`, takes GIT_DIR from our environment, and follows a `.git` link that an
  agent may have rewritten;
- know neither SHA-256 nor reftable: every id is asserted to be 40 characters long;
- read objects from a `git cat-file --batch` that runs for as long as the object lives;
- write refs and the index themselves, without git's checks and its `core.sharedRepository`.

Only the commands' `execute` is replaced: GitPython would start git in our process group, with all
of our GIT_ variables, and end it after a timeout by `pgrep` and a kill. Here
`orchestrator.platform.process` starts it, as every other child: with the run's mark, in a process
group of its own, with a deadline.
"""

import contextlib
import io
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import InfrastructureError, LoopError, UsageError
from orchestrator.platform import process
from orchestrator.platform.git_variables import drop_repository_variables
from orchestrator.platform.watchdog import EndReason
from orchestrator.workspace.git import Git, decode_path

if TYPE_CHECKING:
    from git import Git as Commands

# With these options `git log` runs nothing that a repository configures, and prints no colours.
_PLAIN_LOG: Final = ("--no-textconv", "--no-ext-diff", "--no-show-signature", "--no-color")

_EVERY_EXIT_CODE: Final = range(256)

RunGit = Callable[[tuple[str, ...], bytes], process.ProcessResult]
"""Runs git with arguments and standard input; returns the result whatever the exit code."""
BuildError = Callable[[tuple[str, ...], process.ProcessResult], LoopError]
"""Builds the error for a git command that failed."""


@dataclass(frozen=True)
class RepositoryHistory:
    """The repository of one folder: its commits, its branches, its work trees.

    Git itself finds the repository, from the folder upwards. Every method raises
    InfrastructureError if git is missing, and what `build_error` builds if git fails.

    Args:
        run_git: starts git in the folder.
        build_error: explains a failure.
    """

    run_git: RunGit
    build_error: BuildError

    def is_work_tree(self) -> bool:
        """Return whether the folder is in a work tree."""
        return self._call("rev-parse", "--is-inside-work-tree", allowed=(0, 128)) == b"true"

    def find_top(self) -> Path:
        """Return the top folder of the work tree."""
        return Path(os.fsdecode(self._call("rev-parse", "--show-toplevel")))

    def find_git_path(self, name: str) -> Path:
        """Return where git has a file of its own, such as `MERGE_HEAD`; relative to the folder."""
        return Path(os.fsdecode(self._call("rev-parse", "--git-path", name)))

    def resolve_commit(self, name: str) -> str:
        """Return the id of the commit that a name stands for.

        The name may be a ref, such as `refs/heads/main`, or `HEAD`.
        """
        return self._call("rev-parse", "--verify", name).decode("ascii")

    def has_commit(self, name: str) -> bool:
        """Return whether a name stands for a commit; `HEAD` does not before the first one."""
        return bool(self._call("rev-parse", "-q", "--verify", name, allowed=(0, 1)))

    def has_readable_commit(self, name: str) -> bool:
        """Return whether a name stands for a commit, and the repository is not half made."""
        return bool(self._call("rev-parse", "-q", "--verify", name, allowed=(0, 1, 128)))

    def has_path(self, name: str) -> bool:
        """Return whether there is a file or a folder of a commit, by its name `COMMIT:PATH`."""
        status, _, _ = self._execute("cat-file", "-e", name, allowed=(0, 1, 128))
        return status == 0

    def read_file(self, name: str) -> bytes:
        """Return a file's bytes in a commit by its name `COMMIT:PATH`; empty if it is not there."""
        _, content, _ = self._execute("cat-file", "blob", name, allowed=(0, 128))
        return content

    def read_patches(self, revisions: str, pattern: str, paths: Sequence[Path]) -> bytes:
        """Return the patches of all commits that added or removed a line with a pattern.

        Args:
            revisions: where to start: `HEAD`, or `--all` for every branch, tag and stash.
            pattern: a regular expression, as `git log -G` takes it.
            paths: the files to look at, there or not.
        """
        # `-m`, because a stash is a merge commit, and a merge shows no patch by itself.
        options = ("-m", "-p", "-U0", "--format=", "-G", pattern, *_PLAIN_LOG)
        return self._call("log", *options, revisions, "--", *map(str, paths))

    def find_commit_time(self, path: Path) -> int | None:
        """Return when a file was last committed, in seconds since 1970; None if it never was."""
        options = ("-1", "--format=%ct", "--no-show-signature")
        printed = self._call("log", *options, "--", str(path))
        return int(printed) if printed else None

    def list_changed_paths(self, commit: str, pathspecs: Iterable[str]) -> tuple[str, ...]:
        """Return the paths of the work tree that differ from a commit; none that is gone."""
        options = ("--name-only", "-z", "--no-renames", "--diff-filter=d")
        return _split_paths(self._call("diff", *options, commit, "--", *pathspecs))

    def list_untracked_paths(self, pathspecs: Iterable[str]) -> tuple[str, ...]:
        """Return the paths that git neither tracks nor ignores."""
        options = ("-z", "--others", "--exclude-standard")
        return _split_paths(self._call("ls-files", *options, "--", *pathspecs))

    def list_uncommitted_paths(self) -> tuple[str, ...]:
        """Return the folder's paths that differ from the last commit, untracked ones included."""
        printed = self._call("status", "--porcelain", "-z", "--no-renames", "--", ".")
        # A record is `XY path`: two letters that say what has changed, and a space.
        return tuple(decode_path(record[3:]) for record in printed.split(b"\0") if record)

    def read_status(self, pathspec: str) -> str:
        """Return what `git status --porcelain` prints of some paths; empty if they are clean."""
        return _decode(self._call("status", "--porcelain", "--", pathspec))

    def is_tracked(self, pathspec: str) -> bool:
        """Return whether the index has such a path."""
        return bool(self._call("ls-files", "--", pathspec))

    def is_ignored(self, path: Path) -> bool:
        """Return whether git ignores a path, which need not exist."""
        return bool(self._call("check-ignore", "--", str(path), allowed=(0, 1)))

    def has_conflicts(self) -> bool:
        """Return whether the index has files that are not merged."""
        return bool(self._call("ls-files", "--unmerged"))

    def read_setting(self, name: str) -> str:
        """Return a value of git's configuration; empty if it is not set."""
        return _decode(self._call("config", name, allowed=(0, 1)).strip())

    def require_identity(self) -> None:
        """Fail if git does not know who the author and the committer of a commit would be."""
        for variable in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            self._call("var", variable)

    def stage(self, *arguments: str) -> None:
        """Add to the index what the arguments of `git add` select."""
        self._call("add", *arguments)

    def commit_paths(self, pathspecs: Sequence[str], message: str) -> str:
        """Commit some paths, as a person would, and nothing else that is staged.

        Returns:
            The short id of the commit.
        """
        self._call("commit", "--quiet", "--only", "-m", message, "--", *pathspecs)
        return self._call("rev-parse", "--short", "HEAD").decode("ascii")

    def commit_index(self, message: str) -> str:
        """Commit the index on top of HEAD, which stays where it is. No hook is run.

        Returns:
            The id of the commit; that of HEAD if the index is the same.
        """
        head, tree = self.resolve_commit("HEAD"), self._call("write-tree").decode("ascii")
        if tree == self.resolve_commit("HEAD^{tree}"):
            return head
        # `commit-tree` and not `commit`: it knows neither hooks nor `commit.gpgSign`.
        text = message.encode("utf-8", "replace")
        return self._call("commit-tree", tree, "-p", head, "-F", "-", stdin=text).decode("ascii")

    def reset_paths(self, commit: str, pathspecs: Sequence[str]) -> None:
        """Set paths in the index to what they are in a commit; the files stay as they are."""
        self._call("reset", "-q", commit, "--", *pathspecs)

    def set_ref(self, ref: str, commit: str) -> None:
        """Point a ref at a commit; the ref is created if it does not exist."""
        self._call("update-ref", ref, commit)

    def add_worktree(self, folder: Path, branch: str, commit: str) -> None:
        """Make a work tree on a branch that starts at a commit, replacing both if they exist."""
        # Forced twice: once for a branch that is checked out elsewhere, once for an entry that is
        # locked, which is what a `git worktree add` that was killed leaves behind.
        options = ("-q", "-f", "-f", "--no-guess-remote", "-B", branch)
        self._call("worktree", "add", *options, str(folder), commit)

    def remove_worktree(self, folder: Path) -> None:
        """Remove a work tree, whatever is in it, also a locked one."""
        self._call("worktree", "remove", "--force", "--force", str(folder))

    def delete_branch(self, branch: str) -> None:
        """Delete a branch, merged or not."""
        self._call("branch", "-q", "-D", branch)

    def _call(self, *arguments: str, stdin: bytes = b"", allowed: Collection[int] = (0,)) -> bytes:
        """Run a git command, and return what it printed without the final newline."""
        _, printed, _ = self._execute(*arguments, stdin=stdin, allowed=allowed)
        return printed.removesuffix(b"\n")

    def _execute(
        self, *arguments: str, stdin: bytes = b"", allowed: Collection[int] = (0,)
    ) -> tuple[int, bytes, str]:
        command, *rest = arguments
        status, printed, errors = getattr(self._commands, command.replace("-", "_"))(
            *rest,
            istream=io.BytesIO(stdin),
            with_extended_output=True,
            with_exceptions=False,  # its GitCommandError has no place for "1 is an answer too"
            stdout_as_string=False,  # a path or a file need not be UTF-8
            strip_newline_in_stdout=False,  # it would take a newline from a file's content
        )
        if status not in allowed:
            done = process.ProcessResult(
                ("git", *arguments), status, printed, errors.encode(), 0.0, EndReason.ITSELF
            )
            raise self.build_error(arguments, done)
        return status, printed, errors

    @cached_property
    def _commands(self) -> "Commands":
        return _load_command_class()(self.run_git)


def open_private_history(git: Git) -> RepositoryHistory:
    """Open a repository for commits of the program: no hook, no editor, nothing is signed.

    `orchestrator.workspace.git` sets the environment and the configuration.
    """

    def run_git(arguments: tuple[str, ...], stdin: bytes) -> process.ProcessResult:
        return git.run(*arguments, stdin=stdin, allowed=_EVERY_EXIT_CODE)

    return RepositoryHistory(run_git, git.build_error)


def open_user_history(folder: Path) -> RepositoryHistory:
    """Open a repository for commits in the user's name: their hooks, signature and settings.

    A command that git refuses is a UsageError, because the user decides what their repository
    accepts.
    """

    def run_git(arguments: tuple[str, ...], stdin: bytes) -> process.ProcessResult:
        try:
            return process.capture(
                ["git", *arguments], cwd=folder, env=_build_user_environment(), stdin=stdin
            )
        except OSError as error:
            raise InfrastructureError(f"git cannot be started: {error}", "install git") from error

    return RepositoryHistory(run_git, _build_refusal)


def _build_user_environment() -> Mapping[str, str]:
    # Called by a hook of `git commit`, we would inherit its index, which is not the user's.
    inherited = drop_repository_variables(os.environ)
    # Nobody answers a question: messages are parsed, and an editor would wait for ever.
    return inherited | {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}


def _build_refusal(arguments: tuple[str, ...], done: process.ProcessResult) -> UsageError:
    reason = " ".join(done.stderr.decode("utf-8", "replace").split())
    return UsageError(f"git {arguments[0]} refuses: {reason}", "see `git status`")


def _split_paths(printed: bytes) -> tuple[str, ...]:
    return tuple(decode_path(path) for path in printed.split(b"\0") if path)


def _decode(printed: bytes) -> str:
    return printed.decode("utf-8", "replace")


@contextlib.contextmanager
def _prevent_version_check() -> Iterator[None]:
    """Keep GitPython from starting git while it is imported.

    It would run `git version` twice: without a deadline, with all GIT_ variables, and as whatever
    program GIT_PYTHON_GIT_EXECUTABLE names. A file that is no program ends that at once.
    """
    chosen = {"GIT_PYTHON_GIT_EXECUTABLE": os.devnull, "GIT_PYTHON_REFRESH": "quiet"}
    before = {name: os.environ.get(name) for name in chosen}
    os.environ.update(chosen)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@cache
def _load_command_class() -> "Callable[[RunGit], Commands]":
    """Import GitPython, and return its command class with our way of starting git.

    The import takes 0.1 s, so it is not done before a command is run.

    Raises:
        InfrastructureError: GitPython cannot be imported.
    """
    try:
        with _prevent_version_check():
            from git import Git as Commands
    except ImportError as error:
        reason = str(error).strip().splitlines()[0]
        raise InfrastructureError(
            f"GitPython cannot be imported: {reason}",
            "install this program again; a module called `git` elsewhere may hide GitPython",
        ) from error

    class BoundedCommands(Commands):
        """GitPython's commands; the children are those of `orchestrator.platform.process`."""

        def __init__(self, run_git: RunGit) -> None:
            super().__init__()
            self.run_git = run_git

        def execute(self, command: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401
            if args or options.get("as_process") or not options.get("with_extended_output"):
                raise NotImplementedError("only calls that wait, and want the exit code")
            # The first word is the program that GitPython would start.
            done = self.run_git(tuple(command[1:]), options["istream"].read())
            return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")

    return BoundedCommands
