"""Start `git` so that it inherits nothing, asks nothing, and runs nothing of the repository."""

import os
import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform import process
from orchestrator.platform.watchdog import EndReason

_PASSED_VARIABLES: Final = frozenset(
    {
        # Facts about the machine: where git and its configuration are, and how far up git looks
        # for a repository. Every other GIT_ variable would direct git to another repository.
        "GIT_CEILING_DIRECTORIES",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        "GIT_EXEC_PATH",
    }
)

_HARMLESS: Final = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.untrackedCache=false",
    # Anybody can commit files called HEAD, config, objects and refs, and git would take the folder
    # for a bare repository and obey its configuration.
    "safe.bareRepository=explicit",
)
_ANY_OWNER: Final = ("safe.directory=*",)

_TIMEOUT_SECONDS: Final = 900.0
"""The first snapshot of a huge folder reads every byte of it."""

_CLOSED: Final = re.compile(rb"^warning: could not open directory '(.+)': ", re.MULTILINE)

_NO_SPACE: Final = (
    "No space left on device",
    "Disk quota exceeded",
    # In two places git prints only this when the disk is full, without the system's reason.
    "write failure on standard output",
    "unable to write file",
)


def decode_path(path: bytes) -> str:
    r"""Return a path as printable text, with bytes that are not UTF-8 escaped as `\xe9`."""
    return path.decode("utf-8", "backslashreplace")


def find_closed_folders(stderr: bytes) -> set[bytes]:
    """Return the folders that git could not open; it skips them with exit code 0."""
    return set(_CLOSED.findall(stderr))


def build_write_error(error: OSError, path: Path) -> InfrastructureError:
    """Return the error for a file in the state directory that cannot be written."""
    return InfrastructureError(
        f"{error.filename or path} cannot be written: {error.strerror}",
        "check that the state directory is writable and has space",
    )


@dataclass(frozen=True)
class Git:
    """`git` in one folder, with a controlled environment and configuration.

    Args:
        folder: the working directory.
        environment: variables in addition to the controlled ones.
        config: additional settings, as `-c` takes them.
        any_owner: whether the repository may belong to another user. Safe only if nothing is run
            that it configures, clean filters included.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    config: tuple[str, ...] = ()
    any_owner: bool = True

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        stdout_file: Path | None = None,
        allowed: Collection[int] = (0,),
    ) -> process.ProcessResult:
        """Run one git command and return its result.

        Args:
            arguments: the command and its arguments.
            stdin: standard input.
            stdout_file: the file that standard output is written to, without holding it in memory.
            allowed: exit codes that are an answer, not a failure.

        Raises:
            InfrastructureError: git is missing, took too long, or failed; the message has the
                command, the exit code and all of standard error.
            OSError: `stdout_file` cannot be written.
        """
        owner = _ANY_OWNER if self.any_owner else ()
        argv = ["git", *_format_settings((*_HARMLESS, *owner, *self.config)), *arguments]
        try:
            done = process.capture(
                argv,
                cwd=self.folder,
                env={**_build_environment(), **self.environment},
                stdin=stdin,
                stdout_file=stdout_file,
                timeout=_TIMEOUT_SECONDS,
            )
        except OSError as error:
            if stdout_file and error.filename == str(stdout_file):
                raise
            raise _build_start_error(error, self.folder) from error
        if done.returncode not in allowed or done.ended_by is not EndReason.ITSELF:
            raise self.build_error(arguments, done)
        return done

    def read_output(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run one git command and return its standard output."""
        return self.run(*arguments, stdin=stdin).stdout

    def read_line(self, *arguments: str) -> bytes:
        """Run one git command that prints one line, and return the line without its end."""
        return self.read_output(*arguments).removesuffix(b"\n")

    def with_folder(self, folder: Path, **environment: str) -> "Git":
        """Return the same git for another folder, with additional variables."""
        return replace(self, folder=folder, environment={**self.environment, **environment})

    def build_error(
        self, arguments: tuple[str, ...], done: process.ProcessResult
    ) -> InfrastructureError:
        """Return the error for a git command that failed, with all of its standard error."""
        command = shlex.join(["git", *arguments])
        stderr = done.stderr.decode("utf-8", "replace").strip()
        if done.ended_by is not EndReason.ITSELF:
            outcome = f"was stopped after {done.seconds:.0f} s"
        else:
            outcome = f"failed with exit code {done.returncode}"
        hint = f"run `git status` in {self.folder}"
        if any(phrase in stderr for phrase in _NO_SPACE):
            hint = "the disk is full: free some space for the state directory, then run again"
        return InfrastructureError(f"`{command}` in {self.folder} {outcome}: {stderr}", hint)


def open_without_filters(folder: Path) -> Git:
    """Return git for a folder whose repository must not have its own filters run.

    An unpacked archive may bring a `.git/config` that names programs. Filters of the user's own
    configuration, such as that of Git LFS, still run. A repository of another user is refused.

    Raises:
        InfrastructureError: git is missing, or cannot read its configuration.
    """
    git = Git(folder, any_owner=False)
    listing = ("config", "-z", "--show-scope", "--name-only", "--get-regexp", r"^filter\.")
    words = git.run(*listing, allowed=(0, 1)).stdout.split(b"\0")[:-1]
    named = zip(words[::2], words[1::2], strict=True)
    own = {name.rpartition(b".")[0] for scope, name in named if scope in (b"local", b"worktree")}
    settings = [
        (f"{os.fsdecode(driver)}.{name}", value)
        for driver in sorted(own)
        for name, value in (("clean", ""), ("process", ""), ("required", "false"))
    ]
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return git.with_folder(folder, **variables)


def _format_settings(values: tuple[str, ...]) -> list[str]:
    return [part for value in values for part in ("-c", value)]


def _build_environment() -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _PASSED_VARIABLES
    }
    inherited.pop("LANGUAGE", None)  # it outranks LC_ALL, and would translate the output we parse
    return inherited | {
        "LC_ALL": "C.UTF-8",
        "GIT_OPTIONAL_LOCKS": "0",  # `git status` would refresh, and lock, the user's index
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",  # reading a partial clone would go to the network
        "GIT_NO_REPLACE_OBJECTS": "1",
    }


def _build_start_error(error: OSError, folder: Path) -> InfrastructureError:
    if not folder.is_dir():
        return InfrastructureError(f"{folder} is not a folder", "check the project's path")
    return InfrastructureError(
        f"git cannot be started: {error.strerror}",
        "install git (Debian: apt install git) and make sure that it is on the PATH",
    )
