"""Detects and reverts changes that an agent made to learned rules and their scope in one file."""

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
"""Claude Code (2.1.329) does not load front matter, even if it is no valid YAML."""


def has_changed_rules(before: bytes | None, now: bytes | None) -> bool:
    """Return whether the managed section, its scope, or a rule elsewhere in the file differs."""
    return _parse_rules(before) != _parse_rules(now)


def restore_rules(before: bytes | None, now: bytes | None) -> bytes | None:
    """Return the present file with the learned rules of an earlier version.

    Returns the whole earlier version if the section can no longer be separated from the rest.
    """
    try:
        then, present = parse_document(before or b""), parse_document(now or b"")
    except RulebookError:  # UTF-16, which Claude Code cannot read either
        return before
    if not present.section:
        lines = list(present.lines)
    else:
        start, end = _find_section_bounds(present)
        lines = [*present.lines[:start], *_extract_section(then), *present.lines[end:]]
    text = "".join(lines)
    restored = (present.bom + text).encode("utf-8", "surrogateescape")
    if has_changed_rules(before, restored):
        return before
    return restored if restored.strip() or before is not None else None


def _parse_rules(data: bytes | None) -> tuple[Sequence[Rule], str, tuple[str, ...]] | None:
    try:
        document = parse_document(_FRONT_MATTER.sub(b"", data or b"", 1))
        rules = (*document.rules, *document.hand_written)
        scope = parse_scope(data or b"") if rules else ()
    except RulebookError:
        return None
    # The section's text counts, and not the line endings of the file.
    section = "".join(_extract_section(document)).replace("\r\n", "\n").strip()
    return rules, section, scope


def _find_section_bounds(document: Document) -> tuple[int, int]:
    """Return first and last line of the managed section; its heading may take several lines."""
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
