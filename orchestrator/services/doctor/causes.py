"""Find out why instructions are not in a request of Claude Code."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from orchestrator.agents.claude_environment import find_config_directory
from orchestrator.platform import files
from orchestrator.platform.folders import PROJECT_SETTINGS, SETTINGS
from orchestrator.services.doctor.written_rules import Obstacle

_VARIABLES: Final = ("CLAUDE_CODE_DISABLE_CLAUDE_MDS", "CLAUDE_CODE_SIMPLE")
"""Variables with which Claude Code (2.1.329) loads no CLAUDE.md."""
_OPTIONS: Final = re.compile(r"--(?:bare|safe-mode|restricted|setting-sources)\b[^\s\"']*")
"""Options with the same effect, which a script named `claude` may add."""
_EXCLUDES: Final = "claudeMdExcludes"
_LIMIT: Final = 1 << 20
_SCRIPT_LIMIT: Final = 100_000


def list_general_causes(
    environment: Mapping[str, str], program: Path | None, project: Path
) -> list[Obstacle]:
    """Return what keeps Claude Code from loading any CLAUDE.md: variables, options, exclusions.

    Args:
        environment: the environment of the program.
        program: the program, which may be a script around it; None if it is not found.
        project: the folder in which it is started.
    """
    causes = [*_iter_variables(environment, project), *_iter_options(program)]
    return [*causes, *_iter_excludes(environment, project)]


def _iter_variables(environment: Mapping[str, str], project: Path) -> Iterator[Obstacle]:
    for name in _VARIABLES:
        if environment.get(name):
            yield Obstacle(
                f"{name} is set in the environment: Claude Code loads no CLAUDE.md",
                f"unset {name}",
            )
        for path, settings in _iter_settings(environment, project):
            variables = settings.get("env")
            if isinstance(variables, dict) and variables.get(name):
                yield Obstacle(f"{path} sets {name} under `env`", _edit(path))


def _iter_options(program: Path | None) -> Iterator[Obstacle]:
    if program is None:
        return
    start = files.read_bytes(program, _SCRIPT_LIMIT)
    if not start.startswith(b"#!"):
        return
    found = _OPTIONS.findall(start.decode("utf-8", "replace"))
    if found:
        options = ", ".join(dict.fromkeys(found))
        yield Obstacle(
            f"{program} is a script that starts Claude Code with {options}", _edit(program)
        )


def _iter_excludes(environment: Mapping[str, str], project: Path) -> Iterator[Obstacle]:
    for path, settings in _iter_settings(environment, project):
        patterns = settings.get(_EXCLUDES)
        if isinstance(patterns, list) and patterns:
            shown = ", ".join(str(each) for each in patterns[:5])
            yield Obstacle(f"{_EXCLUDES} in {path} excludes {shown}", _edit(path))


def _iter_settings(
    environment: Mapping[str, str], project: Path
) -> Iterator[tuple[Path, Mapping[str, object]]]:
    places: Sequence[Path] = (
        find_config_directory(environment) / SETTINGS,
        *(project / name for name in PROJECT_SETTINGS),
    )
    for path in places:
        try:
            settings = json.loads(files.read_bytes(path, _LIMIT).decode("utf-8-sig") or "{}")
        except (ValueError, RecursionError):
            continue
        if isinstance(settings, dict):
            yield path, settings


def _edit(path: Path) -> str:
    return f"${{EDITOR:-vi}} {shlex.quote(str(path))}"
