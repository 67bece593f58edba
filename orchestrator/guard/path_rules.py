"""Which files are guarded, by their path alone.

Two kinds: tests, of which only those that exist when an attempt begins are guarded, and what
steers tests, where a new file counts as much as a changed one.
"""

import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.suites.environment import project_environment, virtualenv_of


class Kind(StrEnum):
    """Why a file is guarded."""

    TEST = "test"
    STEERING = "steering"


_TEST_FILE: Final = re.compile(
    r"test_.*\.py|.*_test\.py|tests\.py|.*[._](?:test|spec)\.(?:[cm]?[jt]sx?)|.*_test\.(?:go|rb|exs)"
    r"|.*_spec\.rb|.*Tests?\.(?:java|kt|cs|php)|.*\.(?:bats|snap)"
)

_TEST_FOLDERS: Final = frozenset({"test", "tests", "__tests__", "spec", "testing"})
"""Of such a folder everything is guarded, if there are tests in it."""

_STEERING: Final = frozenset(
    {
        *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"),
        *("pyproject.toml", "tox.ini", "setup.cfg", ".coveragerc", ".env"),
        *("sitecustomize.py", "usercustomize.py"),
    }
)

_BY_COMMAND: Final[Mapping[str, frozenset[str]]] = {
    "make": frozenset({"Makefile", "makefile", "GNUmakefile"}),
    "gmake": frozenset({"Makefile", "makefile", "GNUmakefile"}),
    "nox": frozenset({"noxfile.py"}),
    "just": frozenset({"justfile", "Justfile", ".justfile"}),
    "task": frozenset({"Taskfile.yml", "Taskfile.yaml"}),
    "invoke": frozenset({"tasks.py"}),
    "npm": frozenset({"package.json"}),
    "npx": frozenset({"package.json"}),
    "pnpm": frozenset({"package.json"}),
    "yarn": frozenset({"package.json"}),
}

_MACHINERY: Final = frozenset(
    {
        *("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments", "xdist"),
        *("unittest", "doctest", "argparse", "ast", "bdb", "builtins", "contextlib", "dataclasses"),
        *("difflib", "fnmatch", "functools", "glob", "importlib", "inspect", "json", "logging"),
        *("pathlib", "pdb", "pprint", "shlex", "shutil", "subprocess", "tempfile", "tomllib"),
        *("traceback", "warnings", "xml", "zipfile"),
    }
)
"""What pytest imports. A module of this name in a folder on Python's path takes its place."""

_RUNNERS: Final = frozenset({"pytest", "_pytest", "py", "pluggy", "iniconfig", "unittest"})
_REPLACEABLE: Final = {"": _MACHINERY, "src": _MACHINERY, "test": _RUNNERS, "tests": _RUNNERS}
"""By folder: `python -m`, pytest's `pythonpath` and its rootdir put these on Python's path."""

_IN_VIRTUALENV: Final = re.compile(
    r"pyvenv\.cfg|bin/(?:pytest|py\.test|python[\d.]*|sh|bash|make|tox|nox|coverage)"
    r"|lib(?:64)?/[^/]+/site-packages/(?:[^/]+\.pth|(?:site|user)customize\.py"
    r"|(?:pytest|py)\.py|(?:_pytest|pytest|pluggy)/.+\.py|[^/]+\.(?:dist|egg)-info/entry_points\.txt)"
)
"""What in a project's own environment decides how pytest works."""

_PLUGINS: Final = (
    re.compile(r"(?:^|[\s\"'\[,])-p[\s=\"',]*(?!no:)([A-Za-z_][\w.]*)"),
    re.compile(r"pytest_plugins\s*(?::[^=\n]+)?=\s*([^\n]*(?:\n[ \t\])][^\n]*)*)"),
    re.compile(r"pytest11[^\n]*\n((?:[ \t]*[\w.-]+\s*=[^\n]*\n?)+)"),
)
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Watch:
    """The rules for one project and its suite's command.

    Args:
        project: the project's directory.
        named: files that the command runs or reads, and plugins that the project names.
        steering: names of files that steer this suite, wherever they lie.
        programs: paths at which a program of the command would be found inside the project.
        virtualenvs: folders that are, or would be taken for, the project's environment.
    """

    project: Path
    named: frozenset[str]
    steering: frozenset[str]
    programs: frozenset[str]
    virtualenvs: frozenset[str]

    def steers(self, path: str) -> bool:
        """Whether a file of this path, old or new, decides which tests run and how."""
        for folder in self._foreign_folders:
            if path.startswith(folder):
                return _IN_VIRTUALENV.fullmatch(path, len(folder)) is not None
        inside, _, name = path.rpartition("/")
        return (
            name in self.steering
            or name.endswith(".pth")
            or path in self.named
            or path in self.programs
            or _replaces_machinery(inside, name)
        )

    def enters(self, folder: str) -> bool:
        """Whether anything below a folder can be guarded."""
        pure = PurePosixPath(folder)
        for own in self.virtualenvs:
            if pure.is_relative_to(own):
                below = pure.relative_to(own).parts
                return below[:1] in ((), ("bin",), ("lib",), ("lib64",)) and (
                    len(below) < 4 or below[3].endswith("-info") or below[3] in _RUNNERS
                )
        return pure.name not in _NEVER_ENTERED

    def foreign(self, path: str) -> bool:
        """Whether a file belongs to an environment, and is no part of the project's own code."""
        return path.startswith(self._foreign_folders)

    @cached_property
    def _foreign_folders(self) -> tuple[str, ...]:
        return tuple(f"{folder}/" for folder in self.virtualenvs)


