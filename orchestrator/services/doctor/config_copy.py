"""Copy what decides on instructions from Claude Code's configuration folder.

Each start of the program writes there: `.claude.json` with a backup, folders for sessions, plugins
and telemetry, and one for the project. So the probe gets a copy, which is removed afterwards: the
user's settings without hooks, their instruction files, and what they have decided about the
project. Login, transcripts and MCP servers are not copied.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.claude_environment import (
    HELPERS,
    PROTECTED_NAMES,
    find_config_directory,
)
from orchestrator.platform import files
from orchestrator.platform.folders import CLAUDE_FOLDER, CLAUDE_MD, CONFIG_VARIABLE, SETTINGS
from orchestrator.platform.secret_folders import create_secret_folder

_STATE: Final = ".claude.json"
_DECISIONS: Final = (
    "hasTrustDialogAccepted",
    "hasClaudeMdExternalIncludesApproved",
    "hasClaudeMdExternalIncludesWarningShown",
)
"""What the user has decided about a project: whether its CLAUDE.md may import from outside."""
_EXCLUDES: Final = "claudeMdExcludes"
_RUNNING: Final = HELPERS | {
    *("hooks", "statusLine", "subagentStatusLine", "fileSuggestion"),
    *("enabledPlugins", "extraKnownMarketplaces"),
}
"""Settings that run a program, or have one fetched."""
_LIMIT: Final = 16_000_000
_MOST_FILES: Final = 500
_SKIPPED: Final = frozenset({"projects", "plugins", "sessions", "backups", "telemetry", "todos"})


@dataclass(frozen=True)
class ConfigCopy:
    """A copy of the configuration folder."""

    folder: Path
    settings: Mapping[str, Any]
    """Settings to add, so that the program sees the copy in place of the original."""


@contextlib.contextmanager
def copy_config_folder(environment: Mapping[str, str], project: Path) -> Iterator[ConfigCopy]:
    """Yield a copy of the configuration folder, and remove it."""
    original = find_config_directory(environment)
    with create_secret_folder() as folder:
        _copy_instructions(original, folder)
        excludes = _copy_settings(original, folder)
        _copy_decisions(environment, original, folder, project)
        yield ConfigCopy(folder, {_EXCLUDES: [*excludes, *_exclude_original(original)]})


def _copy_instructions(original: Path, folder: Path) -> None:
    """Copy all Markdown files, for CLAUDE.md may import any of them."""
    count = 0
    for above, folders, names in os.walk(original):
        folders[:] = [each for each in folders if each not in _SKIPPED]
        for name in names:
            if not name.endswith(".md") or count >= _MOST_FILES:
                continue
            count += 1
            target = folder / os.path.relpath(Path(above, name), original)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files.read_bytes(Path(above, name), _LIMIT))


def _copy_settings(original: Path, folder: Path) -> list[str]:
    """Copy the settings without hooks; return the exclusions that name the original folder."""
    data = files.read_bytes(original / SETTINGS, _LIMIT)
    if not data:
        return []
    settings = _parse_object(data)
    if settings is None:  # Claude Code ignores it, and has to see one that it ignores
        (folder / SETTINGS).write_text("{", encoding="utf-8")
        return []
    kept = {name: value for name, value in settings.items() if name not in _RUNNING}
    variables = settings.get("env")
    if isinstance(variables, dict):
        kept["env"] = {name: value for name, value in variables.items() if _decides(name)}
    (folder / SETTINGS).write_text(json.dumps(kept), encoding="utf-8")
    excludes = settings.get(_EXCLUDES)
    given = excludes if isinstance(excludes, list) else []
    start = str(original)
    return [
        each.replace(start, str(folder), 1)
        for each in given
        if isinstance(each, str) and each.startswith(start)
    ]


def _decides(variable: str) -> bool:
    """Return whether a variable may decide on instructions; others may hold a secret."""
    return variable.startswith("CLAUDE_") and variable not in PROTECTED_NAMES


def _copy_decisions(
    environment: Mapping[str, str], original: Path, folder: Path, project: Path
) -> None:
    # Beside the default folder, or in the folder that the user has set.
    above = original if environment.get(CONFIG_VARIABLE) else original.parent
    state = _parse_object(files.read_bytes(above / _STATE, _LIMIT)) or {}
    projects = state.get("projects")
    kept: dict[str, dict[str, Any]] = {}
    for path, known in projects.items() if isinstance(projects, dict) else ():
        if isinstance(known, dict) and (path == str(project) or project.is_relative_to(path)):
            kept[path] = {name: known[name] for name in _DECISIONS if name in known}
    text = json.dumps({"hasCompletedOnboarding": True, "projects": kept})
    (folder / _STATE).write_text(text, encoding="utf-8")


def _exclude_original(original: Path) -> list[str]:
    """Return what keeps the user's own files from being loaded a second time, as those of a parent.

    While `~/.claude` is the configuration folder, it counts as no parent's folder.
    """
    if original.name != CLAUDE_FOLDER:
        return []
    return [str(original / CLAUDE_MD), str(original / "rules" / "**")]


def _parse_object(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
