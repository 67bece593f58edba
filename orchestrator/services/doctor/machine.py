"""Check Python, git, and the versions of what the program is made of."""

import platform
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Final

from orchestrator.platform.git_variables import drop_repository_variables
from orchestrator.platform.process import capture
from orchestrator.services.doctor.results import Check, Link, fail, succeed, warn
from orchestrator.services.doctor.subject import Subject
from orchestrator.storage.sqlite_inspection import read_sqlite_version

_OLDEST_PYTHON: Final = (3, 11)
_OWN_PACKAGE: Final = "prompt-learning-loop"
_PACKAGES: Final = ("anthropic", "dbos", "claude-agent-sdk")
_SECONDS: Final = 20.0


def check_python(_subject: Subject) -> Iterator[Check]:
    """Check the Python that runs this program."""
    text = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] < _OLDEST_PYTHON:
        oldest = ".".join(map(str, _OLDEST_PYTHON))
        yield fail(Link.PYTHON, text, f"Python {oldest} or newer is needed")
        return
    yield succeed(Link.PYTHON, text)


def check_git(subject: Subject) -> Iterator[Check]:
    """Check that git runs, and that it reads the project."""
    program = shutil.which("git", path=subject.environment.get("PATH"))
    if program is None:
        yield fail(Link.GIT, "git was not found", "it is not on the PATH", "apt install git")
        return
    env = {**drop_repository_variables(subject.environment), "GIT_OPTIONAL_LOCKS": "0"}
    version = capture([program, "--version"], cwd=subject.project, env=env, timeout=_SECONDS)
    if version.returncode:
        yield fail(Link.GIT, f"{program} does not run", version.text.strip()[:200])
        return
    text = f"{version.text.strip().removeprefix('git version ')} ({program})"
    question = [program, "rev-parse", "--is-inside-work-tree"]
    inside = capture(question, cwd=subject.project, env=env, timeout=_SECONDS)
    if "dubious ownership" in inside.text:
        folder = shlex.quote(str(subject.project))
        yield fail(
            Link.GIT,
            "git does not read this project",
            "its folder belongs to another user",
            f"git config --global --add safe.directory {folder}",
        )
    elif inside.returncode and "not a git repository" in inside.text:
        yield succeed(Link.GIT, f"{text}; the project has no repository, and needs none")
    elif inside.returncode:
        yield fail(Link.GIT, "git cannot read this project", inside.text.strip()[:200])
    elif inside.stdout.strip() != b"true":
        yield warn(Link.GIT, text, "the project's folder is inside of a .git folder")
    else:
        yield succeed(Link.GIT, text)


def check_versions(_subject: Subject) -> Iterator[Check]:
    """Show the versions that a report of a fault needs."""
    own, *others = (f"{name} {_find_version(name)}" for name in (_OWN_PACKAGE, *_PACKAGES))
    yield succeed(Link.VERSIONS, ", ".join((own, *others, f"SQLite {read_sqlite_version()}")))


def _find_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"
