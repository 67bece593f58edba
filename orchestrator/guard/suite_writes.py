"""Finds the files that a run of the suite itself writes, as opposed to the agent and the user.

A change time alone is no proof: `chmod -R` in the command changes it for all files. So contents are
compared, by digests that stay valid as long as `lstat` returns the same for a file.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.guard.errors import translate_os_errors
from orchestrator.guard.protection import CONFIG_NAMES
from orchestrator.guard.tree import (
    FileState,
    Tree,
    find_environments,
    unpack_mode,
    unpack_size,
    unpack_stamp,
    walk_tree,
)
from orchestrator.models import SuiteReport
from orchestrator.platform import files

_SOURCE: Final = re.compile(
    r"\.(?:pyi?|pyx|[cm]?[jt]sx?|go|rs|rb|php|java|kt|cs|c|cc|cpp|h|hpp|sh|ex|exs|lua|pl)$"
)
_SETTINGS: Final = CONFIG_NAMES | {"package.json", "Makefile", "makefile", "GNUmakefile"}
_FILE_NAME: Final = "suite-writes.json"
_LARGEST: Final = 1_000_000
_MOST: Final = 200_000_000
"""Bytes to read in one pass. For files that are not read, size and times decide."""


def is_source(name: str) -> bool:
    """Return whether a file is written by people, by its name: code or a tool's configuration."""
    return bool(_SOURCE.search(name)) or PurePosixPath(name).name in _SETTINGS


def is_output(name: str, commands: str) -> bool:
    """Return whether commands write to a file: `> NAME`, `tee NAME`, `-o NAME`."""
    writes = r"(?:>|\btee(?:\s+-a)?\s|\s-o\s|--output[ =])"
    return bool(re.search(rf"{writes}\s*[\"']?(?:\./)?{re.escape(name)}(?![\w./-])", commands))


@dataclass(frozen=True)
class Writes:
    """Names of the files that differ between two states of a project."""

    touched: frozenset[str] = frozenset()
    """Files that differ at all, if only in their mode."""
    rewritten: frozenset[str] = frozenset()
    """Files that were written, created or removed, if only with the same content."""
    changed: frozenset[str] = frozenset()
    """Files whose content changed, or that were created or removed."""


class Contents:
    """Digests of a project's files.

    Args:
        project: the project's folder.
    """

    def __init__(self, project: Path) -> None:
        self._project = project
        self._known: dict[str, tuple[FileState, bytes]] = {}

    def record_tree(self, tree: Tree) -> None:
        """Read the files whose present content is not known."""
        left = _MOST
        for name, at in tree.items():
            if self._find_digest(name, at) or name.startswith("/"):
                continue
            size = unpack_size(at)
            if size > _LARGEST:
                continue
            left -= size
            if left < 0:
                return
            self._read_digest(name, at)

    def list_states(self) -> Tree:
        """Return the states of the files whose content is known."""
        return {name: state for name, (state, _) in self._known.items()}

    def compare_trees(self, before: Tree, after: Tree) -> Writes:
        """Return the differences between two trees. The first one was passed to `record_tree`."""
        touched = {n for n, at in after.items() if before.get(n) != at}
        touched |= before.keys() - after.keys()
        touched = {name for name in touched if not name.startswith("/")}
        rewritten = {n for n in touched if _find_stamp(before, n) != _find_stamp(after, n)}
        changed = {
            name
            for name in touched
            if name not in before
            or name not in after
            or not self.has_same_content(name, before[name], after[name])
        }
        return Writes(frozenset(touched), frozenset(rewritten), frozenset(changed))

    def has_same_content(self, name: str, before: FileState, after: FileState) -> bool:
        """Return whether a file has the same content in two states."""
        was = self._find_digest(name, before)
        if was and unpack_size(after) <= _LARGEST:
            return self._read_digest(name, after) == was
        return unpack_stamp(before) == unpack_stamp(after)

    def _find_digest(self, name: str, at: FileState) -> bytes:
        known = self._known.get(name)
        return known[1] if known and known[0] == at else b""

    def _read_digest(self, name: str, at: FileState) -> bytes:
        if known := self._find_digest(name, at):
            return known
        path, mode = self._project / name, unpack_mode(at)
        try:
            # Nothing else is read: to open a pipe would wait for a writer.
            if stat.S_ISLNK(mode):
                data = b"link to " + os.fsencode(path.readlink())
            elif stat.S_ISREG(mode):
                data = path.read_bytes()
            else:
                return b""
        except OSError:
            return b""
        digest = hashlib.sha256(data).digest()
        self._known[name] = (at, digest)
        return digest


class SuiteWrites:
    """Collects the files whose content the suite changed, in all of its runs.

    Args:
        project: the project's folder.
        folder: where the names are stored for a process that resumes; None to store nothing.
    """

    def __init__(self, project: Path, folder: Path | None) -> None:
        self._project, self._names_file = project, folder / _FILE_NAME if folder else None
        self._environments: frozenset[str] | None = None
        self._at_baseline, self._later = self._load_names()
        self.contents = Contents(project)
        self.first = Writes()
        """The writes of the first run, if it was in this process."""

    @property
    def at_baseline(self) -> frozenset[str]:
        """Files that the first run changed, before any agent worked."""
        return self._at_baseline

    @property
    def names(self) -> frozenset[str]:
        """Files that any run changed."""
        return self._at_baseline | self._later

    def watch_run(
        self, run: Callable[[], SuiteReport], *, baseline: bool = False
    ) -> tuple[SuiteReport, Writes]:
        """Run the suite; return its report, and the files that it wrote.

        Raises:
            InfrastructureError: the names cannot be stored.
        """
        if self._project == Path():  # there is no project: see `build_disabled_guard`
            return run(), Writes()
        before = self._read_tree()
        self.contents.record_tree(before)
        report = run()
        return report, self.record_writes(before, self._read_tree(before), baseline=baseline)

    def record_writes(self, before: Tree, after: Tree, *, baseline: bool = False) -> Writes:
        """Record the differences between two trees. The first one is recorded in `contents`.

        Raises:
            InfrastructureError: the names cannot be stored.
        """
        writes = self.contents.compare_trees(before, after)
        if baseline:
            self.first, self._at_baseline = writes, writes.changed
        else:
            self._later |= writes.changed
        if self._names_file and writes.changed:
            values = {"at_baseline": sorted(self._at_baseline), "later": sorted(self._later)}
            with translate_os_errors(self._names_file.parent):
                files.write_file(self._names_file, json.dumps(values).encode("ascii"))
        return writes

    def _read_tree(self, like: Tree | None = None) -> Tree:
        if self._environments is None:
            self._environments = find_environments(self._project)
        return walk_tree(self._project, self._environments, like=like)

    def _load_names(self) -> tuple[frozenset[str], frozenset[str]]:
        try:
            values = (
                json.loads(self._names_file.read_text(encoding="ascii")) if self._names_file else {}
            )
            return frozenset(values.get("at_baseline", ())), frozenset(values.get("later", ()))
        except (OSError, ValueError):
            return frozenset(), frozenset()


def _find_stamp(tree: Tree, name: str) -> tuple[int, bytes] | None:
    at = tree.get(name)
    return None if at is None else unpack_stamp(at)
