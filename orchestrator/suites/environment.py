"""The environment in which a project's own programs run. Suite and agent use the same one."""

import os
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_VIRTUALENV_NAMES: Final = (".venv", "venv")


def project_environment(project: Path, base: Mapping[str, str] | None = None) -> dict[str, str]:
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
    env = dict(os.environ if base is None else base)
    # macOS sets it for our interpreter; in a child's it would point back at ours.
    env.pop("__PYVENV_LAUNCHER__", None)
    path = [part for part in env.get("PATH", os.defpath).split(os.pathsep) if part]
    own = virtualenv_of(project)
    if own:
        path.insert(0, str(own / "bin"))
        env["VIRTUAL_ENV"] = str(own)
        env.pop("PYTHONHOME", None)
    elif (ours := sysconfig.get_path("scripts")) not in path:
        path.append(ours)
    env["PATH"] = os.pathsep.join(path)
    return env


def virtualenv_of(project: Path) -> Path | None:
    """Give the nearest virtual environment of a project, if it has one."""
    for folder in _up_to_git_toplevel(project.resolve()):
        for name in _VIRTUALENV_NAMES:
            if (folder / name / "pyvenv.cfg").is_file():
                return folder / name
    return None


def _up_to_git_toplevel(project: Path) -> list[Path]:
    chain = [project, *project.parents]
    for depth, folder in enumerate(chain):
        if (folder / ".git").exists():
            return chain[: depth + 1]
    return [project]
