"""Log the hook's own errors: it may print nothing, and no exit code may reach the session."""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH110, PTH118, PTH123, PTH202

import os
import time

from orchestrator.storage.location import (
    HOOK_ERROR_LOG,
    HOOKS,
    create_state_folder,
    find_state_directory,
)

_MAX_BYTES = 1 << 20
"""Size above which the log is moved aside, to one older log."""


def find_state_folder() -> str:
    """Return the hook's folder in the state directory.

    Raises:
        OSError: the home directory is unknown.
    """
    return os.path.join(find_state_directory(), HOOKS)


def log_error(error: BaseException) -> None:
    """Log an error of the hook, if that is possible.

    `orchestrator learnings review` mentions the log.
    """
    try:
        path = os.path.join(create_state_folder(HOOKS), HOOK_ERROR_LOG)
        if os.path.exists(path) and os.path.getsize(path) > _MAX_BYTES:
            from orchestrator.platform.atomic import move_path

            move_path(path, f"{path}.1")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        line = f"{utc_now()} {type(error).__name__}: {str(error)[:500]!r}\n"
        with open(os.open(path, flags, 0o600), "wb") as file:
            file.write(line.encode("utf-8", "replace"))
    except OSError:
        pass  # a full disk, or a home that cannot be written: no other channel is left


def utc_now() -> str:
    """Return the current time in the form of the hook's logs."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
