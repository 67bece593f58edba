"""The learned rules are ours to write: an agent rewrites none of its lessons, nor their scope."""

import re
from collections.abc import Sequence
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.models import Rule
from orchestrator.platform.bom import UTF8_BOM
from orchestrator.rulebook.document import HEADING, Document, parse_document
from orchestrator.rulebook.scope import parse_scope

_FRONT_MATTER: Final = re.compile(
    rb"\A(?:%b)?---[ \t]*\r?\n.*?^---[ \t]*\r?$" % UTF8_BOM, re.DOTALL | re.MULTILINE
)
"""Claude Code (2.1.329) loads none of it, also when it is no YAML."""


def has_changed_rules(before: bytes | None, now: bytes | None) -> bool:
    """Whether the managed section, its scope, or a rule anywhere in the file, is another now."""
    return _parse_rules(before) != _parse_rules(now)


def restore_rules(before: bytes | None, now: bytes | None) -> bytes | None:
    """The file as it is now, with the learned rules as they were before.

    Where the section cannot be told apart any more, the whole file is as it was.
    """
    try:
        then, present = parse_document(before or b""), parse_document(now or b"")
    except RulebookError:  # UTF-16: neither we nor Claude Code could read that
        return before
    if not present.section:
        lines = list(present.lines)
    else:
        start, end = _find_section_bounds(present)
        lines = [*present.lines[:start], *_extract_section(then), *present.lines[end:]]
    text = "".join(lines)
    mended = (present.bom + text).encode("utf-8", "surrogateescape")
    if has_changed_rules(before, mended):
        return before
    return mended if mended.strip() or before is not None else None


def _parse_rules(data: bytes | None) -> tuple[Sequence[Rule], str, tuple[str, ...]] | None:
    try:
        document = parse_document(_FRONT_MATTER.sub(b"", data or b"", 1))
        scope = parse_scope(data or b"") if document.rules else ()
    except RulebookError:
        return None
    # Of the section only what is said counts, not how the file ends its lines.
    said = "".join(_extract_section(document)).replace("\r\n", "\n").strip()
    return document.rules, said, scope


def _find_section_bounds(document: Document) -> tuple[int, int]:
    """The lines of the managed section with its heading, which may take several."""
    start, end = document.section or (0, 0)
    title = HEADING.removeprefix("## ").casefold()
    for first in range(start - 1, -1, -1):
        if title in " ".join("".join(document.lines[first:start]).split()).casefold():
            return first, end
    return start, end


def _extract_section(document: Document) -> Sequence[str]:
    if not document.section:
        return ()
    start, end = _find_section_bounds(document)
    return document.lines[start:end]
