"""Describe what a project's settings would run, and load its AGENTS.md without its settings.

Headless, Claude Code shows no trust dialog: the project's hooks and MCP servers simply run.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.claude_environment import HELPERS, PROTECTED_NAMES
from orchestrator.agents.wording import format_one_line
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD, PROJECT_SETTINGS
from teacher.address import format_address

_SERVERS: Final = ".mcp.json"

_SAID: Final = frozenset({"$schema", "hooks", "env", "permissions"})
_SAID_PERMISSIONS: Final = frozenset({"allow", "deny", "ask"})
"""Parts of the settings that are described in another way, or that only forbid."""

_LENGTH: Final = 100
_MOST: Final = 20


def describe_project_settings(project: Path) -> tuple[str, ...]:
    """Return what the project's own settings would run or redirect, one line each.

    Nothing is executed to find out. Claude Code ignores a file that is not valid JSON without a
    message, so it is ignored here too.

    Args:
        project: the project's folder, with its settings and `.mcp.json`.
    """
    found: list[str] = []
    for name in PROJECT_SETTINGS:
        found += (f"{name}: {what}" for what in iter_settings_effects(_read_json(project / name)))
    found += (f"{_SERVERS}: {what}" for what in iter_server_effects(_read_json(project / _SERVERS)))
    lines = [format_one_line(line, 2 * _LENGTH) for line in found]
    return tuple(lines[:_MOST]) + ((f"and {len(lines) - _MOST} more",) if lines[_MOST:] else ())


@contextlib.contextmanager
def link_agents_files(project: Path, names: Sequence[str]) -> Iterator[Path | None]:
    """Yield a folder whose CLAUDE.md is the project's AGENTS.md, for `--add-dir`; None without one.

    Claude Code (2.1.329) loads an AGENTS.md only where the project's settings are loaded too. A
    link to it is read like the file itself, with its imports from the project.

    Args:
        project: the project's folder.
        names: the active files, of `AGENTS.md` and `.claude/AGENTS.md`. A link that leads out of
            the project is skipped: a repository must not choose which file of this machine is sent.
    """
    top = project.resolve()
    files = {name: (top / name).resolve() for name in names}
    inside = {name: file for name, file in files.items() if file.is_relative_to(top)}
    if not inside:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
        for name, file in inside.items():
            link = Path(folder) / name.replace(AGENTS_MD, CLAUDE_MD)
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(file)
        yield Path(folder)


def iter_settings_effects(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a settings file of Claude Code would run, redirect or allow."""
    for event, matchers in _as_mapping(settings.get("hooks")).items():
        for matcher in _as_list(matchers):
            for hook in _as_list(_as_mapping(matcher).get("hooks")):
                yield f"hook on {event}, {_describe_command(hook)}"
    for helper in sorted(HELPERS & settings.keys()):
        yield f"{helper}, which is pinned: it does not run"
    for name, value in sorted(_as_mapping(settings.get("env")).items()):
        pinned = ", which is pinned: it has no effect" if name in PROTECTED_NAMES else f"={value}"
        yield f"sets {name}{pinned}"
    permissions = _as_mapping(settings.get("permissions"))
    if allowed := _as_list(permissions.get("allow")):
        yield f"allows without asking: {', '.join(map(str, allowed))}"
    others = {name: value for name, value in settings.items() if name not in _SAID | HELPERS}
    others |= {
        f"permissions.{name}": value
        for name, value in permissions.items()
        if name not in _SAID_PERMISSIONS
    }
    for name, value in sorted(others.items()):
        if value not in (None, "", [], {}):
            yield f"sets {name}: {json.dumps(value)}"


def iter_server_effects(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the MCP servers of a `.mcp.json`."""
    for server, how in _as_mapping(content.get("mcpServers")).items():
        yield f"MCP server {server}, {_describe_command(how)}"


def _describe_command(given: object) -> str:
    """Return the command or address of a hook or server."""
    entry = _as_mapping(given)
    address = format_address(str(entry.get("url") or ""))
    words = [
        entry.get("command") or address or entry.get("type") or "?",
        *_as_list(entry.get("args")),
    ]
    return f"`{' '.join(' '.join(map(str, words)).split())}`"


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        return _as_mapping(json.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError):
        return {}


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
