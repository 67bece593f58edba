"""Builds a failure from a person's report."""

from typing import Final

from orchestrator.errors import UsageError
from orchestrator.failures.log_excerpt import shorten_to_line, truncate_middle
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
        task=truncate_middle(task, TEXT_BOUND),
        logs=truncate_middle(description, TEXT_BOUND),
        context=truncate_middle(context, TEXT_BOUND),
    )
