"""Where the state directory is."""

# A hook asks on each tool call, and pathlib alone takes longer to import than the hook to run.
# ruff: noqa: PTH100, PTH111

import os
import sys

STATE_VARIABLE = "ORCHESTRATOR_STATE_DIR"
RUN_VARIABLE = "ORCHESTRATOR_RUN"
"""Set in the environment of each agent, so that a hook can tell a session of a run from a
person's."""
LOCKS = "locks"
HOOKS = "hooks"
HOOK_ERROR_LOG = "trouble.log"
"""Folders in it, and the hooks' own log in theirs."""


def find_state_directory() -> str:
    """Return the state directory: `ORCHESTRATOR_STATE_DIR`, or where the platform keeps such.

    That is `XDG_STATE_HOME` or `~/.local/state` by the XDG Base Directory Specification, and
    `~/Library/Application Support` on macOS.

    Raises:
        OSError: nobody says where the home directory is.
    """
    chosen = os.environ.get(STATE_VARIABLE)
    if not chosen and sys.platform == "darwin":
        chosen = "~/Library/Application Support/prompt-learning-loop"
    elif not chosen:
        base = os.environ.get("XDG_STATE_HOME", "").strip() or "~/.local/state"
        chosen = f"{base}/prompt-learning-loop"
    path = os.path.expanduser(chosen)
    if path.startswith("~"):
        raise OSError("there is no home directory")  # and a folder called `~` would be made
    return os.path.abspath(path)
