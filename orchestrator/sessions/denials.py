"""Recognize why a tool call was not carried out."""

import re
from typing import Final

from orchestrator.sessions.models import Denial
from orchestrator.sessions.rows import Row

_REJECTED: Final = "The user doesn't want to"
_INTERRUPTED: Final = "[Request interrupted by user"
_UNATTENDED: Final = "Claude requested permissions"
_RULE: Final = ("Permission to use", "<tool_use_error>Permission to use")
_USER_SAID: Final = "the user said:"
_EXIT_CODE: Final = re.compile(r"\AExit code \d+\n")
_HEAD: Final = 200
_CASCADES: Final = (
    "<tool_use_error>Sibling tool call errored",
    "<tool_use_error>Cancelled: parallel tool call",
)


def classify(row: Row, text: str, is_error: bool) -> Denial | None:
    """Return why a call was not carried out; None if it was.

    The row's own fields count first. Texts are compared at their start only: results of calls that
    were carried out may quote them.

    Args:
        row: the row of the result.
        text: the text of the result.
        is_error: whether the result is marked as an error.
    """
    decision = row.permissionDecision
    source = decision.source if decision else ""
    kind = row.toolDenialKind
    if kind == "user-rejected" and source == "config":
        return Denial.UNATTENDED
    if kind == "permission-rule" or (kind is None and decision and decision.decision == "reject"):
        return Denial.HOOK if source == "hook" else Denial.RULE
    if kind is not None:
        return _classify_text(text) or Denial.INTERRUPTED
    return _classify_text(text) if is_error else None


def _classify_text(text: str) -> Denial | None:
    # A command that was interrupted while it ran has an exit code first.
    start = _EXIT_CODE.sub("", text[:_HEAD].lstrip())
    if start.startswith(_REJECTED):
        return Denial.REJECTED
    if start.startswith(_INTERRUPTED):
        return Denial.INTERRUPTED
    if start.startswith(_UNATTENDED):
        return Denial.UNATTENDED
    return Denial.RULE if start.startswith(_RULE) else None


def read_user_message(row: Row, text: str) -> str:
    """Return what the person wrote when rejecting a call; empty if nothing."""
    if row.userFeedback:
        return row.userFeedback.strip()
    _, _, words = text.partition(_USER_SAID)
    return words.strip()


def is_cascade(text: str) -> bool:
    """Return whether a call failed only because another one of the same message did."""
    return text[:_HEAD].lstrip().startswith(_CASCADES)
