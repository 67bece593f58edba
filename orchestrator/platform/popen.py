"""Start a program: the one module that uses `subprocess`.

Each program gets a session of its own, no shell, and nothing to read unless it is given a pipe.
"""

import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from orchestrator.platform import files
from orchestrator.platform.children import start_registered, start_unowned
from orchestrator.platform.git_variables import drop_repository_variables
from orchestrator.platform.parent_watch import ensure_parent_watch

Popen = subprocess.Popen[bytes]


def start_process(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None,
    stdin: bool,
    stdout: IO[bytes] | None = None,
    pass_descriptors: Sequence[int] = (),
) -> Popen:
    """Start a program and register it with the children of this thread's run.

    If this process is killed, `parent_watch` ends what was started.

    Args:
        argv: program and arguments.
        cwd: its working directory.
        env: its whole environment; if None, the one of this process, without the variables by
            which git refers to the caller's repository.
        stdin: whether it gets a pipe to read from.
        stdout: the file for its standard output; a pipe if None.
        pass_descriptors: open files that it inherits.

    Raises:
        FileNotFoundError: there is no such program, or no such folder.
        PermissionError: the program or the folder may not be used.
    """
    arguments = [_encode_argument(each) for each in argv]
    if env is None:
        env = drop_repository_variables(os.environ)

    def start() -> Popen:
        return subprocess.Popen(
            arguments,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=tuple(pass_descriptors),
        )

    ensure_parent_watch(_start_watch)
    try:
        return start_registered(start)
    except OSError as error:
        if error.filename != arguments[0]:
            raise  # it is about the folder
        if missing := _find_missing_file(error, argv[0], cwd, env):
            raise missing from error
        raise


def run_in_foreground(argv: Sequence[str]) -> int:
    """Run a program that a person works with in this terminal, such as an editor.

    Returns:
        its exit code; minus the number of the signal that ended it.

    Raises:
        OSError: it cannot be started.
    """
    with subprocess.Popen([_encode_argument(each) for each in argv]) as program:
        return program.wait()


def _start_watch(argv: Sequence[str], env: Mapping[str, str]) -> Popen:
    """Start the program that watches this process; it holds none of our files open."""
    return start_unowned(
        lambda: subprocess.Popen(
            argv,
            cwd="/",
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
    )


def _find_missing_file(
    error: OSError, program: str, cwd: Path, env: Mapping[str, str] | None
) -> FileNotFoundError | None:
    """Return the error that names what is missing; None if the program could be found."""
    # Python raises the worst error of its search of the PATH, such as "permission denied" for a
    # folder of another user, although the result of the search is that there is no such program.
    if not _has_program(program, cwd, env):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)
    # The kernel says "no such file" of a script that exists, and means its interpreter.
    if error.errno == errno.ENOENT:
        reason = "its interpreter (first line) was not found"
        return FileNotFoundError(errno.ENOENT, reason, program)
    return None


def _encode_argument(argument: str) -> str | bytes:
    """Return an argument unchanged, or as UTF-8 where the locale's encoding lacks a character."""
    try:
        os.fsencode(argument)
    except UnicodeEncodeError:
        return argument.encode("utf-8", "surrogateescape")
    return argument


def _has_program(program: str, cwd: Path, env: Mapping[str, str] | None) -> bool:
    """Return whether a file exists at the program's path or on the PATH, executable or not."""
    if "/" in program:
        return os.path.lexists(cwd / program)
    return any(files.is_file(cwd / folder / program) for folder in os.get_exec_path(env))


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process group; one that is gone, or may not be signalled, is skipped."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def wait_at_most(popen: Popen, seconds: float) -> None:
    """Wait for the end of a process, but not for longer."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        popen.wait(seconds)


def communicate(popen: Popen, data: bytes, seconds: float) -> tuple[bytes, bytes, bool]:
    """Write all input, read all output, and wait for the end; kill the group on a timeout.

    Returns:
        Standard output, standard error, and whether time was up.
    """
    try:
        out, err = popen.communicate(data or None, seconds)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGKILL)
        out, err = popen.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        return out or b"", err, True
    return out or b"", err, False
