"""Removes the cached bytecode of a project's own files before a verdict.

A cache made by hand runs in place of its source, and Python tells a stale one by size and whole
seconds only. PYTHONPYCACHEPREFIX would keep Python away from all caches, also from those of the
installed packages: each run of the suite would compile the whole environment anew.
"""

import os
from collections.abc import Collection
from pathlib import Path


def drop_project_bytecode(project: Path, environments: Collection[str]) -> None:
    """Remove the bytecode of all files of a project, pytest's own included.

    Args:
        project: the project's folder.
        environments: names of folders that are Python environments, whose bytecode stays.

    Raises:
        OSError: one cannot be removed.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            listed = list(os.scandir(project / folder))
        except (PermissionError, FileNotFoundError):
            continue
        below = f"{folder}/" if folder else ""
        inside_cache = folder.rpartition("/")[2] == "__pycache__"
        for item in listed:
            if item.is_dir(follow_symlinks=False):
                name = below + item.name
                if item.name not in (".git", "node_modules") and name not in environments:
                    folders.append(name)
            elif inside_cache and item.name.endswith(".pyc"):
                Path(item.path).unlink(missing_ok=True)
