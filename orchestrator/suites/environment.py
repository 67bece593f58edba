"""Build the environment in which a project's own programs run, for suite and agent alike."""

import json
import os
import re
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from orchestrator.platform import files
from orchestrator.platform.folders import GIT_FOLDER
from orchestrator.platform.git_variables import drop_repository_variables
from orchestrator.platform.lane_notes import find_lane
from orchestrator.platform.packages import is_virtualenv

NEW_VIRTUALENV: Final = ".venv"
"""Name of a virtual environment that is made for a project."""
_VIRTUALENV_NAMES: Final = (NEW_VIRTUALENV, "venv", "env")
"""Usual names of a virtual environment, the preferred first."""

_NOT_PASSED_ON: Final = (
    # macOS sets it for this interpreter; a child would start this interpreter instead of its own.
    "__PYVENV_LAUNCHER__",
    # The orchestrator's own secrets. ANTHROPIC_API_KEY is passed on: a project may need it.
    "N8N_API_KEY",
    "N8N_WEBHOOK_TOKEN",
    # With it, whoever reads it can have commands run by every worker at that database.
    "ORCHESTRATOR_DATABASE_URL",
    "ORCHESTRATOR_TEACHER_API_KEY",
)


def drop_own_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what only this program and its teacher may know."""
    return {name: value for name, value in environment.items() if name not in _NOT_PASSED_ON}


def build_project_environment(
    project: Path, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the whole environment for a child process in `project`.

    The virtual environment of the project is active, see `find_virtualenv`: its programs are found
    first. Without one, programs are found in the order of the user's PATH,
    as in the user's shell. This program's own environment is then added at the end, so that a
    project without any environment still finds a pytest. It is not added to a project's own
    environment, because its pytest would not find the project's packages.

    Args:
        project: an existing directory.
        base: the environment to start from; `os.environ` if None.
    """
    given = drop_repository_variables(os.environ if base is None else base)
    env = drop_own_secrets(given)
    path = [part for part in env.get("PATH", os.defpath).split(os.pathsep) if part]
    own = find_virtualenv(project)
    if own:
        _prefer_linked_worktree(project, own, env)
        path.insert(0, str(own / "bin"))
        env["VIRTUAL_ENV"] = str(own)
        env.pop("PYTHONHOME", None)
    elif (scripts := sysconfig.get_path("scripts")) not in path:
        path.append(scripts)
    env["PATH"] = os.pathsep.join(path)
    return env


