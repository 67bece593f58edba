"""Follows make, npm, tox and other task runners to the recipes in the project's files."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

from orchestrator.guard.makefiles import read_makefile
from orchestrator.guard.protection import normalize_name
from orchestrator.platform import files

_MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")
_JUSTFILES: Final = ("justfile", ".justfile", "Justfile")
_TASKFILES: Final = ("Taskfile.yml", "taskfile.yml", "Taskfile.yaml", "taskfile.yaml")
_TOX_COMMANDS: Final = re.compile(r"^commands\w*\s*=(.*(?:\n[ \t]+.*)*)", re.MULTILINE)
_RECIPE_LINE: Final = re.compile(r"^[ \t]+(?:-[ \t]+)?(?:cmd:[ \t]*)?@?(.+)$", re.MULTILINE)


class Reference(Enum):
    """How a file came to be guarded."""

    READ = "read"
    """A program reads, runs or includes it by itself."""
    NAMED = "named"
    """An argument or a string names it: it may also be what is tested."""
    IMPORTED = "imported"


class Follower(Protocol):
    """Follows a command to the files that decide what it does."""

    project: Path

    @property
    def is_exhausted(self) -> bool:
        """Whether the limit of followed lines and files is reached."""

    def is_first(self, *key: str) -> bool:
        """Return whether this is the first call with a key."""

    def guard_path(self, path: Path, why: str, reference: Reference = Reference.READ) -> bool:
        """Guard a file, or a path at which none may appear; return whether there is a file."""

    def follow_line(self, text: str, cwd: Path, by: str) -> None:
        """Follow one line of shell."""

    def follow_strings(self, path: Path, cwd: Path) -> None:
        """Follow the files and commands in a program's strings and imports."""


def _follow_make(follower: Follower, arguments: Sequence[str], cwd: Path, by: str) -> None:
    given, goals, left = [], [], list(arguments)
    while left:
        word = left.pop(0)
        if word in ("-C", "--directory") and left:
            cwd = cwd / left.pop(0)
        elif word.startswith("-C"):
            cwd = cwd / word[2:]
        elif word in ("-f", "--file", "--makefile") and left:
            given.append(left.pop(0))
        elif word in ("-j", "-l", "-o", "-W", "-I") and left and left[0].isdigit():
            left.pop(0)
        elif not word.startswith("-") and "=" not in word:
            goals.append(word)
    if given:
        found = [
            cwd / name
            for name in given
            if follower.guard_path(cwd / name, f"named by {by}", Reference.NAMED)
        ]
    else:
        found = [
            cwd / n for n in _MAKEFILES if follower.guard_path(cwd / n, f"read by make ({by})")
        ][:1]
    for path in found:
        _follow_makefile(follower, path, cwd, goals)


def _follow_makefile(follower: Follower, path: Path, cwd: Path, goals: Sequence[str]) -> None:
    if follower.is_exhausted or not follower.is_first(str(path), " ".join(goals)):
        return
    shown = normalize_name(follower.project, path)
    makefile = read_makefile(path, cwd)
    for included in makefile.includes:
        follower.guard_path(included, f"included by {shown}")
    for line in (*makefile.shell, *makefile.iter_recipe_lines(goals)):
        follower.follow_line(line, cwd, shown)


def _follow_npm(follower: Follower, arguments: Sequence[str], cwd: Path, by: str) -> None:
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] in (["run"], ["run-script"], ["exec"]):
        words = words[1:]
    wanted = {"t": "test", "tst": "test"}.get(words[0], words[0]) if words else "test"
    path = cwd / "package.json"
    if not follower.guard_path(path, f"read by npm ({by})") or not follower.is_first(
        str(path), wanted
    ):
        return
    try:
        found = json.loads(files.read_text(path)).get("scripts", {})
    except (ValueError, AttributeError, RecursionError):
        return
    if not isinstance(found, dict):
        return
    for name in (f"pre{wanted}", wanted, f"post{wanted}"):
        if isinstance(line := found.get(name), str):
            follower.follow_line(line, cwd, "package.json")


def _follow_tox(follower: Follower, arguments: Sequence[str], cwd: Path, by: str) -> None:
    del arguments
    for name in ("tox.ini", "tox.toml"):
        if follower.guard_path(cwd / name, f"read by tox ({by})"):
            for lines in _TOX_COMMANDS.findall(files.read_text(cwd / name)):
                for line in lines.splitlines():
                    follower.follow_line(line.strip(), cwd, name)


def _follow_nox(follower: Follower, arguments: Sequence[str], cwd: Path, by: str) -> None:
    del arguments
    if follower.guard_path(cwd / "noxfile.py", f"read by nox ({by})"):
        follower.follow_strings(cwd / "noxfile.py", cwd)


def _follow_invoke(follower: Follower, arguments: Sequence[str], cwd: Path, by: str) -> None:
    del arguments
    if follower.guard_path(cwd / "tasks.py", f"read by invoke ({by})"):
        follower.follow_strings(cwd / "tasks.py", cwd)


def _follow_just(follower: Follower, arguments: Sequence[str], cwd: Path, by: str) -> None:
    del arguments
    _follow_recipe_file(follower, _JUSTFILES, "just", cwd, by)


def _follow_task(follower: Follower, arguments: Sequence[str], cwd: Path, by: str) -> None:
    del arguments
    _follow_recipe_file(follower, _TASKFILES, "task", cwd, by)


def _follow_recipe_file(
    follower: Follower, names: Sequence[str], tool: str, cwd: Path, by: str
) -> None:
    """Follow the first file that exists. All names are guarded: the tool would read any of them."""
    found = [cwd / name for name in names if follower.guard_path(cwd / name, f"read by {tool}")]
    for path in found[:1]:
        text = files.read_text(path)
        if "dotenv" in text:
            follower.guard_path(cwd / ".env", f"read by {tool} ({by})")
        for line in _RECIPE_LINE.findall(text):
            follower.follow_line(line.strip("'\""), cwd, path.name)


TASK_RUNNERS: Final[Mapping[str, Callable[[Follower, Sequence[str], Path, str], None]]] = {
    "make": _follow_make,
    "gmake": _follow_make,
    "$(MAKE)": _follow_make,
    "npm": _follow_npm,
    "pnpm": _follow_npm,
    "yarn": _follow_npm,
    "bun": _follow_npm,
    "tox": _follow_tox,
    "nox": _follow_nox,
    "just": _follow_just,
    "task": _follow_task,
    "invoke": _follow_invoke,
    "inv": _follow_invoke,
}
"""A function for each program, given its arguments, its folder, and the file that starts it."""
