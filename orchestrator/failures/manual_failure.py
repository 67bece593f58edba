"""Builds a failure from a person's report."""

from typing import Final

from orchestrator.errors import UsageError
from orchestrator.failures.log_excerpt import clean_text, shorten_to_line
from orchestrator.models.fingerprints import compute_fingerprint
from teacher.models import Failure, FailureType

TEXT_BOUND: Final = 12_000
"""Maximum of characters for each text of a report."""


def build_manual_failure(
    type: FailureType,  # noqa: A002 -- the field's own name
    description: str,
    context: str = "",
    task: str = "",
) -> Failure:
    """Return the failure that a person describes.

    Args:
        type: the kind of failure, which selects the teacher's prompt.
        description: what went wrong, in the person's words.
        context: further information: code, a log, a link.
        task: the task's text.

    Raises:
        UsageError: the description is empty.
    """
    if not description.strip():
        raise UsageError("the description is empty", "describe what went wrong with --description")
    return Failure(
        type=type,
        source="manual",
        summary=shorten_to_line(description, 200),
        fingerprint=compute_fingerprint("manual", [(type, description)]),
        task=_truncate_middle(task),
        logs=_truncate_middle(description),
        context=_truncate_middle(context),
    )


def _truncate_middle(text: str) -> str:
    text = clean_text(text).strip()
    if len(text) <= TEXT_BOUND:
        return text
    half = TEXT_BOUND // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