def build_user_environment(project: Path, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of the user's own programs that start before the user has agreed.

    No program of the project is found by its PATH: a cloned repository may contain a `git` or a
    `bash` of its own, in something that looks like a virtual environment.

    Args:
        project: an existing directory.
        base: the environment to start from; `os.environ` if None.
    """
    env = drop_own_secrets(drop_repository_variables(os.environ if base is None else base))
    top = files.list_enclosing_folders(project.resolve())[-1]
    parts = filter(None, env.get("PATH", os.defpath).split(os.pathsep))
    outside = (part for part in parts if not (project / part).resolve().is_relative_to(top))
    return {**env, "PATH": os.pathsep.join(outside)}


_DECISIVE_VARIABLES: Final = re.compile(r"(?:PYTHON|PYTEST_)\w*")
"""Variables that determine what Python imports and what pytest runs."""


def select_decisive_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a verdict depends on, to be stored until the run is resumed."""
    return {n: value for n, value in environment.items() if _DECISIVE_VARIABLES.fullmatch(n)}


def restore_decisive_variables(
    environment: Mapping[str, str], stored: Mapping[str, str]
) -> dict[str, str]:
    """Return an environment with the stored variables instead of its own decisive ones."""
    others = {n: v for n, v in environment.items() if not _DECISIVE_VARIABLES.fullmatch(n)}
    # An earlier version stored git's variables too.
    return drop_repository_variables({**others, **stored})


def find_virtualenv(project: Path) -> Path | None:
    """Return the nearest virtual environment of a project, or None.

    It has one of the usual names, in the project or above it up to the top of the git work tree, or
    it is the only one in the project, of any name: between several of these the user's PATH
    decides. A linked git work tree without one uses that of the same folder in the main work tree.
    """
    return next(filter(None, map(_find_in_work_tree, _list_same_folders(project))), None)


def _find_in_work_tree(folder: Path) -> Path | None:
    """Return the nearest virtual environment in the work tree of a folder, or None."""
    usual = [each for each in _list_usual_paths(folder) if is_virtualenv(each)]
    if usual and usual[0].parent == folder:
        return usual[0]
    inside = _list_virtualenvs(folder)
    if len(inside) == 1:
        return inside[0]
    return usual[0] if usual else None


def list_virtualenv_candidates(project: Path) -> list[Path]:
    """List where an environment of a usual name may be for a project, the preferred first."""
    folders = _list_same_folders(project)
    return [path for folder in folders for path in _list_usual_paths(folder)]


def _list_same_folders(project: Path) -> list[Path]:
    """List the real folder of a project and, in a linked work tree, that of the main work tree."""
    here = project.resolve()
    top, main = _find_work_trees(here)
    return [here, main / here.relative_to(top)] if main else [here]


def _list_usual_paths(folder: Path) -> list[Path]:
    return [
        above / name for above in files.list_enclosing_folders(folder) for name in _VIRTUALENV_NAMES
    ]


def _list_virtualenvs(project: Path) -> list[Path]:
    """List the virtual environments that are folders of a project, of any name."""
    entries = files.list_folder(project)
    # The guard sees what an agent adds to the project, but not what is behind a new link.
    found = [Path(each.path) for each in entries if files.is_real_folder(each)]
    return sorted(each for each in found if is_virtualenv(each))


def _find_work_trees(project: Path) -> tuple[Path, Path | None]:
    """Return the top of the work tree of a project, and the main work tree if that is a linked one.

    That of a lane is recorded: an agent may have rewritten the lane's `.git` link.

    Args:
        project: a real path, without links.
    """
    if lane := find_lane(project):
        return lane.top, lane.read_main_worktree()
    top = files.find_git_top(project)
    return top, find_main_worktree(top)


def find_main_worktree(top: Path) -> Path | None:
    """Return the main work tree if `top` is the top of a linked one, else None.

    `.git` is a file in a linked work tree: `gitdir: MAIN/.git/worktrees/NAME`.
    """
    try:
        link = (top / GIT_FOLDER).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None  # a folder, or missing
    entry = top / link.removeprefix("gitdir:").strip()
    repository = entry.parent.parent
    if entry.parent.name != "worktrees" or repository.name != GIT_FOLDER:
        return None
    return repository.parent.resolve()


def record_main_worktree(lane: Path, project: Path) -> None:
    """Record which work tree of the user a lane stands for: it is of another repository.

    Then the lane uses the user's virtual environment, as a linked work tree does.

    Args:
        lane: the lane's folder of the project.
        project: the user's folder of the project; nothing is recorded if it does not exist.
    """
    note = find_lane(lane.resolve())
    if note and files.is_folder(project):
        note.record_main_worktree(files.find_git_top(project.resolve()))


def _prefer_linked_worktree(project: Path, virtualenv: Path, env: dict[str, str]) -> None:
    """Set PYTHONPATH so that imports find the code of a linked work tree, not of the main one.

    An editable install is imported from the folder where it was installed, so the tests of a
    linked work tree would test the code of the main one. PYTHONPATH precedes installed packages.
    """
    top, main = _find_work_trees(project.resolve())
    if not main or not virtualenv.is_relative_to(main):
        return
    inside = [
        str(top / folder.relative_to(main))
        for folder in find_editable_folders(virtualenv)
        if folder.is_relative_to(main) and not folder.is_relative_to(virtualenv)
    ]
    if inside:
        before = [env["PYTHONPATH"]] if env.get("PYTHONPATH") else []
        env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*inside, *before]))


def find_editable_folders(virtualenv: Path) -> list[Path]:
    """List the source folders of editable installs in a virtual environment.

    They are in `.pth` files. Some installers write code there instead of a path; then the folder
    of the project is in its `direct_url.json` (PEP 610).
    """
    found = []
    for file in files.find_paths(virtualenv, "lib/python*/site-packages/*.pth"):
        lines = files.read_text(file).splitlines()
        found += [Path(line.strip()) for line in lines if line.startswith("/")]
    for file in files.find_paths(
        virtualenv, "lib/python*/site-packages/*.dist-info/direct_url.json"
    ):
        try:
            origin = json.loads(files.read_text(file))
            editable = origin.get("dir_info", {}).get("editable")
            root = Path(unquote(urlsplit(origin.get("url", "")).path))
        except (ValueError, AttributeError, RecursionError):
            continue
        if editable:
            found.append(root / "src" if files.is_folder(root / "src") else root)
    return [folder.resolve() for folder in found]
