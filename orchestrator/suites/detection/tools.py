"""Recognize the tools that prepare an environment for a project's tests, or run them in one."""

import ast
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.suites.detection.project_files import (
    Table,
    find_table,
    read_ini,
    read_text,
    read_toml,
)
from orchestrator.suites.detection.suite import COMMAND, PYTEST

_NOXFILE: Final = "noxfile.py"
_ENVIRONMENT: Final = re.compile(r"\w[\w.-]*")
"""Name of an environment that can be shown, and written into a command without quotes."""
_TEST_SESSIONS: Final = ("tests", "test", "pytest", "unit", "unittests")


@dataclass(frozen=True)
class ToolCommand:
    """A command of a tool that the project uses."""

    framework: str
    command: str
    source: str
    """The file that shows that the project uses the tool."""
    installs: bool = False
    """Whether the tool makes the environment that the tests need."""


def list_tool_commands(project: Path, environment: Mapping[str, str]) -> list[ToolCommand]:
    """Return the commands of a project's tools that are installed, the most precise first."""
    pyproject = read_toml(project / "pyproject.toml")
    found = (*_iter_managers(project, pyproject), *_iter_test_runners(project, pyproject))
    path = environment.get("PATH")
    return [each for each in found if shutil.which(each.command.split()[0], path=path)]


def _iter_managers(project: Path, pyproject: Table) -> Iterator[ToolCommand]:
    """Yield `uv run pytest` and its like, which report each case as pytest does."""
    for tool in ("uv", "poetry", "pdm"):
        lock = f"{tool}.lock"
        if files.is_file(project / lock):
            yield ToolCommand(PYTEST, f"{tool} run pytest", lock, installs=True)
        elif find_table(pyproject, "tool", tool) is not None:
            source = f"tool.{tool} in pyproject.toml"
            yield ToolCommand(PYTEST, f"{tool} run pytest", source, installs=True)
    for name in ("Pipfile.lock", "Pipfile"):
        if files.is_file(project / name):
            yield ToolCommand(PYTEST, "pipenv run pytest", name, installs=True)
            break


def _iter_test_runners(project: Path, pyproject: Table) -> Iterator[ToolCommand]:
    for name, table in (find_table(pyproject, "tool", "hatch", "envs") or {}).items():
        if not _ENVIRONMENT.fullmatch(name):
            continue
        if isinstance(table, dict) and "test" in (find_table(table, "scripts") or {}):
            command = "hatch run test" if name == "default" else f"hatch run {name}:test"
            yield ToolCommand(COMMAND, command, "tool.hatch.envs in pyproject.toml", installs=True)
            break
    ini = read_ini(project / "tox.ini")
    if any(section == "tox" or section.startswith("testenv") for section in ini):
        yield ToolCommand(COMMAND, "tox", "tox.ini", installs=True)
    elif find_table(pyproject, "tool", "tox") is not None or files.is_file(project / "tox.toml"):
        yield ToolCommand(COMMAND, "tox", "tox's settings", installs=True)
    if session := _find_nox_session(project):
        yield ToolCommand(COMMAND, f"nox -s {session}", _NOXFILE, installs=True)


def _find_nox_session(project: Path) -> str:
    """Return the session of a noxfile that runs the tests; empty if none does."""
    text = read_text(project / _NOXFILE)
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    sessions = {}
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and (name := _find_session_name(node)):
            sessions[name] = ast.get_source_segment(text, node) or ""
    named = next((name for name in _TEST_SESSIONS if name in sessions), "")
    return named or next((name for name, body in sessions.items() if "pytest" in body), "")


def _find_session_name(function: ast.FunctionDef) -> str:
    """Return the name by which nox knows a function; empty if it is no session.

    One that is computed is not known without executing it, nor one that needs quotes.
    """
    decorator = next(filter(_is_session, function.decorator_list), None)
    if decorator is None:
        return ""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    given = next((each.value for each in keywords if each.arg == "name"), None)
    if given is None:
        return function.name
    name = given.value if isinstance(given, ast.Constant) else None
    return name if isinstance(name, str) and _ENVIRONMENT.fullmatch(name) else ""


def _is_session(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(called, ast.Attribute):
        return called.attr == "session"
    return isinstance(called, ast.Name) and called.id == "session"
