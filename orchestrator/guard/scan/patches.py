"""Reads which lines a patch adds and removes."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator.failures.patch_excerpt import CUT
from orchestrator.platform import files

_HUNK: Final = re.compile(rb"@@ -\S+ \+(\d+)(?:,\d+)? @@")


@dataclass
class Patch:
    """The lines that a patch in git's format changes."""

    added: dict[str, set[int]] = field(default_factory=dict)
    """Numbers of the added lines of each file whose changes are complete in the patch."""
    removed: set[str] = field(default_factory=set)
    """Removed lines of all files, stripped."""


def read_patch(path: Path) -> Patch:
    """Read a patch in git's format; a missing file is an empty patch."""
    found = Patch()
    if not files.is_file(path):
        return found
    lines: set[int] = set()
    name, number, in_header = "", 0, False
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b"diff --git "):
                name, in_header = "", True
            elif in_header and line.startswith(b"+++ "):
                name = _parse_path(line[4:])
                lines = found.added.setdefault(name, set())
            elif line.startswith(CUT.encode()):  # the other added lines are unknown
                found.added.pop(name, None)
            elif hunk := _HUNK.match(line):
                number, in_header = int(hunk[1]), False
            elif not in_header and line.startswith(b"+"):
                lines.add(number)
                number += 1
            elif not in_header and line.startswith(b"-"):
                found.removed.add(line[1:].decode("utf-8", "replace").strip())
            elif not in_header and line.startswith(b" "):
                number += 1
    return found


def _parse_path(name: bytes) -> str:
    """Return the path in a `+++ b/x` line (git-diff(1), C-style quoting)."""
    text = name.rstrip(b"\r\n").split(b"\t")[0]
    if text.startswith(b'"'):
        plain = text.strip(b'"').decode("ascii", "replace").encode("ascii", "replace")
        text = plain.decode("unicode_escape").encode("latin-1")
    return text[2:].decode("utf-8", "surrogateescape")
