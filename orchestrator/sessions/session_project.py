"""Find the project of a session."""

import os
from functools import lru_cache
from pathlib import Path

from orchestrator.platform import files


@lru_cache(maxsize=4096)
def find_session_project(folder: str) -> str:
    """Return the project of a folder: the top of its git work tree, if it is on this machine.

    Args:
        folder: the folder in which a session started, as it stands in its transcript.
    """
    if not os.path.isabs(folder):  # noqa: PTH117 -- a text
        return folder
    try:
        real = Path(folder).resolve()
        return str(files.find_git_top(real)) if files.is_folder(real) else folder
    except (OSError, RuntimeError, ValueError):
        return folder
