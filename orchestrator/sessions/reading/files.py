"""Find transcripts, and group the files that belong to one session.

Layouts: `projects/PROJECT/SESSION.jsonl`, with subagents in `SESSION/subagents/agent-ID.jsonl` and
`SESSION/subagents/workflows/RUN/agent-ID.jsonl`; older versions wrote `agent-ID.jsonl` beside the
session's file.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.sessions.reading.homes import PROJECTS
from orchestrator.sessions.reading.plain_files import open_plain_file

SUFFIX: Final = ".jsonl"
AGENT_PREFIX: Final = "agent-"
JOURNAL: Final = "journal.jsonl"
"""What a workflow has done; its rows repeat those of its agents."""

_MOST_OF_HEAD: Final = 64 << 10
"""Bytes at the start of an agent's file in which its session is looked for."""
_DEEPEST: Final = 16
_SESSION_ID: Final = re.compile(r"[\w-]{1,100}", re.ASCII)
"""What may be part of a path: a transcript may hold any text in the place of an id."""


@dataclass(frozen=True)
class Family:
    """The files of one session: the main one, and those of its subagents."""

    name: str
    """The name of the main file without its suffix."""
    files: tuple[Path, ...]
    """The main one first if it exists, the others in the order of their paths."""
    home: Path
    """The configuration folder."""
    project: str
    """The name of the folder below `projects`."""

    @property
    def has_main(self) -> bool:
        """Whether the main file is there."""
        return bool(self.files) and self.files[0].stem == self.name

    @property
    def folder(self) -> str:
        """The folder beside the main file, as a path below `projects`; empty if there can be none.

        A file may be named `...jsonl`, and what is left without the suffix leads out of the folder.
        """
        is_name = self.name not in ("", ".", "..") and "/" not in self.name
        return f"{self.project}/{self.name}" if self.project and is_name else ""

    @property
    def key(self) -> str:
        """The path of the main file, whether it is there or not: unique on this machine."""
        return str(self.home / PROJECTS / self.project / f"{self.name}{SUFFIX}")


def find_transcripts(home: Path) -> list[Family]:
    """Return the families of a home, oldest first by their files' times, then by their names.

    A session may be copied under a new id (a fork), and the first that is read owns the common
    rows; the original is older. `projects` may be a link: it is the user's own. Links in it are not
    followed. Folders that cannot be read have no transcripts.
    """
    root = _find_root(home)
    if root is None:
        return []
    groups: dict[tuple[str, str], list[tuple[Path, float]]] = {}
    for path, modified in _walk(root, 0):
        parts = path.relative_to(root).parts
        project = parts[0] if len(parts) > 1 else ""
        groups.setdefault((project, _name_family(path, parts)), []).append((path, modified))
    families = []
    for (project, name), found in groups.items():
        ordered = sorted((path for path, _ in found), key=lambda path: (path.stem != name, path))
        first = min(modified for _, modified in found)
        families.append((first, Family(name, tuple(ordered), home, project)))
    families.sort(key=lambda each: (each[0], each[1].name, each[1].project))
    return [family for _, family in families]


def find_outer_links(home: Path) -> list[Path]:
    """Return the projects of a home that are links to folders elsewhere: they are not read."""
    root = _find_root(home)
    if root is None:
        return []
    links = [Path(each.path) for each in files.list_folder(root) if each.is_symlink()]
    return sorted(path for path in links if files.is_folder(path) and not _is_below(path, root))


def _find_root(home: Path) -> Path | None:
    try:
        return (home / PROJECTS).resolve(strict=True)
    except (OSError, RuntimeError):
        return None


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder)


def _walk(folder: Path, depth: int) -> Iterator[tuple[Path, float]]:
    """Yield the transcripts below a folder with their times; links to files or folders are left."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                if depth < _DEEPEST:
                    yield from _walk(Path(entry.path), depth + 1)
            elif entry.name.endswith(SUFFIX) and entry.name != JOURNAL:
                state = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(state.st_mode):
                    yield Path(entry.path), state.st_mtime
        except OSError:  # it has vanished
            continue


def _name_family(path: Path, parts: tuple[str, ...]) -> str:
    if len(parts) > 2:
        return parts[1]
    if path.name.startswith(AGENT_PREFIX):
        return _read_session_id(path) or path.stem
    return path.stem


def _read_session_id(path: Path) -> str:
    """Return the session that an agent's file names in its first row that names one."""
    try:
        with open_plain_file(path) as file:
            head = file.read(_MOST_OF_HEAD)
    except OSError:
        return ""
    for line in head.split(b"\n"):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and isinstance(name := row.get("sessionId"), str) and name:
            return name if _SESSION_ID.fullmatch(name) else ""
    return ""
