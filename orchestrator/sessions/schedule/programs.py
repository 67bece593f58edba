"""Start the programs of a scheduler: `systemctl`, `loginctl`, `launchctl`, `crontab`."""

import os
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.masking import mask_text
from orchestrator.platform.process import ProcessResult, capture

_PATIENCE: Final = 30.0
_LONGEST_MESSAGE: Final = 300


def ask_program(*command: str, stdin: bytes = b"") -> ProcessResult | None:
    """Run a program and return its result; None if it is missing, or may not be started.

    It prints its messages in English, by which some of them are recognized.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return capture(command, cwd=Path("/"), env=environment, stdin=stdin, timeout=_PATIENCE)
    except OSError:
        return None


def run_program(*command: str, stdin: bytes = b"") -> ProcessResult:
    """Run a program that has to succeed.

    Raises:
        InfrastructureError: it is missing, or it failed; the message has what it printed.
    """
    done = ask_program(*command, stdin=stdin)
    if done is None:
        raise InfrastructureError(f"{command[0]} cannot be started", "check your PATH")
    if done.returncode:
        raise InfrastructureError(
            f"`{' '.join(command)}` failed: {describe_output(done)}",
            "repeat it yourself, or choose another scheduler with --with",
        )
    return done


def describe_output(done: ProcessResult) -> str:
    """Return what a program printed, masked, on one line and short."""
    text = " ".join(mask_text(done.text).split())
    return text[:_LONGEST_MESSAGE] or f"exit code {done.returncode}"
