"""Recognize `make test` and `npm test`: commands that run what the repository says."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.platform.packages import read_test_script
from orchestrator.suites.detection.frameworks import infer_framework
from orchestrator.suites.detection.project_files import read_text
from orchestrator.suites.detection.suite import COMMAND, PYTEST
from orchestrator.suites.detection.tools import ToolCommand

_MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")
_TARGETS: Final = ("test", "tests", "check")
_RULE: Final = re.compile(r"^([A-Za-z][\w.-]*(?: +[A-Za-z][\w.-]*)*) *::?(?!=)")
_VARIABLE: Final = re.compile(r"\$[({](\w+)[)}]")
_LOCKS: Final = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lock": "bun run"}
PACKAGE_SCRIPT: Final = "scripts.test in package.json"
"""Source of a command that tests JavaScript."""


def list_task_commands(project: Path, environment: Mapping[str, str]) -> list[ToolCommand]:
    """Return the commands of task runners that are installed."""
    path = environment.get("PATH")
    found = (*_iter_make(project), *_iter_scripts(project))
    return [each for each in found if shutil.which(each.command.split()[0], path=path)]


def _iter_make(project: Path) -> Iterator[ToolCommand]:
    name = next((each for each in _MAKEFILES if files.is_file(project / each)), "")
    recipes = _read_recipes(read_text(project / name)) if name else {}
    for target in _TARGETS:
        if target in recipes:
            framework = _infer_recipe_framework(recipes[target])
            yield ToolCommand(framework, f"make {target}", f"target {target} of {name}")
            return


def _infer_recipe_framework(recipe: str) -> str:
    """Return the framework that the lines of a recipe start; `$(PYTHON)` counts as python."""
    text = _VARIABLE.sub(lambda match: match[1].lower(), recipe.replace("\\\n", " "))
    lines = (line.lstrip("@-+ \t") for line in text.splitlines())
    return PYTEST if any(infer_framework(line) == PYTEST for line in lines) else COMMAND


def _read_recipes(text: str) -> dict[str, str]:
    """Return the recipe of each target."""
    recipes: dict[str, str] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line.startswith("\t"):
            for target in current:
                recipes[target] += f"{line.strip()}\n"
        elif rule := _RULE.match(line):
            current = rule[1].split()
            for target in current:
                recipes.setdefault(target, "")
        elif line.strip() and not line.startswith("#"):
            current = []
    return recipes


def _iter_scripts(project: Path) -> Iterator[ToolCommand]:
    if not read_test_script(project):
        return
    manager = next((each for lock, each in _LOCKS.items() if files.is_file(project / lock)), "npm")
    yield ToolCommand(COMMAND, f"{manager} test", PACKAGE_SCRIPT)
