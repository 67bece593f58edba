"""Read the rule files of a commit from git, as `RuleFiles` reads those of a folder."""

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.platform.bom import is_utf16
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook.document import contains_rules
from orchestrator.rulebook.rule_file_set import RULES_DIR, Destination, RuleFileSet, Target
from orchestrator.workspace.lane_base import open_bare
from orchestrator.workspace.lanes import LaneRepository

_LARGEST_FILE: Final = 4 << 20
_LINK: Final = b"120000"
_FILES: Final = (b"100644", b"100755")
_MOST_LINKS: Final = 5


@dataclass(frozen=True)
class RuleBlobs:
    """The rule files of a commit."""

    file_set: RuleFileSet
    paths: Mapping[str, str]
    """Where they are, links followed, from the top of the repository, by their names."""

    def locate(self, name: str, prefix: str) -> str:
        """Return the path to write a file to; it need not exist.

        Raises:
            RulebookError: there is a file that no rule can be added to.
        """
        if name in self.paths and name not in self.file_set.files:
            raise RulebookError(f"{self.paths[name]} is no UTF-8 text", "save it as UTF-8")
        return self.paths.get(name, prefix + name)


def read_rule_blobs(
    repository: LaneRepository,
    commit: str,
    target: Target = Target.PROJECT,
    *,
    mirror: bool = False,
) -> RuleBlobs:
    """Read the files of a commit that contain rules, or that new rules go into.

    Args:
        repository: the repository of the lanes.
        commit: its id.
        target: where new rules go.
        mirror: whether CLAUDE.md and AGENTS.md contain the same rules.

    Raises:
        RulebookError: a file with rules is too long.
        InfrastructureError: git failed.
    """
    prefix, modes = repository.prefix, _list_modes(repository, commit)
    inside = f"{prefix}{RULES_DIR}/"
    shared = {
        name: path
        for name in (CLAUDE_MD, AGENTS_MD)
        if (path := _follow_links(modes, repository, commit, prefix + name))
    }
    is_one_file = len(shared) > len(set(shared.values()))
    if is_one_file:
        shared.pop(AGENTS_MD)
    in_folder = {
        path.removeprefix(prefix): path
        for path, mode in modes.items()
        if path.startswith(inside) and path.endswith(".md") and mode in _FILES
    }
    paths = shared | in_folder
    found = {
        name: data
        for name, path in paths.items()
        if (data := _read_rules(repository, commit, path, is_shared=name in shared)) is not None
    }
    taken = {path.removeprefix(prefix) for path in modes if path.startswith(inside)}
    destination = Destination(
        Target.PROJECT if is_one_file and target is Target.AGENTS_MD else target,
        mirror and not is_one_file,
        reserved_names=frozenset(taken.difference(found)),
    )
    return RuleBlobs(
        RuleFileSet(found, destination),
        {n: p for n, p in paths.items() if n in found or n in shared},
    )


def is_rule_path(path: str, prefix: str) -> bool:
    """Return whether a path may be that of a rule file of the project."""
    name = path.removeprefix(prefix)
    in_folder = name.startswith(f"{RULES_DIR}/") and name.endswith(".md")
    return path.startswith(prefix) and (name in (CLAUDE_MD, AGENTS_MD) or in_folder)


def _read_rules(
    repository: LaneRepository, commit: str, path: str, *, is_shared: bool
) -> bytes | None:
    """Return a file, unless it contains no rules and none can be added, as `RuleFiles` does."""
    data = repository.read_file(commit, path) or b""
    if len(data) > _LARGEST_FILE:
        raise RulebookError(f"{path} is longer than {_LARGEST_FILE >> 20} MiB", "shorten it")
    if contains_rules(data) or (is_shared and not is_utf16(data)):
        return data
    return None


def _list_modes(repository: LaneRepository, commit: str) -> dict[str, bytes]:
    """Return the modes of all files of a commit by their paths: links may lead anywhere."""
    git = open_bare(repository.folder)
    printed = git.read_output("ls-tree", "-r", "-z", "--full-tree", commit)
    found: dict[str, bytes] = {}
    for record in filter(None, printed.split(b"\0")):
        about, _, path = record.partition(b"\t")
        found[os.fsdecode(path)] = about.split(b" ", 1)[0]
    return found


def _follow_links(
    modes: Mapping[str, bytes], repository: LaneRepository, commit: str, path: str
) -> str:
    """Return the path of the file that a path leads to; empty if there is none in the commit."""
    for _ in range(_MOST_LINKS):
        if modes.get(path) != _LINK:
            return path if modes.get(path) in _FILES else ""
        leads_to = os.fsdecode(repository.read_file(commit, path) or b"")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), leads_to))
    return ""
