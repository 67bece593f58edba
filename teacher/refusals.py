"""Explain an n8n answer whose status is not 2xx. The meaning was observed with n8n 2.39.10."""

from __future__ import annotations

from pydantic import ValidationError

from teacher.answer import build_unusable_answer, quote_answer
from teacher.bill import Bill
from teacher.errors import TeacherError, TeacherUnavailable

TOKEN_VARIABLE = "N8N_WEBHOOK_TOKEN"  # noqa: S105 - the variable's name, not a token

_WRONG_TOKEN = f"set {TOKEN_VARIABLE} to the value in the webhook's header-auth credential"
_NO_MODEL = (
    "could not get an answer from the model, or is still starting",
    "check the workflow's Anthropic credential and the status of the API, then resume the run",
)
_STATUSES = {
    400: ("could not use the request", "compare the workflow's version with the orchestrator's"),
    401: ("refused the token", _WRONG_TOKEN),
    403: ("refused the token", _WRONG_TOKEN),
    404: (
        "has no active workflow",
        "publish the workflow in n8n, and use its production URL, not the test one",
    ),
    413: (
        "does not accept a request of this size",
        "raise n8n's N8N_PAYLOAD_SIZE_MAX or its proxy's limit",
    ),
    422: ("could not parse the request", "compare the webhook node with N8N_SETUP.md"),
    429: ("has too many requests", "wait, then resume the run"),
    500: (
        "failed inside the workflow",
        "let n8n save failed executions (workflow settings), try again and look at the last one",
    ),
    502: _NO_MODEL,
    503: _NO_MODEL,
    504: _NO_MODEL,
}
"""For each status with a known meaning, what is wrong and how to fix it."""


class Cause(Bill):
    """The answer of the shipped workflow's error branch.

    `kind` is `try_again`, `misconfigured`, `bad_request`, or `unusable_answer`; the last has
    `answer`, the text of the model.
    """

    error: str = ""
    kind: str = ""
    answer: str = ""


def read_cause(text: str) -> Cause:
    """Return what the shipped workflow says about an error; empty for any other text."""
    try:
        return Cause.model_validate_json(text)
    except ValidationError:
        return Cause()


def build_refusal(
    status: int, text: str, location: str, url: str, *, token_sent: bool
) -> TeacherError:
    """Return the error for an answer whose status is not 2xx."""
    cause = read_cause(text)
    if cause.kind == "unusable_answer":
        return build_unusable_answer(cause.error, cause.answer, cause.cost)
    # n8n's own answers to 404 and 422 contain a stack trace, so only their start is shown.
    said = quote_answer(cause.error or text)
    problem, hint = _STATUSES.get(status, ("refused the request", "see what it said"))
    if cause.kind == "misconfigured":
        hint = "correct the Anthropic credential or the node Settings of the workflow in n8n"
    if status in (401, 403) and not token_sent:
        problem = "requires a token"
    if 300 <= status < 400:
        problem = f"redirects to {location or 'another address'}"
        hint = "set n8n.webhook_url to the final address"
    return TeacherUnavailable(f"{url} {problem} ({status}); {said}", hint)
