"""Builds a failure from what went wrong in past sessions of Claude Code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.failures.log_excerpt import shorten_to_line, truncate_middle
from teacher.models import Failure, FailureType

SOURCE: Final = "session:"
"""Beginning of the source of such a failure; the first part of a session's id follows."""
QUOTE_BOUND: Final = 400
"""Most characters of one quote that a teacher sees."""
DIFF_BOUND: Final = 6_000
"""Most characters of the changes that a teacher sees."""
_MOST_QUOTES: Final = 5


@dataclass(frozen=True)
class SessionEvidence:
    """A place in a transcript, as a teacher sees it."""

    session: str
    at: str
    quote: str


def build_session_failure(
    type: FailureType,  # noqa: A002 -- the field's own name
    fingerprint: str,
    title: str,
    explanation: str,
    evidence: Sequence[SessionEvidence],
    diff: str = "",
) -> Failure:
    """Return the failure for a finding in past sessions.

    A teacher sees short quotes, and never a whole transcript.

    Args:
        type: the kind of failure, which selects the teacher's prompt.
        fingerprint: equal for the same finding in any night.
        title: one line that says what was found, with its numbers.
        explanation: what this kind of finding means.
        evidence: places that show it, masked.
        diff: the changes between the last failing and the passing run, masked, if any.
    """
    quotes = [_render_quote(each) for each in evidence[:_MOST_QUOTES]]
    return Failure(
        type=type,
        source=f"{SOURCE}{evidence[0].session[:8]}" if evidence else SOURCE,
        summary=shorten_to_line(title, 200),
        fingerprint=fingerprint,
        diff=truncate_middle(diff, DIFF_BOUND),
        logs="\n\n".join(quotes),
        context=f"Found in past sessions of the agent in this project. {explanation}",
    )


def _render_quote(shown: SessionEvidence) -> str:
    quote = truncate_middle(shown.quote, QUOTE_BOUND)
    return f"session {shown.session[:8]}, {shown.at[:10]}:\n{quote}"
