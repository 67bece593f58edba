"""Words findings alike: names that can be printed, kinds, and lists that come to an end."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from orchestrator.guard.protection import Kind
from orchestrator.models import Finding, FindingKind

KINDS: Final = {Kind.TEST: FindingKind.TEST, Kind.CONFIG: FindingKind.TEST_CONFIG}
"""What an edit of a guarded file is called, by why it is guarded."""

_MOST: Final = 20


def limit_findings(
    found: Iterable[Finding], where: str, what: str = "", most: int = _MOST
) -> list[Finding]:
    """Return findings, the decisive ones first, with one for all those beyond a number.

    Args:
        found: in their order.
        where: what the rest is in.
        what: what the findings are about: `files`.
        most: how many are returned themselves.
    """
    ordered = sorted(found, key=lambda finding: not finding.decisive)
    more = len(ordered) - most
    if more <= 0:
        return ordered
    text = f"and {more} more {what}".rstrip()
    return [*ordered[:most], replace(ordered[0], where=where, text=text)]


def escape_name(name: str) -> str:
    """Return a file's name as it can be printed."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
