"""The state of a project's files at one moment, and changes of guarded files."""

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self, TypeVar

from orchestrator.guard.protection import Kind
from orchestrator.guard.tree import STATE_SIZE, FileState, Tree

T = TypeVar("T")

_FAST: Final = 1
"""Level of compression. At any level names shrink to a tenth, states hardly at all."""


@dataclass(frozen=True)
class Entry:
    """The recorded state of one guarded file."""

    kind: Kind
    digest: str
    """SHA-256 of its content, or of a link's target; empty for a file that cannot be read."""
    mode: int
    link: bool
    state: FileState


@dataclass(frozen=True)
class Manifest:
    """All files of a project at one moment, by name: guarded ones, and others."""

    entries: dict[str, Entry]
    others: Tree
    """The files that are not guarded."""
    closed: dict[str, str] = field(default_factory=dict)
    """States of folders that cannot be listed; empty for one that this user may not write to."""
    recorded_at: int = 0
    """Time in nanoseconds, by the clock that dates changes of files."""

    def pack(self, base: "Manifest | None" = None, name: str = "") -> bytes:
        """Return the manifest as bytes for a file.

        Args:
            base: an earlier manifest; equal entries are left out.
            name: the name of `base`, by which it is loaded again.
        """
        known = base or Manifest({}, {})
        others = dict(_iter_differences(self.others, known.others))
        values = {
            "base": name,
            "entries": {
                each: {**vars(entry), "state": entry.state.hex()}
                for each, entry in _iter_differences(self.entries, known.entries)
            },
            "gone": [
                *(known.entries.keys() - self.entries.keys()),
                *(known.others.keys() - self.others.keys()),
            ],
            "closed": self.closed,
            "taken": self.recorded_at,
        }
        head = json.dumps(values).encode("ascii")
        names = b"".join(os.fsencode(each) + b"\0" for each in others)
        lengths = f"{len(head)} {len(names)}\n".encode("ascii")
        return zlib.compress(b"".join([lengths, head, names, *others.values()]), _FAST)

    def is_new(self, name: str) -> bool:
        """Return whether a file did not exist at that moment."""
        return name not in self.entries and name not in self.others

    def find_changed_files(self, tree: Tree) -> list[str]:
        """Return the names of new and changed files that are not guarded."""
        was = self.others.get
        return sorted(n for n, now in tree.items() if was(n) != now and n not in self.entries)


@dataclass(frozen=True)
class PackedManifest:
    """A manifest as `Manifest.pack` wrote it.

    Args:
        base: the name of the manifest that this one is based on; empty if there is none.
        gone: names that are only in the base.
        differences: entries that differ from the base, or are not in it.
    """

    base: str
    gone: frozenset[str]
    differences: Manifest

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Parse the bytes that `Manifest.pack` returned.

        Raises:
            ValueError, KeyError, TypeError: the bytes are damaged.
        """
        try:
            lengths, _, rest = zlib.decompress(data).partition(b"\n")
        except zlib.error as error:
            raise ValueError(str(error)) from error
        head, names = map(int, lengths.split())
        found = json.loads(rest[:head])
        entries = {name: _parse_entry(entry) for name, entry in found["entries"].items()}
        others = _read_states(rest[head : head + names], rest[head + names :])
        manifest = Manifest(entries, others, found["closed"], found["taken"])
        return cls(found["base"], frozenset(found["gone"]), manifest)

    def apply_to_base(self, base: Manifest) -> Manifest:
        """Return the whole manifest.

        Args:
            base: the manifest of the name `self.base`.
        """
        its, gone = self.differences, self.gone
        return Manifest(
            {n: each for n, each in base.entries.items() if n not in gone} | its.entries,
            {n: each for n, each in base.others.items() if n not in gone} | its.others,
            its.closed,
            its.recorded_at,
        )


class ChangeType(StrEnum):
    """What happened to a guarded file."""

    CHANGED = "changed"
    DELETED = "deleted"
    ADDED = "added"
    MOVED = "moved"
    """It is a deleted guarded file under another path."""


@dataclass(frozen=True)
class Change:
    """A guarded file that differs from a manifest."""

    name: str
    kind: Kind
    type: ChangeType
    moved_from: str = ""
    """Name of the file that was moved here."""

    @property
    def what(self) -> str:
        """What happened to the file, for people: `deleted`, `moved from tests/test_a.py`."""
        return f"{self.type} from {self.moved_from}" if self.moved_from else str(self.type)


def _iter_differences(now: Mapping[str, T], before: Mapping[str, T]) -> Iterator[tuple[str, T]]:
    return ((name, each) for name, each in now.items() if before.get(name) != each)


def _parse_entry(values: Mapping[str, Any]) -> Entry:
    state = FileState(bytes.fromhex(values["state"]))
    return Entry(**{**values, "kind": Kind(values["kind"]), "state": state})


def _read_states(names: bytes, states: bytes) -> Tree:
    """Parse names, each followed by a zero byte, and their states in the same order."""
    listed = [os.fsdecode(name) for name in names.split(b"\0")[:-1]]
    if len(states) != len(listed) * STATE_SIZE:
        raise ValueError("names and states of files do not match")
    starts = range(0, len(states), STATE_SIZE)
    return {
        name: FileState(states[start : start + STATE_SIZE])
        for name, start in zip(listed, starts, strict=True)
    }
