"""Find the project of a session."""

import os
from functools import lru_cache
from pathlib import Path

from orchestrator.platform import files
from orchestrator.platform.folders import GIT_FOLDER
from orchestrator.platform.project import find_project


@lru_cache(maxsize=4096)
def find_session_project(folder: str) -> str:
    """Return the project of a folder, as for a run there: mostly the top of its git work tree.

    A work tree that `git worktree` made belongs to the project of the main one: people work there
    for a while, and what is learned has to outlive it. So does a folder that is gone, if there is
    a work tree above it still.

    Args:
        folder: the folder in which a session started, as it stands in its transcript.
    """
    if not os.path.isabs(folder):  # noqa: PTH117 -- a text
        return folder
    try:
        real = Path(folder).resolve()
        is_there = files.is_folder(real)
        found = find_project(real if is_there else _find_existing(real))
        top = files.find_git_top(found.root)
        is_in_git = files.exists(top / GIT_FOLDER)
        if not is_there and not is_in_git:
            return folder
        main = _find_main_work_tree(top) if is_in_git else None
        return str(main / found.root.relative_to(top) if main else found.root)
    except (OSError, RuntimeError, ValueError):
        return folder


def _find_existing(folder: Path) -> Path:
    """Return the nearest folder above one that is gone."""
    return next(each for each in folder.parents if files.is_folder(each))


def _find_main_work_tree(top: Path) -> Path | None:
    """Return the main work tree of one that `git worktree` made; None for any other.

    Its `.git` is a file that names `<main>/.git/worktrees/<name>`, which names it in turn: a file
    that somebody has put there names what is not its own.
    """
    if not files.is_file(top / GIT_FOLDER):
        return None
    named = files.read_text(top / GIT_FOLDER).partition("gitdir:")[2].strip()
    folder = (top / named).resolve()
    back = files.read_text(folder / "gitdir").strip()
    main = folder.parent.parent.parent
    is_linked = folder.parent.name == "worktrees" and folder.parent.parent.name == GIT_FOLDER
    is_own = bool(back) and Path(back).resolve() == (top / GIT_FOLDER).resolve()
    return main if named and is_linked and is_own and files.is_folder(main) else None