_NEVER_ENTERED: Final = frozenset(
    {
        ".git",
        "node_modules",
        "__pycache__",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".ruff_cache",
        ".cache",
        ".pytest_cache",
        ".hypothesis",
    }
)


def watch(project: Path, command: str, environment: Mapping[str, str] | None = None) -> Watch:
    """Find the rules for a project as it stands now.

    Args:
        project: its directory.
        command: the suite's command, as in `tests.command`.
        environment: what the command's environment is made from; ours if None.
    """
    words = _words(command)
    names = {PurePosixPath(word).name for word in words}
    steering = _STEERING.union(*(files for word, files in _BY_COMMAND.items() if word in names))
    own = virtualenv_of(project)
    inside = {own.relative_to(project).as_posix()} if own and own.is_relative_to(project) else set()
    return Watch(
        project,
        frozenset(_named(project, words) | _plugins(project, command, environment)),
        steering,
        frozenset(_programs(project, names, environment)),
        frozenset({".venv", "venv", *inside}),
    )


def is_test(path: str) -> bool:
    """Whether a file is a test by its name."""
    return _TEST_FILE.fullmatch(path.rpartition("/")[2]) is not None


def in_tests(path: str) -> bool:
    """Whether a file is a test by its name, or lies in a folder of tests."""
    return is_test(path) or any(part in _TEST_FOLDERS for part in PurePosixPath(path).parts[:-1])


def tests_among(paths: Collection[str], collected: Collection[str]) -> set[str]:
    """Those of a project's files that are tests, or lie beside them and serve them.

    Args:
        paths: the project's files.
        collected: files that had test cases when the suite ran.
    """
    tests = {path for path in paths if path in collected or is_test(path)}
    parents = {path: path.rpartition("/")[0] for path in paths}
    with_tests = {parents[path] for path in tests}
    folders = {folder for parent in with_tests for folder in _folders_of_tests(parent)}
    serving = {
        parent
        for parent in set(parents.values())
        if not folders.isdisjoint(_folders_of_tests(parent))
    }
    return tests | {path for path, parent in parents.items() if parent in serving}


def _folders_of_tests(folder: str) -> Iterator[str]:
    """Of a folder and those above it, the ones that are named as folders of tests are."""
    parts = folder.split("/")
    for at, part in enumerate(parts, 1):
        if part in _TEST_FOLDERS:
            yield "/".join(parts[:at])


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _named(project: Path, words: Iterable[str]) -> set[str]:
    """The project's files that the command names, and the scripts that those scripts name."""
    found: set[str] = set()
    left = [part for word in words for part in (word, word.rpartition("=")[2])]
    while left:
        path = _inside(project, left.pop())
        if not path or path in found or not (project / path).is_file():
            continue
        found.add(path)
        if path.endswith((".sh", ".bash", ".mk")) or "." not in PurePosixPath(path).name:
            scripts = re.findall(r"[\w./-]+\.(?:sh|bash|mk)\b", _text(project / path))
            left += scripts
    return found


def _inside(project: Path, word: str) -> str:
    """A word as a path below the project; empty when it is none."""
    if not word or "\0" in word or word.startswith("-"):
        return ""
    path = os.path.normpath(project / word)
    return os.path.relpath(path, project) if path.startswith(f"{project}{os.sep}") else ""


def _programs(
    project: Path, names: Iterable[str], environment: Mapping[str, str] | None
) -> Iterator[str]:
    """Where programs of the command would be found, if somebody put them into the project."""
    wanted = {*names, "pytest", "py.test", "python", "python3", "sh", "env"}
    for folder in project_environment(project, environment).get("PATH", "").split(os.pathsep):
        inside = "" if folder in ("", ".") else _inside(project, folder)
        if inside or folder in ("", ".", str(project)):
            yield from (str(PurePosixPath(inside, name)) for name in wanted if name)


def _plugins(project: Path, command: str, environment: Mapping[str, str] | None) -> set[str]:
    """Files in the project that are pytest plugins by somebody's word."""
    options = (environment or os.environ).get("PYTEST_ADDOPTS", "")
    sources = [f"{command} {options}", (environment or os.environ).get("PYTEST_PLUGINS", "")]
    texts = [_text(project / name) for name in sorted(_STEERING)] + [
        _text(path) for path in project.glob("test*/conftest.py")
    ]
    found = {name for name in sources[1].split(",") if name}
    for text in (sources[0], *texts):
        for pattern in _PLUGINS:
            found |= {name for match in pattern.findall(text) for name in _DOTTED.findall(match)}
    candidates = {
        f"{top}{name.replace('.', '/')}{end}"
        for name in found
        for top in ("", "src/")
        for end in (".py", "/__init__.py")
    }
    return {path for path in candidates if (project / path).is_file()}


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[:200_000].decode("utf-8", "replace")
    except OSError:
        return ""


def _replaces_machinery(inside: str, name: str) -> bool:
    if name == "__init__.py":
        inside, _, name = inside.rpartition("/")
        name += ".py"
    names = _REPLACEABLE.get(inside)
    return (
        names is not None
        and name.endswith((".py", ".so", ".pyc"))
        and name.partition(".")[0] in names
    )
