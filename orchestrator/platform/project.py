"""Find the project's folder, and check it before anything in it is read."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform import files, folders
from orchestrator.platform.packages import has_own_tests

CONFIG_FILE: Final = "orchestrator.yaml"
"""The project's configuration, see `orchestrator.config.loading`."""


class ProjectOrigin(Enum):
    """Why a folder is the project."""

    CONFIG = f"nearest {CONFIG_FILE}"
    PACKAGE = "the package at hand, with tests of its own"
    GIT = "top of the git work tree"
    HERE = "the current directory"


@dataclass(frozen=True)
class FoundProject:
    """The project that a folder belongs to."""

    root: Path
    origin: ProjectOrigin


def find_project(folder: Path) -> FoundProject:
    """Return the project that a folder belongs to.

    The nearest `orchestrator.yaml` decides, then a package with tests of its own inside of a git
    work tree, then the top of the work tree. The home folder and `/` are projects only for a
    command that is started right there: their files are everything that the user has.
    """
    here = folder.resolve()
    above = [each for each in _iter_folders(here) if each == here or not _is_everything(each)]
    for each in above:
        if files.is_file(each / CONFIG_FILE):
            return FoundProject(each, ProjectOrigin.CONFIG)
    top = files.find_git_top(here)
    if top not in above or not files.exists(top / folders.GIT_FOLDER):
        return FoundProject(here, ProjectOrigin.HERE)
    for each in above:
        if each != top and has_own_tests(each):
            return FoundProject(each, ProjectOrigin.PACKAGE)
    return FoundProject(top, ProjectOrigin.GIT)


def describe_danger(project: Path) -> str:
    """Return a warning about a project that contains more than a project; empty if it does not."""
    if not _is_everything(project.resolve()):
        return ""
    which = "the root of the file system" if project.resolve() == Path("/") else "your home folder"
    return f"the project is {which}: the agent may change every file in it"


def resolve_project(project: Path) -> Path:
    """Return the project's real path.

    Raises:
        UsageError: it is not a directory, or its path is not UTF-8.
    """
    if not files.exists(project):
        raise UsageError(f"{project} does not exist", "give the project with --project-dir")
    if not files.is_folder(project):
        raise UsageError(f"{project} is not a directory", "give the project with --project-dir")
    try:
        real = project.resolve()
    except FileNotFoundError:  # it still exists under no name
        raise UsageError(
            "the working directory was deleted", "change to another, or give --project-dir in full"
        ) from None
    try:
        str(real).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"the project's path is not UTF-8: {bytes(real)!r}", "rename it"
        ) from None  # JSON and databases could not store it
    return real


def _iter_folders(here: Path) -> Iterator[Path]:
    """Yield a folder and those above it that may belong to the same project.

    In a git work tree these end at its top; elsewhere at a folder that is not this user's alone,
    such as /tmp: somebody else could put a configuration there.
    """
    enclosing = files.list_enclosing_folders(here)
    if files.exists(enclosing[-1] / folders.GIT_FOLDER):
        yield from enclosing
        return
    yield here
    for each in here.parents:
        if _is_everything(each) or not _is_own(each):
            return
        yield each


def _is_everything(folder: Path) -> bool:
    """Return whether a folder is the user's home or the root of the file system."""
    home = os.path.expanduser("~")  # noqa: PTH111 -- no error if it is not known
    return folder in (Path(home).resolve(), Path(folder.anchor))


def _is_own(folder: Path) -> bool:
    """Return whether a folder belongs to this user and is not open to everybody."""
    try:
        status = os.stat(folder)  # noqa: PTH116 -- as in `files`
    except OSError:
        return False
    return status.st_uid == os.geteuid() and not status.st_mode & stat.S_IWOTH
