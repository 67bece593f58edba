"""Find the rules that are written for Claude Code, also where it does not load them.

The files are read as they are; nothing is locked, completed or written.
"""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.platform import files
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_FOLDER, CLAUDE_LOCAL_MD, CLAUDE_MD
from orchestrator.platform.packages import VIRTUALENV_MARK
from orchestrator.rulebook.agents_md import find_shadowing_file
from orchestrator.rulebook.document import contains_rules, find_imports, parse_document
from orchestrator.rulebook.rule_file_set import RULES_DIR
from orchestrator.rulebook.scope import parse_scope

_FILES: Final = (CLAUDE_MD, f"{CLAUDE_FOLDER}/{CLAUDE_MD}", CLAUDE_LOCAL_MD)
_AGENTS: Final = (AGENTS_MD, f"{CLAUDE_FOLDER}/{AGENTS_MD}")
_LOWER_CASE: Final = frozenset({CLAUDE_MD.lower(), AGENTS_MD.lower(), CLAUDE_LOCAL_MD.lower()})
_COMMENT: Final = re.compile(r"<!--(.*?)-->", re.DOTALL)
_HIDDEN_RULE: Final = re.compile(r"^\s*(?:[-*+]\s+)?\*\*Rule\*\*:\s*(\S.*)$", re.MULTILINE)
_LIMIT: Final = 4_000_000
_MOST_FOLDERS: Final = 2000
_MOST_ENTRIES: Final = 20_000
_MOST_RULE_FILES: Final = 500
_MOST_IMPORTS: Final = 50
_INSTALLED: Final = "node_modules"
_EDIT: Final = "${EDITOR:-vi} "


@dataclass(frozen=True)
class Obstacle:
    """Why Claude Code does not load what is written in a place."""

    cause: str
    command: str


@dataclass(frozen=True)
class WrittenRule:
    """A rule in a file."""

    id: str
    text: str
    file: Path
    paths: tuple[str, ...] = ()
    """The scope of its file; always loaded if there is none."""
    obstacle: Obstacle | None = None
    """What is wrong with its place, as far as the files show it."""
    folder: str = ""
    """The folder for which alone it is loaded; empty for all."""


def list_written_rules(project: Path, config_folder: Path) -> list[WrittenRule]:
    """Return the rules in the files of a project and in the user's own, in their order.

    Args:
        project: the project's real path.
        config_folder: Claude Code's configuration folder, with the user's own CLAUDE.md.
    """
    found = list(_iter_rules(project, config_folder))
    unique = {(rule.file, rule.id, rule.text): rule for rule in found}
    return list(unique.values())


def list_rule_files(project: Path) -> list[Path]:
    """Return the Markdown files of `.claude/rules`, in order; it may be a link to a huge folder."""
    entries = islice(files.iter_files(project / RULES_DIR), _MOST_ENTRIES)
    return [Path(each) for each in sorted(entries) if each.endswith(".md")][:_MOST_RULE_FILES]


def _iter_rules(project: Path, config_folder: Path) -> Iterator[WrittenRule]:
    for name in _FILES:
        yield from _read_rules(project / name)
        yield from _iter_imported_rules(project / name, project)
    shadow = find_shadowing_file(project)
    for name in _AGENTS:
        yield from _read_rules(project / name, _describe_shadow(project, shadow))
    yield from _iter_misnamed_rules(project)
    for path in list_rule_files(project):
        yield from _read_rule_file(path)
    yield from _iter_nested_rules(project)
    yield from _read_rules(config_folder / CLAUDE_MD)


def _read_rules(
    path: Path, obstacle: Obstacle | None = None, folder: str = ""
) -> list[WrittenRule]:
    data = files.read_bytes(path, _LIMIT)
    if not data:
        return []
    known = [] if not contains_rules(data) else list(_parse_rules(path, data, obstacle, folder))
    return [*known, *_iter_hidden_rules(path, data)]


def _parse_rules(
    path: Path, data: bytes, obstacle: Obstacle | None, folder: str
) -> Iterator[WrittenRule]:
    try:
        rules = parse_document(data).rules
    except RulebookError:  # the check of the rule files reports it
        return
    for rule in rules:
        yield WrittenRule(rule.id, rule.text.rule, path, obstacle=obstacle, folder=folder)


