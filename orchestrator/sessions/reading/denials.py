"""Recognize why a tool call was not carried out."""

import re
from typing import Final

from orchestrator.sessions.models import Denial
from orchestrator.sessions.reading.rows import Row

_REJECTED: Final = ("The user doesn't want to", "Permission for this tool use was denied. The tool")
_INTERRUPTED: Final = "[Request interrupted by user"
_UNATTENDED: Final = "Claude requested permissions"
_RULE: Final = ("Permission to use", "<tool_use_error>Permission to use")
_USER_SAID: Final = re.compile(r"[Tt]he user said:")
_STOPPED: Final = b'"User rejected tool use"'
"""What Claude Code keeps of a call that was refused without words."""
_EXIT_CODE: Final = re.compile(r"\AExit code \d+\n")
_HEAD: Final = 200
_OF_A_SERVER: Final = "mcp__"
"""How the names of tools begin whose errors are written by other programs."""
_CASCADES: Final = (
    "<tool_use_error>Sibling tool call errored",
    "<tool_use_error>Cancelled: parallel tool call",
)


def classify(row: Row, text: str, is_error: bool) -> Denial | None:
    """Return why a call was not carried out; None if it was.

    The row's own fields count first. Texts are compared at their start only: results of calls that
    were carried out may quote them, and whatever a command prints must not become the words of a
    person.

    Args:
        row: the row of the result.
        text: the text of the result.
        is_error: whether the result is marked as an error.
    """
    decision = row.permissionDecision
    source = decision.source if decision else ""
    kind = row.toolDenialKind
    if decision and decision.decision == "accept":
        return Denial.INTERRUPTED if kind else None
    if kind == "user-rejected" and source == "config":
        return Denial.UNATTENDED
    if kind == "permission-rule" or (kind is None and decision and decision.decision == "reject"):
        return Denial.HOOK if source == "hook" else Denial.RULE
    found = _classify_text(text) if kind or is_error else None
    if found is Denial.REJECTED and kind is None and not _is_refused(row):
        return None
    if found is Denial.REJECTED and decision is None and (row.entrypoint or "").startswith("sdk"):
        return Denial.INTERRUPTED  # by a signal: nobody was there to refuse
    return found or (Denial.INTERRUPTED if kind else None)


def _classify_text(text: str) -> Denial | None:
    start = text[:_HEAD].lstrip()
    if start.startswith(_REJECTED):
        return Denial.REJECTED
    # A command that was interrupted while it ran has an exit code first.
    if _EXIT_CODE.sub("", start).startswith(_INTERRUPTED):
        return Denial.INTERRUPTED
    if start.startswith(_UNATTENDED):
        return Denial.UNATTENDED
    return Denial.RULE if start.startswith(_RULE) else None


def _is_refused(row: Row) -> bool:
    """Return whether a row without a kind of denial was written because a person refused."""
    # As JSON: to decode it would fail for half of a surrogate pair.
    text = bytes(row.toolUseResult)
    said = text.removeprefix(b'"').removeprefix(b"Error: ")
    is_said = text.startswith(b'"') and said.startswith(tuple(map(str.encode, _REJECTED)))
    return text == _STOPPED or is_said


def read_user_message(row: Row, text: str, tool: str) -> str:
    """Return what the person wrote when rejecting a call; empty if nothing.

    In old versions the error of a server looks the same, so its words are nobody's.
    """
    if row.userFeedback:
        return row.userFeedback.strip()
    if tool.startswith(_OF_A_SERVER) and row.toolDenialKind is None:
        return ""
    said = _USER_SAID.search(text)
    return text[said.end() :].strip() if said else ""


def is_cascade(text: str) -> bool:
    """Return whether a call failed only because another one of the same message did."""
    return text[:_HEAD].lstrip().startswith(_CASCADES)
