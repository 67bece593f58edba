"""Find out who sent an answer without a lesson: the workflow, n8n, or something in front of it.

What n8n sends was observed with n8n 2.39.10.
"""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from teacher.bill import Bill
from teacher.http_client import Reply
from teacher.webhook_client import STARTING

TRY_AGAIN: Final = "try_again"
NO_TASK_RUNNER: Final = "n8n's task runner did not answer"
"""How the error of the shipped workflow begins when n8n lost an answer that the model may have
given; `explain.js` says it."""

_NO_CREDENTIAL: Final = "No authentication data defined on node!"
_TOKEN_TEXTS: Final = (
    "Authorization data is wrong!",
    "Authorization is required!",
    "Authentication data is wrong!",
    "No token provided",
    "IP is not allowed to access the webhook!",
    _NO_CREDENTIAL,
)
"""What n8n's node Webhook sends as plain text."""
JWT_TEXTS: Final = ("jwt ", "invalid signature", "invalid token", "invalid algorithm")
"""How the texts of a node Webhook with JWT Auth begin."""

_FAILED: Final = {"message": "Error in workflow"}
"""What n8n sends when a workflow ended without an answer."""

_EXPRESS: Final = re.compile(r"<pre>([^<]*)</pre>")
_TITLE: Final = re.compile(r"<title>([^<]*)</title>", re.IGNORECASE)


class Cause(Bill):
    """The answer of the shipped workflow when it has no lesson.

    `kind` is `try_again`, `misconfigured`, `bad_request`, `timed_out`, `unknown_model`, `refused`,
    or `unusable_answer`; the last has `answer`, the text of the model.
    """

    error: str = ""
    kind: str = ""
    answer: str = ""


class Sender(StrEnum):
    """Who sent an answer."""

    WORKFLOW = "workflow"
    N8N = "n8n"
    OTHER = "other"
    """A proxy, a login page, a server that is no n8n."""


@dataclass(frozen=True)
class Refusal:
    """An answer without a lesson, and who sent it."""

    reply: Reply
    sender: Sender
    cause: Cause = field(default_factory=Cause)
    """What a workflow says."""
    said: str = ""
    """What the sender says, without stack traces and web pages."""

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.reply.status

    @property
    def is_failed_execution(self) -> bool:
        """Whether n8n ended the workflow without an answer, which was perhaps paid for."""
        return self.status == 500 and _read_object(self.reply.text) == _FAILED

    @property
    def is_unread_token(self) -> bool:
        """Whether n8n cannot read its credential: there is none, or its database is closed.

        An n8n that stops closes its database while it still accepts requests.
        """
        return self.status == 500 and self.said.startswith(_NO_CREDENTIAL)

    @property
    def is_unknown_webhook(self) -> bool:
        """Whether n8n itself says that it has no such webhook."""
        return self.sender is Sender.N8N and self.status == 404

    @property
    def is_starting(self) -> bool:
        """Whether n8n is starting: then it has no database yet, or no webhooks at all."""
        if self.sender is Sender.N8N:
            return self.status == 503
        # Once started, n8n answers all of `/webhook/` itself.
        return self.status == 404 and self.said.startswith("Cannot POST /webhook/")


def read_refusal(reply: Reply) -> Refusal:
    """Return who sent an answer, and what it says."""
    value = _read_object(reply.text)
    if isinstance(value.get("error"), str):
        cause = _read_cause(value)
        return Refusal(reply, Sender.WORKFLOW, cause, cause.error)
    if _is_of_n8n(reply.status, value):
        # Without the stack trace. The hint of an unknown webhook describes buttons of n8n 1.
        texts = [value["message"], value.get("hint") if reply.status != 404 else None]
        return Refusal(reply, Sender.N8N, said=" ".join(t for t in texts if isinstance(t, str)))
    text = reply.text.strip()
    if text in _TOKEN_TEXTS or text.startswith((STARTING, *JWT_TEXTS)):
        return Refusal(reply, Sender.N8N, said=text)
    return Refusal(reply, Sender.OTHER, said=_read_title(text))


def _is_of_n8n(status: int, value: Mapping[str, Any]) -> bool:
    message = value.get("message")
    if not isinstance(message, str):
        return False
    if status == 404:  # gateways say such things too, with the same keys
        return "webhook" in message and "is not registered" in message
    return value == _FAILED or type(value.get("code")) is int


def _read_object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_cause(value: Mapping[str, Any]) -> Cause:
    try:
        return Cause.model_validate(value)
    except ValidationError:
        return Cause(error=str(value["error"]))


def _read_title(text: str) -> str:
    """Return what a web page says: the text of Express, or a title; any other text as it is."""
    found = _EXPRESS.search(text) or _TITLE.search(text)
    return html.unescape(found[1]) if found else text
