"""The two projects that the loop is measured on: the example, and a large one."""

import shutil
import subprocess
from pathlib import Path

from benchmarks.machine import ROOT

_MACHINE_MADE = "__pycache__/\n.pytest_cache/\n"


def example(project: Path) -> Path:
    """The example project, as a repository."""
    copy_example(project)
    commit(project)
    return project


def large(project: Path, files: int) -> Path:
    """The example's modules and tests among `files` generated ones."""
    generate(project, files)
    copy_example(project)
    commit(project)
    return project


def copy_example(project: Path) -> None:
    """Put the example's files into a folder."""
    unwanted = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / "example_project", project, ignore=unwanted, dirs_exist_ok=True)


def generate(project: Path, files: int) -> None:
    """Write files of 1 to 4 kB, a hundred to a folder."""
    for number in range(files):
        path = project / f"part{number // 2000}" / f"package{number // 100}" / f"m{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        line = f"value_{number} = {number}  # generated\n"
        path.write_text(line * (30 + number % 90), encoding="utf-8")


def commit(project: Path) -> None:
    """Make a packed repository of a folder, with one commit."""
    (project / ".gitignore").write_text(_MACHINE_MADE, encoding="utf-8")
    git(project, "init", "--quiet")
    git(project, "add", "-A")
    for key, value in (("user.name", "b"), ("user.email", "b@example.org"), ("gc.auto", "0")):
        git(project, "config", key, value)
    git(project, "commit", "-qm", "all")
    git(project, "gc", "--quiet")


def put_back(project: Path) -> None:
    """Take back what a run left in the project."""
    git(project, "reset", "--quiet", "--hard")
    git(project, "clean", "--quiet", "-fd")


def git(project: Path, *arguments: str) -> None:
    """Run git as a shell script would."""
    subprocess.run(["git", *arguments], cwd=project, check=True, stdout=subprocess.DEVNULL)
