"""The environment in which a project's own programs run. Suite and agent use the same one."""

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

_VIRTUALENV_NAMES: Final = (".venv", "venv")
VIRTUALENV_MARK: Final = "pyvenv.cfg"
"""A file that makes a folder a virtual environment."""

_NOT_PASSED_ON: Final = (
    # macOS sets it for our interpreter; in a child's it would point back at ours.
    "__PYVENV_LAUNCHER__",
    # Our own way to the teacher. (An ANTHROPIC_API_KEY stays: a project's tests may need theirs.)
    "N8N_WEBHOOK_TOKEN",
)


def build_project_environment(
    project: Path, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Give the whole environment for a child that works in `project`.

    A `.venv` or `venv` in the project, or above it up to the top of its git work tree, is active:
    its programs are found first. Without one the user's PATH counts, in the user's order: what
    their shell would run is what runs. Our own programs come last then, so that a project without
    any environment still finds a pytest; they never stand in for what a project's own environment
    lacks, because they would not see the project's packages.

    Args:
        project: an existing directory.
        base: the environment to start from; ours if None.
    """
    given = os.environ if base is None else base
    env = {name: value for name, value in given.items() if name not in _NOT_PASSED_ON}
    path = [part for part in env.get("PATH", os.defpath).split(os.pathsep) if part]
    own = find_virtualenv(project)
    if own:
        _prefer_linked_worktree(project, own, env)
        path.insert(0, str(own / "bin"))
        env["VIRTUAL_ENV"] = str(own)
        env.pop("PYTHONHOME", None)
    elif (ours := sysconfig.get_path("scripts")) not in path:
        path.append(ours)
    env["PATH"] = os.pathsep.join(path)
    return env


_DECISIVE_VARIABLES: Final = re.compile(
    r"(?:PYTHON|PYTEST_)\w*|GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|NAMESPACE)"
)
"""Variables that decide what Python imports, what pytest runs, and where git looks."""


def select_decisive_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a verdict rests on, to be kept for whoever resumes a run."""
    return {n: value for n, value in environment.items() if _DECISIVE_VARIABLES.fullmatch(n)}


def restore_decisive_variables(
    environment: Mapping[str, str], kept: Mapping[str, str]
) -> dict[str, str]:
    """Return an environment with the variables that a verdict rests on as they were kept."""
    others = {n: v for n, v in environment.items() if not _DECISIVE_VARIABLES.fullmatch(n)}
    return {**others, **kept}


def find_virtualenv(project: Path) -> Path | None:
    """Give the nearest virtual environment of a project, if it has one.

    Where the project is in a linked git work tree, the one of the main work tree counts too.
    """
    places = list_virtualenv_candidates(project)
    return next((each for each in places if files.is_file(each / VIRTUALENV_MARK)), None)


def list_virtualenv_candidates(project: Path) -> list[Path]:
    """Return where a virtual environment of a project may be, the one that counts first."""
    chain = files.list_enclosing_folders(project.resolve())
    if main := find_main_worktree(chain[-1]):
        chain += files.list_enclosing_folders(main / project.resolve().relative_to(chain[-1]))
    return [folder / name for folder in chain for name in _VIRTUALENV_NAMES]


def find_main_worktree(top: Path) -> Path | None:
    """Give the main work tree, where `top` is the top of one that `git worktree` linked to it."""
    try:
        link = (top / GIT_FOLDER).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None  # a folder, or nothing
    entry = top / link.removeprefix("gitdir:").strip()
    if entry.parent.name != "worktrees" or entry.parent.parent.name != GIT_FOLDER:
        return None
    return entry.parent.parent.parent.resolve()


def _prefer_linked_worktree(project: Path, virtualenv: Path, env: dict[str, str]) -> None:
    """Let imports find the code of a linked work tree, and not that of the main one.

    A project that is installed as editable is imported from where it was installed: the tests of a
    linked work tree would judge the code of the main one. PYTHONPATH goes before what is installed.
    """
    top = files.find_git_top(project.resolve())
    main = find_main_worktree(top)
    if not main or not virtualenv.is_relative_to(main):
        return
    inside = [
        str(top / folder.relative_to(main))
        for folder in _find_editable_folders(virtualenv)
        if folder.is_relative_to(main) and not folder.is_relative_to(virtualenv)
    ]
    if inside:
        before = [env["PYTHONPATH"]] if env.get("PYTHONPATH") else []
        env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*inside, *before]))


def _find_editable_folders(virtualenv: Path) -> list[Path]:
    """Folders of code that a virtual environment imports from where they are.

    They stand in `.pth` files; some installers write code there instead, and then the place of
    the project is in its `direct_url.json` (PEP 610).
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
        except (ValueError, AttributeError):
            continue
        if editable:
            found.append(root / "src" if files.is_folder(root / "src") else root)
    return [folder.resolve() for folder in found]
