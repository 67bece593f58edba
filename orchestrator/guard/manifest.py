"""The files of a project at one moment, and how guarded ones differ from that later."""

import json
from dataclasses import dataclass, field
from typing import Self

from orchestrator.guard.protection import Kind
from orchestrator.guard.tree import Tree, signature


@dataclass(frozen=True)
class Entry:
    """One guarded file as it was."""

    kind: Kind
    digest: str
    """SHA-256 of its bytes, or of a link's target; empty for one that cannot be read."""
    mode: int
    link: bool
    signature: str


@dataclass(frozen=True)
class Manifest:
    """All files of a project at one moment, by name: the guarded ones, and the others."""

    entries: dict[str, Entry]
    others: dict[str, str]
    """Signatures of the files that are not guarded."""
    closed: dict[str, str] = field(default_factory=dict)
    """Signatures of the folders that nobody can look into, and that this user may write."""
    taken: int = 0
    """When, in nanoseconds, by the clock that dates changes of files."""

    def as_json(self) -> bytes:
        """Return the manifest as JSON."""
        entries = {name: vars(entry) for name, entry in self.entries.items()}
        values = {
            "entries": entries,
            "others": self.others,
            "closed": self.closed,
            "taken": self.taken,
        }
        return json.dumps(values).encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Return the manifest that `as_json` gave.

        Raises:
            ValueError, KeyError, TypeError: the data is not a manifest's.
        """
        found = json.loads(data)
        entries = {
            name: Entry(**{**entry, "kind": Kind(entry["kind"])})
            for name, entry in found["entries"].items()
        }
        return cls(entries, found["others"], found.get("closed", {}), found["taken"])

    def is_new(self, name: str) -> bool:
        """Return whether a file was not there at that moment."""
        return name not in self.entries and name not in self.others

    def changed(self, tree: Tree) -> list[str]:
        """Return the names of new and changed files that are not guarded."""
        return [
            name
            for name, at in sorted(tree.items())
            if name not in self.entries and self.others.get(name) != signature(at)
        ]


@dataclass(frozen=True)
class Change:
    """A guarded file that is not as it was."""

    name: str
    kind: Kind
    what: str
    """`changed`, `deleted` or `added`."""
