"""Find which of a project's settings for Claude Code need the user's trust before they are loaded.

Headless, Claude Code shows no trust dialog: hooks and MCP servers of a cloned repository simply
run. Rules and CLAUDE.md are only text and are loaded in any case, so they do not count. What is not
known to be harmless counts, and so does a file that cannot be parsed: Claude Code may read it in
another way.

Claude Code (2.1.332) reads settings from the project's folder, `.mcp.json` also from the folders
above, and agents, commands and skills from the project's folder up to the top of the work tree. It
also loads skills of the folders below as soon as it reads a file there.
"""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.claude_project import iter_server_effects, iter_settings_effects
from orchestrator.platform import files
from orchestrator.platform.bom import split_bom
from orchestrator.platform.folders import PROJECT_SETTINGS

_SERVERS: Final = ".mcp.json"
_EXTENSIONS: Final = (".claude/agents", ".claude/commands", ".claude/skills")
_HARMLESS_SETTINGS: Final = frozenset({"$schema", "includeCoAuthoredBy"})
_HARMLESS_PERMISSIONS: Final = frozenset({"deny", "ask"})
_HARMLESS_FIELDS: Final = re.compile(
    r"(?:name|description|argument-hint|color|version|license|user-invocable"
    r"|disable-model-invocation)[ \t]*:(?:[ \t].*)?|[ \t].*|#.*|"
)
"""Lines of the front matter of an agent, a command or a skill that run and allow nothing. A line
that is indented belongs to the field above it, so the first one is not."""
_OTHER_LINE_ENDS: Final = re.compile("[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""What ends a line for some readers and not for others: what stands behind it could be hidden."""

_LIMIT: Final = 4_000_000
"""Bytes of a file; a longer one cannot be trusted."""
_MOST_FILES: Final = 2000
"""Files of a folder; with more, it cannot be trusted."""


@dataclass(frozen=True)
class RiskySettings:
    """A file or folder with settings that run, allow or redirect something."""

    key: str
    """The path, relative to the project."""
    text: str
    """What the user trusts: the digest of all contents. Empty if there is too much to be read."""
    effects: tuple[str, ...]


def list_risky_settings(project: Path, own_hooks: Collection[str] = ()) -> list[RiskySettings]:
    """Return what Claude Code would load of a project that needs the user's trust.

    Args:
        project: the real path of the folder in which Claude Code is started.
        own_hooks: commands of hooks that are harmless, because this program has installed them.
    """
    found = [_read_settings(project, name, own_hooks) for name in PROJECT_SETTINGS]
    found += [_read_servers(project, folder) for folder in (project, *project.parents)]
    for folder in (*files.list_enclosing_folders(project), *_iter_nested_folders(project)):
        found += [_read_extensions(project, folder / name) for name in _EXTENSIONS]
    return [each for each in found if each]


def _read_settings(project: Path, name: str, own_hooks: Collection[str]) -> RiskySettings | None:
    path = project / name
    data = files.read_bytes(path, _LIMIT)
    settings = _parse(data)
    if not data.strip() or (settings is not None and _are_harmless(settings, own_hooks)):
        return None
    effects = ("cannot be parsed",) if settings is None else tuple(iter_settings_effects(settings))
    return RiskySettings(name, _hash_file(data), effects)


def _are_harmless(settings: Mapping[str, Any], own_hooks: Collection[str]) -> bool:
    for name, value in settings.items():
        match name, value:
            case "permissions", dict():
                harmless = value.keys() <= _HARMLESS_PERMISSIONS
            case "hooks", dict():
                harmless = all(_are_own_groups(groups, own_hooks) for groups in value.values())
            case _:
                harmless = name in _HARMLESS_SETTINGS
        if not harmless:
            return False
    return True


def _are_own_groups(groups: object, own_hooks: Collection[str]) -> bool:
    """Return whether all hooks of an event are those that this program has installed."""
    if not isinstance(groups, list):
        return False
    return all(
        isinstance(group, dict)
        and isinstance(hooks := group.get("hooks"), list)
        and all(
            isinstance(hook, dict)
            and hook.keys() <= {"type", "command", "timeout"}
            and hook.get("type") == "command"
            and hook.get("command") in own_hooks
            for hook in hooks
        )
        for group in groups
    )


def _read_servers(project: Path, folder: Path) -> RiskySettings | None:
    data = files.read_bytes(folder / _SERVERS, _LIMIT)
    content = _parse(data)
    if not data.strip() or (content is not None and not content.get("mcpServers")):
        return None
    effects = ("cannot be parsed",) if content is None else tuple(iter_server_effects(content))
    return RiskySettings(_relate(folder / _SERVERS, project), _hash_file(data), effects)


def _iter_nested_folders(project: Path) -> Iterator[Path]:
    """Yield the folders below a project that have settings of their own."""
    for above, folders, _ in os.walk(project):
        if ".claude" in folders and above != str(project):
            yield Path(above)
        folders[:] = [each for each in folders if each not in (".git", ".claude")]


def _read_extensions(project: Path, folder: Path) -> RiskySettings | None:
    """Read a folder with agents, commands or skills."""
    paths = sorted(islice(_iter_linked_files(folder), _MOST_FILES + 1))
    digest, risky, is_whole = hashlib.sha256(), [], len(paths) <= _MOST_FILES
    for path in paths:
        data = files.read_bytes(path, _LIMIT)
        is_whole = is_whole and len(data) < _LIMIT
        name = os.path.relpath(path, folder)
        digest.update(json.dumps([name, hashlib.sha256(data).hexdigest()]).encode("ascii"))
        if path.lower().endswith(".md") and not _is_plain_text(data.decode("utf-8", "replace")):
            risky.append(f"{name} may run or allow something")
    if not risky and is_whole:
        return None
    text = f"sha256 {digest.hexdigest()}" if is_whole else ""
    return RiskySettings(_relate(folder, project), text, tuple(risky))


def _iter_linked_files(folder: Path) -> Iterator[str]:
    """Yield the files below a folder, also those in linked folders, each of which is read once.

    Two links to a folder above would otherwise be followed some 2^40 times.
    """
    seen = set[tuple[int, int]]()
    for above, folders, names in os.walk(folder, followlinks=True):
        yield from (str(Path(above, name)) for name in names)
        folders[:] = [each for each in sorted(folders) if _is_new(Path(above, each), seen)]


def _is_new(folder: Path, seen: set[tuple[int, int]]) -> bool:
    try:
        status = folder.stat()
    except OSError:
        return False
    identity = (status.st_dev, status.st_ino)
    is_new = identity not in seen
    seen.add(identity)
    return is_new


def _is_plain_text(text: str) -> bool:
    """Return whether the text of an agent, a command or a skill runs and allows nothing by itself.

    A command in the text that begins with an exclamation mark runs when the text is used.
    """
    if "!`" in text or "```!" in text or "\0" in text:  # with zeros it may be UTF-16
        return False
    _, text = split_bom(text)
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != "---":
        return not text.lstrip().startswith("---")
    has_field = False
    for line in lines[1:]:
        if line.rstrip(" \t") == "---":
            return True
        is_indented = line.startswith((" ", "\t")) and bool(line.strip())
        is_known = _HARMLESS_FIELDS.fullmatch(line) and not _OTHER_LINE_ENDS.search(line)
        if not is_known or (is_indented and not has_field):
            return False
        has_field = has_field or not (is_indented or line.startswith("#") or not line.strip())
    return False


def _relate(path: Path, project: Path) -> str:
    return os.path.relpath(path, project)


def _hash_file(data: bytes) -> str:
    return f"sha256 {hashlib.sha256(data).hexdigest()}" if len(data) < _LIMIT else ""


def _parse(data: bytes) -> Mapping[str, Any] | None:
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