def _iter_hidden_rules(path: Path, data: bytes) -> Iterator[WrittenRule]:
    """Yield the rules in block comments, which Claude Code removes before it sends a file."""
    text = data.decode("utf-8", "replace")
    for comment in _COMMENT.finditer(text):
        for found in _HIDDEN_RULE.finditer(comment[1]):
            line = text.count("\n", 0, comment.start(1) + found.start(1)) + 1
            yield WrittenRule(
                f"line {line}",
                found[1].strip(),
                path,
                obstacle=Obstacle(
                    f"it is in an HTML comment (line {line}), which Claude Code removes",
                    f"{_EDIT}{shlex.quote(str(path))}",
                ),
            )


def _read_rule_file(path: Path) -> Iterator[WrittenRule]:
    data = files.read_bytes(path, _LIMIT)
    obstacle: Obstacle | None = None
    paths: tuple[str, ...] = ()
    try:
        paths = parse_scope(data)
    except RulebookError as error:
        obstacle = Obstacle(error.message, f"{_EDIT}{shlex.quote(str(path))}")
    for rule in _read_rules(path, obstacle):
        yield WrittenRule(rule.id, rule.text, path, paths, rule.obstacle)


def _iter_imported_rules(path: Path, project: Path) -> Iterator[WrittenRule]:
    """Yield the rules in files that a file imports, also those that are outside of the project."""
    waiting, seen = [path], {path}
    while waiting and len(seen) <= _MOST_IMPORTS:
        above = waiting.pop(0)
        for name in sorted(find_imports(files.read_bytes(above, _LIMIT))):
            target = Path(os.path.realpath(above.parent / Path(name).expanduser()))
            if target in seen or not files.is_file(target):
                continue
            seen.add(target)
            waiting.append(target)
            obstacle = None
            if not target.is_relative_to(project):
                obstacle = Obstacle(
                    f"{above.name} imports {name} from outside of the project, which Claude Code "
                    "drops without a word",
                    f"cp {shlex.quote(str(target))} {shlex.quote(str(project))}/ && {_EDIT}"
                    f"{shlex.quote(str(above))}",
                )
            yield from _read_rules(target, obstacle)


def _iter_misnamed_rules(project: Path) -> Iterator[WrittenRule]:
    for entry in files.list_folder(project):
        right = _LOWER_CASE & {entry.name.lower()}
        if not right or entry.name in (CLAUDE_MD, AGENTS_MD, CLAUDE_LOCAL_MD):
            continue
        names = {each.lower(): each for each in (CLAUDE_MD, AGENTS_MD, CLAUDE_LOCAL_MD)}
        name = names[entry.name.lower()]
        if files.exists(project / name) and Path(entry.path).samefile(project / name):
            continue  # a file system that ignores case
        where = shlex.quote(str(project))
        command = f"cd {where} && mv {shlex.quote(entry.name)} {name}"
        cause = f"the file is named {entry.name}, and Claude Code loads only {name}"
        yield from _read_rules(Path(entry.path), Obstacle(cause, command))


def _iter_nested_rules(project: Path) -> Iterator[WrittenRule]:
    """Yield the rules in the CLAUDE.md of folders below, which are loaded for these folders."""
    for above, names in iter_source_folders(project):
        if CLAUDE_MD not in names or above == project:
            continue
        folder = os.path.relpath(above, project)
        obstacle = Obstacle(
            f"Claude Code loads {folder}/{CLAUDE_MD} only once a file in {folder} is used",
            f"cd {shlex.quote(str(above))} && orchestrator doctor --project-dir .",
        )
        yield from _read_rules(above / CLAUDE_MD, obstacle, folder)


def iter_source_folders(project: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the folders of a project and the names of their files, up to a number.

    Hidden folders, virtual environments and installed packages are left out.
    """
    for above, folders, names in islice(os.walk(project), _MOST_FOLDERS):
        if VIRTUALENV_MARK in names:
            folders.clear()
            continue
        folders[:] = sorted(n for n in folders if n != _INSTALLED and not n.startswith("."))
        yield Path(above), sorted(names)


def _describe_shadow(project: Path, shadow: Path | None) -> Obstacle | None:
    if shadow is None:
        return None
    claude = shlex.quote(str(project / CLAUDE_MD))
    return Obstacle(
        f"Claude Code does not load {AGENTS_MD} beside {shadow}, which has content",
        f"printf '\\n@{AGENTS_MD}\\n' >> {claude}",
    )
