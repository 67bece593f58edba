"""What a project would have Claude Code run, beside what it is asked to do.

Headless, Claude Code shows no trust dialog: the project's hooks and MCP servers simply run.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.claude_environment import HELPERS, STEERING
from orchestrator.agents.wording import one_line

_SETTINGS: Final = (".claude/settings.json", ".claude/settings.local.json")
_SERVERS: Final = ".mcp.json"

_LENGTH: Final = 100
_MOST: Final = 20


def what_a_project_runs(project: Path) -> tuple[str, ...]:
    """Say, a line each, what the project's own settings would run or redirect.

    Nothing is run to find out. A file that cannot be read as JSON is not loaded by Claude Code
    either, so nothing is said of it.

    Args:
        project: the project's folder; `.mcp.json` and settings in it are looked at.
    """
    found: list[str] = []
    for name in _SETTINGS:
        found += (f"{name}: {what}" for what in _in_settings(_json(project / name)))
    for server, how in _mapping(_json(project / _SERVERS).get("mcpServers")).items():
        found.append(f"{_SERVERS}: MCP server {server}, {_how(how)}")
    lines = [one_line(line, 2 * _LENGTH) for line in found]
    return tuple(lines[:_MOST]) + ((f"and {len(lines) - _MOST} more",) if lines[_MOST:] else ())


def _in_settings(settings: Mapping[str, Any]) -> Iterator[str]:
    for event, matchers in _mapping(settings.get("hooks")).items():
        for matcher in _list(matchers):
            for hook in _list(_mapping(matcher).get("hooks")):
                yield f"hook on {event}, {_how(hook)}"
    for helper in sorted(HELPERS & settings.keys()):
        yield f"{helper}, which is pinned: it does not run"
    for name in sorted(STEERING & _mapping(settings.get("env")).keys()):
        yield f"sets {name}, which is pinned: it has no effect"
    allowed = _list(_mapping(settings.get("permissions")).get("allow"))
    if allowed:
        yield f"allows without asking: {', '.join(map(str, allowed))}"


def _how(given: object) -> str:
    """The command or address of a hook or server."""
    one = _mapping(given)
    words = [
        one.get("command") or one.get("url") or one.get("type") or "?",
        *_list(one.get("args")),
    ]
    return f"`{one_line(' '.join(map(str, words)), _LENGTH)}`"


def _json(path: Path) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError):
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
