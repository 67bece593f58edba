"""Find the state directory."""

# A hook does on each tool call, and pathlib alone takes longer to import than the hook to run.
# ruff: noqa: PTH100, PTH111

import os
import sys

STATE_VARIABLE = "ORCHESTRATOR_STATE_DIR"
RUN_VARIABLE = "ORCHESTRATOR_RUN"
"""Set in the environment of each agent, so that a hook can distinguish the session of a run from a
person's."""
LOCKS = "locks"
HOOKS = "hooks"
PENDING_CALLS = "pending"
HOOK_ERROR_LOG = "trouble.log"
"""Folders in the state directory, and the log of errors in the folder of the hooks."""


def find_state_directory() -> str:
    """Return the state directory: `ORCHESTRATOR_STATE_DIR`, or the platform's default.

    By default it is in `XDG_STATE_HOME` or `~/.local/state`, as the XDG Base Directory
    Specification says, and in `~/Library/Application Support` on macOS.

    Raises:
        OSError: the home directory is unknown.
    """
    chosen = os.environ.get(STATE_VARIABLE)
    if not chosen and sys.platform == "darwin":
        chosen = "~/Library/Application Support/prompt-learning-loop"
    elif not chosen:
        base = os.environ.get("XDG_STATE_HOME", "").strip() or "~/.local/state"
        chosen = f"{base}/prompt-learning-loop"
    path = os.path.expanduser(chosen)
    if path.startswith("~"):
        raise OSError("there is no home directory")  # otherwise a folder named `~` is created
    return os.path.abspath(path)
