"""How `git` is started: nothing inherited, nothing asked, nothing run that a repository brings."""

import os
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
        # Where git itself and its configuration are, and how far it looks upwards: facts about
        # the machine. Every other GIT_ variable would point git somewhere else.
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
    # Files called HEAD, config, objects and refs can be committed anywhere; they are no repository.
    "safe.bareRepository=explicit",
)
_ANY_OWNER: Final = ("safe.directory=*",)

_TIMEOUT_SECONDS: Final = 900.0
"""The first snapshot of a huge folder reads every byte of it."""

_NO_SPACE: Final = (
    "No space left on device",
    "Disk quota exceeded",
    # All that git says in two places when the bytes do not fit.
    "write failure on standard output",
    "unable to write file",
)


def decode_path(path: bytes) -> str:
    r"""A path as text that can be printed and stored; bytes that are not UTF-8 as `\xe9`."""
    return path.decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Git:
    """`git` in one folder, with a controlled environment and configuration.

    Args:
        folder: where it runs.
        environment: variables for this git, beyond the controlled ones.
        config: further settings, as `-c` takes them.
        any_owner: whether a repository may be somebody else's: only where nothing is run that it
            configures, clean filters included.
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
        """Run one git command and give what it printed.

        Args:
            arguments: the command and its arguments.
            stdin: what it reads.
            stdout_file: takes standard output straight to a file.
            allowed: exit codes that are an answer and not a failure.

        Raises:
            InfrastructureError: git is missing, took too long, or failed; the message holds the
                command, the code and the whole of standard error.
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
        """Run one git command and give its standard output."""
        return self.run(*arguments, stdin=stdin).stdout

    def read_line(self, *arguments: str) -> bytes:
        """Run one git command that prints one line, and give the line."""
        return self.read_output(*arguments).removesuffix(b"\n")

    def with_folder(self, folder: Path, **environment: str) -> "Git":
        """The same git in another folder, with further variables."""
        return replace(self, folder=folder, environment={**self.environment, **environment})

    def build_error(
        self, arguments: tuple[str, ...], done: process.ProcessResult
    ) -> InfrastructureError:
        """The error that says what a git command did, in full."""
        command = shlex.join(["git", *arguments])
        stderr = done.stderr.decode("utf-8", "replace").strip()
        if done.ended_by is not EndReason.ITSELF:
            how = f"was ended after {done.seconds:.0f} s"
        else:
            how = f"failed with exit code {done.returncode}"
        hint = f"see what `git status` says in {self.folder}"
        if any(phrase in stderr for phrase in _NO_SPACE):
            hint = "the disk is full: free some space for the state directory, then run again"
        return InfrastructureError(f"`{command}` in {self.folder} {how}: {stderr}", hint)


def _format_settings(values: tuple[str, ...]) -> list[str]:
    return [part for value in values for part in ("-c", value)]


def _build_environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _PASSED_VARIABLES
    }
    kept.pop("LANGUAGE", None)  # it would translate what we read
    return kept | {
        "LC_ALL": "C.UTF-8",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }


def _build_start_error(error: OSError, folder: Path) -> InfrastructureError:
    if not folder.is_dir():
        return InfrastructureError(f"{folder} is not a folder", "check the project's path")
    return InfrastructureError(
        f"git cannot be started: {error.strerror}",
        "install git (Debian: apt install git) and make sure that it is on the PATH",
    )
