"""Read the rule files of a commit from git, as `RuleFiles` reads those of a folder."""

import os
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.platform.bom import is_utf16
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook.document import contains_rules
from orchestrator.rulebook.rule_file_set import RULES_DIR, Destination, RuleFileSet, Target
from orchestrator.workspace.git import Git

_LARGEST_FILE: Final = 4 << 20
_LINK: Final = b"120000"
_FILES: Final = (b"100644", b"100755")
_MOST_LINKS: Final = 5

ReadFile = Callable[[str, str], bytes | None]
"""Returns the bytes of a file of a commit; None if there is none."""


@dataclass(frozen=True)
class RuleBlobs:
    """The rule files of a commit."""

    file_set: RuleFileSet
    paths: Mapping[str, str]
    """Where they are, links followed, from the top of the repository, by their names."""

    def locate(self, name: str, prefix: str) -> str:
        """Return the path of a file, which need not exist."""
        return self.paths.get(name, prefix + name)


def read_rule_blobs(
    repository: Path,
    read_file: ReadFile,
    commit: str,
    prefix: str,
    target: Target = Target.PROJECT,
    *,
    mirror: bool = False,
) -> RuleBlobs:
    """Read the files of a commit that contain rules, or that new rules go into.

    Args:
        repository: the bare repository.
        read_file: reads a file of a commit.
        commit: its id.
        prefix: the project's folder, from the top of the repository: empty, or `sub/`.
        target: where new rules go.
        mirror: whether CLAUDE.md and AGENTS.md contain the same rules.

    Raises:
        RulebookError: a file with rules is too long.
        InfrastructureError: git failed.
    """
    modes = _list_modes(repository, commit, prefix)
    paths: dict[str, str] = {}
    for name in (CLAUDE_MD, AGENTS_MD):
        path = _follow_links(modes, read_file, commit, prefix + name)
        if path and path not in paths.values():
            paths[name] = path
    is_one_file = len(paths) < 2 and any(
        modes.get(prefix + n) == _LINK for n in (CLAUDE_MD, AGENTS_MD)
    )
    if is_one_file and AGENTS_MD in paths:
        paths[CLAUDE_MD] = paths.pop(AGENTS_MD)
    inside = f"{prefix}{RULES_DIR}/"
    for path, mode in modes.items():
        if path.startswith(inside) and path.endswith(".md") and mode in _FILES:
            paths[path.removeprefix(prefix)] = path
    found: dict[str, bytes] = {}
    for name, path in paths.items():
        data = read_file(commit, path) or b""
        if _is_usable(data, name):
            found[name] = data
        elif len(data) > _LARGEST_FILE:
            raise RulebookError(f"{path} is longer than {_LARGEST_FILE >> 20} MiB", "shorten it")
    if is_one_file and target is Target.AGENTS_MD:
        target = Target.PROJECT
    taken = frozenset(path.removeprefix(prefix) for path in modes if path.startswith(inside))
    destination = Destination(
        target, mirror and not is_one_file, reserved_names=taken.difference(found)
    )
    return RuleBlobs(RuleFileSet(found, destination), paths)


def is_rule_path(path: str, prefix: str) -> bool:
    """Return whether a path may be that of a rule file of the project."""
    name = path.removeprefix(prefix)
    in_folder = name.startswith(f"{RULES_DIR}/") and name.endswith(".md")
    return path.startswith(prefix) and (name in (CLAUDE_MD, AGENTS_MD) or in_folder)


def _is_usable(data: bytes, name: str) -> bool:
    """Return whether rules can be read from a file, as `RuleFiles` decides it."""
    if len(data) > _LARGEST_FILE:
        return False
    if is_utf16(data):
        return contains_rules(data)
    return not name.startswith(RULES_DIR) or contains_rules(data)


def _list_modes(repository: Path, commit: str, prefix: str) -> dict[str, bytes]:
    """Return the modes of all files of a commit by their paths: links may lead anywhere."""
    git = Git(repository, {"GIT_DIR": str(repository)})
    printed = git.read_output("ls-tree", "-r", "-z", "--full-tree", commit)
    found: dict[str, bytes] = {}
    for record in filter(None, printed.split(b"\0")):
        about, _, path = record.partition(b"\t")
        found[os.fsdecode(path)] = about.split(b" ", 1)[0]
    return found


def _follow_links(modes: Mapping[str, bytes], read_file: ReadFile, commit: str, path: str) -> str:
    """Return the path of the file that a path leads to; empty if there is none in the commit."""
    for _ in range(_MOST_LINKS):
        if modes.get(path) != _LINK:
            return path if path in modes else ""
        leads_to = os.fsdecode(read_file(commit, path) or b"")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), leads_to))
    return ""
