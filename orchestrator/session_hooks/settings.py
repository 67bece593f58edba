"""Add our hooks to Claude Code's settings.json, and remove them.

Only the text of our own groups changes; every other byte stays as it is. Our command ends with a
shell comment, by which it is recognized later, whatever Python or path it names.
"""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.claude_environment import find_config_directory
from orchestrator.errors import InfrastructureError, RulebookError, UsageError
from orchestrator.platform.bom import UTF8_BOM, split_bom
from orchestrator.platform.folders import PROJECT_SETTINGS, SETTINGS, hash_path
from orchestrator.rulebook import files
from orchestrator.rulebook.locking import hold_lock
from orchestrator.session_hooks import entry, jsontext
from orchestrator.storage.state_directory import locks_folder, resolve_state_directory

MARK: Final = "# orchestrator hook"
TIMEOUT_SECONDS: Final = 10

EVENTS: Final[Mapping[str, str | None]] = {
    "PreToolUse": "Bash|mcp__.*",
    "PostToolUse": "Bash|mcp__.*",
    "PostToolUseFailure": "",
    "Stop": None,
}
"""The events that the hook gets, and for which tools: reading and editing files start no hook."""

_TRIES: Final = 10
_MOST_BYTES: Final = 1 << 20
"""Longest settings file that is edited; each edit parses it once."""


@dataclass(frozen=True)
class SettingsChange:
    """A settings file after a change."""

    path: Path
    changed: bool
    hooks_disabled: bool = False
    """Whether the file disables all hooks, including the installed ones."""


def local_settings(project: Path) -> Path:
    """Return the path of a project's settings.

    The user's own settings may be linked from anywhere, such as by a manager of dotfiles. Those of
    a project are not: a repository must not choose which of the user's files is written.

    Raises:
        RulebookError: the file or its folder is a link out of the project.
    """
    path = project / PROJECT_SETTINGS[0]
    files.resolve_path(path, project)
    return path


def global_settings(environment: Mapping[str, str]) -> Path:
    """Return the path of the user's settings."""
    return find_config_directory(environment) / SETTINGS


def build_hook_command() -> str:
    """Return the shell command that Claude Code runs on each event.

    With `-I -S` Python starts faster, and neither the project nor the environment can replace one
    of our modules. When this Python or this package no longer exists, the command still exits with
    0: Claude Code blocks the tool if a hook exits with 2, which is what Python does when it cannot
    open a file.
    """
    line = shlex.join([sys.executable, "-I", "-S", str(Path(entry.__file__).resolve())])
    return f"{line} 2>/dev/null || : {MARK}"


def install_hooks(path: Path) -> SettingsChange:
    """Add our hooks to a settings file, or update them.

    Raises:
        UsageError: the file is not a valid settings file; it is unchanged.
        LoopError: it cannot be read or written.
    """
    return _edit_settings(path, _add_hooks)


def uninstall_hooks(path: Path) -> SettingsChange:
    """Remove our hooks from a settings file, and the lists that become empty by that.

    A file that becomes empty is removed, unless it is the target of a symbolic link.

    Raises:
        UsageError: the file is not a valid settings file; it is unchanged.
        LoopError: it cannot be read or written.
    """
    return _edit_settings(path, _remove_hooks)


def is_installed(path: Path) -> bool:
    """Return whether a file contains our hooks in their current form; False if it is invalid."""
    try:
        data = files.read_content(path, _MOST_BYTES).data
        return bool(data) and _add_hooks(path, data) == data
    except (UsageError, RulebookError):
        return False


def _edit_settings(path: Path, edit: Any) -> SettingsChange:  # noqa: ANN401 -- _installed, _uninstalled
    named, path = path, path.resolve()  # a symbolic link stays one; its target is written
    with hold_lock(
        locks_folder(resolve_state_directory()) / f"settings-{hash_path(path)}.lock", path
    ):
        for _ in range(_TRIES):
            before = files.read_content(path, _MOST_BYTES)
            data = edit(path, before.data)
            disabled = _has_hooks_disabled(data)
            if data == before.data:
                return SettingsChange(path, False, disabled)
            with files.translate_os_errors(path, "written"):
                path.parent.mkdir(parents=True, exist_ok=True)
                nothing = data.removeprefix(UTF8_BOM).strip() == b"{}"
                if nothing and edit is _remove_hooks and not named.is_symlink():
                    path.unlink()
                    return SettingsChange(path, True)
            if files.replace_file(path, data, before):
                return SettingsChange(path, True, disabled)
    raise InfrastructureError(
        f"another program writes to {path} all the time", "close the program and try again"
    )


