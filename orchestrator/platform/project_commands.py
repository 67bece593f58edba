"""Write commands so that they work where the person stands: in the project, or elsewhere."""

import shlex
from pathlib import Path

from orchestrator.platform import files
from orchestrator.platform.project import find_project


def format_project_command(arguments: str, project: Path) -> str:
    """Return a command of this program that works on a project, from the current folder.

    Args:
        arguments: the command with its arguments: `rules add`.
        project: the project's real path.
    """
    here = _find_current_folder()
    is_here = here is not None and find_project(here).root == project
    option = "" if is_here else f" --project-dir {shlex.quote(str(project))}"
    return f"orchestrator {arguments}{option}"


def format_git_command(arguments: str, project: Path) -> str:
    """Return a command of git that works on a project's repository, from the current folder.

    Args:
        arguments: the command with its arguments: `diff`.
        project: the real path of a folder in the repository.
    """
    here = _find_current_folder()
    is_here = here is not None and files.find_git_top(here) == files.find_git_top(project)
    folder = "" if is_here else f"-C {shlex.quote(str(project))} "
    return f"git {folder}{arguments}"


def _find_current_folder() -> Path | None:
    try:
        return Path.cwd().resolve()
    except OSError:  # it was removed
        return None
