"""Formats findings: printable names, kinds, and lists of limited length."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from orchestrator.guard.protection import Kind
from orchestrator.models import Finding, FindingKind

KINDS: Final = {Kind.TEST: FindingKind.TEST, Kind.CONFIG: FindingKind.TEST_CONFIG}
"""Kind of the finding for an edit of a guarded file, by why the file is guarded."""

_MOST: Final = 20


def limit_findings(
    found: Iterable[Finding], where: str, what: str = "", most: int = _MOST
) -> list[Finding]:
    """Return the first findings, decisive ones first, and one that counts the others.

    Args:
        found: all findings.
        where: the location of the one that counts the others.
        what: the unit that is counted: `files`.
        most: how many findings are returned unchanged.
    """
    ordered = sorted(found, key=lambda finding: not finding.decisive)
    more = len(ordered) - most
    if more <= 0:
        return ordered
    text = f"and {more} more {what}".rstrip()
    return [*ordered[:most], replace(ordered[0], where=where, text=text)]


def escape_name(name: str) -> str:
    """Return a file's name with bytes that are no UTF-8 escaped, so that it can be printed."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