def _add_hooks(path: Path, data: bytes) -> bytes:
    bom, text = _decode_text(path, data or b"{}\n")
    wanted = {event: _build_group(matcher) for event, matcher in EVENTS.items()}
    for event in _list_own_events(_parse_root(path, text)):
        if event not in wanted:
            text = _remove_groups(path, text, event, keep=None)
    for event, group in wanted.items():
        text = _remove_groups(path, text, event, keep=group)
        root = _parse_root(path, text)
        unit = jsontext.detect_indentation(text, root)
        if "hooks" not in root.members:
            text = jsontext.add_item(text, root, {event: [group]}, unit, "hooks")
            continue
        hooks = root.members["hooks"]
        groups = hooks.members.get(event)
        if groups is None:
            text = jsontext.add_item(text, hooks, [group], unit, event)
        elif group not in groups.value:
            text = jsontext.add_item(text, groups, group, unit)
    return (bom + text).encode("utf-8")


def _remove_hooks(path: Path, data: bytes) -> bytes:
    if not data:
        return data
    bom, text = _decode_text(path, data)
    for event in _list_own_events(_parse_root(path, text)):
        text = _remove_groups(path, text, event, keep=None)
    return (bom + text).encode("utf-8")


def _list_own_events(root: jsontext.Node) -> list[str]:
    hooks = root.members.get("hooks")
    if hooks is None:
        return []
    return [
        event for event, groups in hooks.members.items() if any(_iter_own_commands(groups.value))
    ]


def _remove_groups(path: Path, text: str, event: str, keep: dict[str, Any] | None) -> str:
    """Return the text without our hooks for one event, except for a group that equals `keep`."""
    while True:
        root = _parse_root(path, text)
        hooks = root.members.get("hooks")
        groups = hooks.members.get(event) if hooks else None
        if hooks is None or groups is None:
            return text
        position = next(((at, inner) for at, inner in _iter_own_commands(groups.value)
                      if groups.value[at] != keep), None)  # fmt: skip
        if position is None:
            return text
        at, inner = position
        commands = groups.items[at].members["hooks"]
        if len(commands.items) > 1:
            text = jsontext.remove_item(text, commands, inner)
        elif len(groups.items) > 1:
            text = jsontext.remove_item(text, groups, at)
        elif len(hooks.items) > 1:
            text = jsontext.remove_item(text, hooks, _find_index(hooks, groups))
        else:
            text = jsontext.remove_item(text, root, _find_index(root, hooks))


def _find_index(container: jsontext.Node, item: jsontext.Node) -> int:
    return next(at for at, one in enumerate(container.items) if one.start == item.start)


def _iter_own_commands(groups: Any) -> Iterator[tuple[int, int]]:  # noqa: ANN401 -- whatever the file holds
    """Yield the positions of our commands: index of the group, index of the command in it."""
    for at, group in enumerate(groups if isinstance(groups, list) else ()):
        commands = group.get("hooks") if isinstance(group, dict) else None
        for inner, command in enumerate(commands if isinstance(commands, list) else ()):
            line = command.get("command") if isinstance(command, dict) else None
            if isinstance(line, str) and line.rstrip().endswith(MARK):
                yield at, inner


def _build_group(matcher: str | None) -> dict[str, Any]:
    command = {"type": "command", "command": build_hook_command(), "timeout": TIMEOUT_SECONDS}
    group: dict[str, Any] = {} if matcher is None else {"matcher": matcher}
    return {**group, "hooks": [command]}


def _decode_text(path: Path, data: bytes) -> tuple[str, str]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8 (byte {error.start})", "save it as UTF-8; it was not changed"
        ) from error
    return split_bom(text)


@lru_cache(maxsize=1)  # the same text is parsed for each event
def _parse_root(path: Path, text: str) -> jsontext.Node:
    try:
        root = jsontext.parse_json(text, "hooks")
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is not valid JSON, and Claude Code ignores it: {error}",
            "fix it (JSON has no comments); it was not changed",
        ) from error
    hooks = root.members.get("hooks")
    if not isinstance(root.value, dict) or (hooks and not isinstance(hooks.value, dict)):
        what = "`hooks` is not an object" if isinstance(root.value, dict) else "it is not an object"
        raise UsageError(f"{path} is not a settings file: {what}", "fix it; it was not changed")
    for event in EVENTS if hooks else ():
        if not isinstance(hooks.value.get(event, []), list):  # type: ignore[union-attr] # see above
            raise UsageError(
                f"{path} is not a settings file: hooks.{event} is not a list",
                "fix it; it was not changed",
            )
    return root


def _has_hooks_disabled(data: bytes) -> bool:
    return bool(data) and json.loads(data.decode("utf-8-sig")).get("disableAllHooks") is True
