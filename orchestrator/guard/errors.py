"""Turns errors of the operating system, and lost copies, into errors with a hint."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import InfrastructureError


@contextlib.contextmanager
def translate_os_errors(path: Path) -> Iterator[None]:
    """Raise an `InfrastructureError` for an `OSError`.

    Args:
        path: named in the message if the error names no file itself.

    Raises:
        InfrastructureError: the block raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise InfrastructureError(
            f"the tests cannot be guarded: {error.filename or path}: {error.strerror}",
            "make it readable and writable, or free some disk space; then run again",
        ) from error


def build_lost_copy_error(path: Path) -> InfrastructureError:
    """Return the error for a stored copy or manifest that is missing or damaged."""
    return InfrastructureError(
        f"the tests cannot be restored: the stored copies are missing or damaged ({path})",
        "check the tests with git diff, and start a new run",
    )
