"""Explain an answer of a webhook that is no lesson: what is wrong, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from teacher.address import format_address
from teacher.answer import build_unusable_answer, quote_answer
from teacher.catalog import ALIASES
from teacher.errors import TeacherError, TeacherMisconfigured, TeacherUnavailable
from teacher.webhook_replies import JWT_TEXTS, Refusal, Sender

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_VARIABLE: Final = "N8N_WEBHOOK_TOKEN"  # noqa: S105 - the variable's name, not a token

MODEL_HINT: Final = "try again, or choose another model or prompt in the workflow's node Settings"
"""What to do about a text of the shipped workflow's model that is no lesson."""

_PRODUCTION_URL: Final = "the Production URL that the node Webhook shows"
USE_PRODUCTION_URL: Final = f"set n8n.webhook_url to {_PRODUCTION_URL}"
_LET_THROUGH: Final = "let the webhook's path pass the proxy in front of n8n without a login"
_BASIC: Final = (
    "it asks for a user and a password: set n8n.webhook_url to https://USER:PASSWORD@... and, as "
    "these replace a token in Authorization, n8n.token_header and the node Webhook's credential to "
    "another header"
)
_LOGIN: Final = re.compile(r"log-?in|sign-?in|sso|oauth|saml|auth(?:$|[/.?])|cdn-cgi/access", re.I)


@dataclass(frozen=True)
class Endpoint:
    """What was asked, and with what."""

    address: str
    """May contain a password, so it must not be printed."""
    timeout_seconds: float
    token_header: str = "Authorization"  # noqa: S105 - a header's name, not a token
    token_sent: bool = False
    is_signed: bool = False
    """Whether a JSON Web Token is sent, and not the token itself."""

    @property
    def shown(self) -> str:
        """The address for messages."""
        return format_address(self.address)

    @property
    def path(self) -> str:
        """The path of the address."""
        return urlsplit(self.address).path

    @property
    def has_password(self) -> bool:
        """Whether a user or password is sent, which replaces a token in `Authorization`."""
        return "@" in urlsplit(self.address).netloc


def build_refusal(refusal: Refusal, endpoint: Endpoint) -> TeacherError:
    """Return the error for an answer that is no lesson."""
    cause, status = refusal.cause, refusal.status
    if cause.kind == "unusable_answer":
        hint = _find_model_hint(cause.error)
        return build_unusable_answer(cause.error, cause.answer, cause.cost, hint)
    if cause.kind == "unknown_model":
        return TeacherMisconfigured(
            f"the workflow's model is not known ({status}); {quote_answer(cause.error)}",
            f"set model in the workflow's node Settings to one of {', '.join(ALIASES.values())}, "
            "or correct base_url there if it is set",
        )
    problem, hint = _explain_refusal(refusal, endpoint)
    said = quote_answer(refusal.said)
    return TeacherUnavailable(f"{endpoint.shown} {problem} ({status}); {said}", hint)


def _find_model_hint(problem: str) -> str:
    """Return what to do about a text that the workflow's model gave in place of a lesson."""
    if problem.startswith("it was cut off"):
        return "raise max_tokens in the workflow's node Settings"
    if problem.startswith("the model refused"):
        return "check what was sent, and report the failure yourself, without what it objects to"
    return MODEL_HINT


def _explain_refusal(refusal: Refusal, endpoint: Endpoint) -> tuple[str, str]:
    """Return what is wrong, after the address, and what to do about it."""
    if refusal.sender is Sender.WORKFLOW and refusal.cause.kind in _KINDS:
        return _KINDS[refusal.cause.kind](endpoint)
    if 300 <= refusal.status < 400:
        return _explain_redirect(refusal, endpoint)
    if explain := _STATUSES.get(refusal.status):
        return explain(refusal, endpoint)
    if refusal.status >= 500:
        return _explain_gateway(refusal, endpoint)
    return "refused the request", "look at what answers at this address"


_STARTING: Final = (
    "has no webhooks yet: n8n is starting",
    f"try again when n8n has started; if it stays so, set n8n.webhook_url to {_PRODUCTION_URL}",
)


def _explain_timeout(endpoint: Endpoint) -> tuple[str, str]:
    return (
        "got no answer from the model in time",
        f"raise n8n.timeout (now {endpoint.timeout_seconds:g} s): the workflow waits 5 s less for "
        "the model",
    )


_KINDS: Final[dict[str, Callable[[Endpoint], tuple[str, str]]]] = {
    "try_again": lambda _: (
        "could not get an answer from the model",
        "try again later; if it stays so, look at what it names: n8n itself, or the model's API",
    ),
    "misconfigured": lambda _: (
        "could not ask the model",
        "correct the Anthropic credential or the node Settings of the workflow in n8n; for credit, "
        "see the account that the credential is of",
    ),
    "refused": lambda _: (
        "could not get an answer from the model",
        "check the limits and the credit of the account that the workflow's credential is of",
    ),
    "bad_request": lambda _: (
        "could not use the request",
        "import the workflow that `orchestrator teacher workflow` prints, if it is another version",
    ),
    "timed_out": _explain_timeout,
}
"""For each kind of the shipped workflow, what is wrong and what to do about it."""


def _explain_token(refusal: Refusal, endpoint: Endpoint) -> tuple[str, str]:
    if refusal.sender is Sender.OTHER:
        is_basic = refusal.reply.headers.get("www-authenticate", "").lower().startswith("basic")
        return (
            "was not reached, because something in front of it refused the request",
            _BASIC if is_basic else _LET_THROUGH,
        )
    if refusal.said.startswith("IP is not allowed"):
        return "refused the address of this machine", "add it to IP(s) Allowlist of the node"
    if refusal.said.startswith("jwt expired"):
        return "refused the signed token as too old", "set the clocks of both machines"
    if endpoint.has_password and endpoint.token_header.lower() == "authorization":
        return (
            "refused the user and password",
            "correct them in n8n.webhook_url, or remove them: they are sent in place of a token "
            "in Authorization",
        )
    if refusal.said == "Authorization is required!":
        return (
            "requires a user and a password",
            "choose Header Auth in the node Webhook, as in the workflow that `orchestrator teacher "
            "workflow` prints, or set n8n.webhook_url to https://USER:PASSWORD@...",
        )
    problem = "refused the token" if endpoint.token_sent else "requires a token"
    return problem, _describe_token(refusal, endpoint)


def _describe_token(refusal: Refusal, endpoint: Endpoint) -> str:
    """Return which token the node Webhook expects."""
    if endpoint.is_signed or refusal.said.startswith(JWT_TEXTS):
        return (
            f"{'' if endpoint.is_signed else 'set n8n.auth: jwt and '}set {TOKEN_VARIABLE} to the "
            "Secret of the node Webhook's JWT Auth credential, with Key Type Passphrase and "
            "Algorithm HS256"
        )
    is_own = endpoint.token_header.lower() == "authorization"
    value = "`Bearer `, followed by the token" if is_own else "the token alone"
    return (
        f"set {TOKEN_VARIABLE} to the token alone: in n8n, the node Webhook has a Header Auth "
        f"credential with the name {endpoint.token_header} and, as value, {value}"
    )


def _explain_not_found(refusal: Refusal, endpoint: Endpoint) -> tuple[str, str]:
    path = endpoint.path
    if refusal.is_starting:
        return _STARTING
    if not refusal.is_unknown_webhook:
        what = "is not a webhook of n8n"
        if "/workflow/" in path:
            what = "is the address of n8n's editor, and not of a webhook"
        return what, f"set n8n.webhook_url to {_PRODUCTION_URL}, such as https://HOST/webhook/NAME"
    if "/webhook-test/" in path:
        return (
            "is the Test URL, which works only while the editor listens",
            f"publish the workflow, and set n8n.webhook_url to {_PRODUCTION_URL}",
        )
    if "Did you mean" in refusal.said:
        return "has a webhook, but not for POST", "set HTTP Method of the node Webhook to POST"
    return (
        "has no active workflow",
        f"publish the workflow in n8n, and compare n8n.webhook_url with {_PRODUCTION_URL}; an n8n "
        "that has just started needs some seconds",
    )


def _explain_server_error(refusal: Refusal, endpoint: Endpoint) -> tuple[str, str]:
    del endpoint
    if refusal.is_unread_token:
        return (
            "cannot read its token",
            f"set {TOKEN_VARIABLE} and N8N_BLOCK_ENV_ACCESS_IN_NODE=false where n8n starts, or "
            "choose the credential in the node Webhook; if n8n was stopping, try again",
        )
    if refusal.is_failed_execution:
        return (
            "failed inside the workflow",
            "n8n was stopping, or its task runner was not there: try again; if it stays so, set "
            "the workflow to save failed executions, and look at the last one",
        )
    if refusal.sender is Sender.N8N:
        return (
            "could not run the workflow",
            "open the workflow in n8n's editor: a node may be unknown to this version of n8n, or "
            "lack its credential",
        )
    return "failed", "look at the log of the server that answers at this address"


def _explain_gateway(refusal: Refusal, endpoint: Endpoint) -> tuple[str, str]:
    if refusal.is_starting:
        return _STARTING
    if refusal.sender is Sender.WORKFLOW:
        return (
            "could not get an answer from the model",
            "check the workflow's credential, and the state of the model's API",
        )
    if refusal.status in (504, 524):
        return (
            "was given up by a proxy in front of it, which waited too long",
            f"raise the proxy's timeout above n8n.timeout (now {endpoint.timeout_seconds:g} s), or "
            "set n8n.timeout below the proxy's",
        )
    if refusal.status in (525, 526):
        return (
            "has a certificate that the proxy in front of it does not accept",
            "renew the certificate of the server that n8n is on",
        )
    return (
        "was not reached by the proxy in front of it",
        "start n8n, or correct the address of n8n in the proxy's settings",
    )


def _explain_bad_request(refusal: Refusal, endpoint: Endpoint) -> tuple[str, str]:
    if "https port" in refusal.said.lower():
        return "expects https", "set n8n.webhook_url to the same address with https"
    if refusal.sender is Sender.OTHER:
        return _explain_not_found(refusal, endpoint)
    return _KINDS["bad_request"](endpoint)


def _explain_redirect(refusal: Refusal, endpoint: Endpoint) -> tuple[str, str]:
    try:
        location = urljoin(endpoint.address, refusal.reply.headers.get("location", ""))
        there, here = urlsplit(location), urlsplit(endpoint.address)
    except ValueError:
        return (
            "redirects to an address that cannot be parsed",
            USE_PRODUCTION_URL,
        )
    problem = f"redirects to {format_address(location)}"
    if location == endpoint.address:
        return "redirects to itself", USE_PRODUCTION_URL
    if there.path == here.path:
        return problem, f"set n8n.webhook_url to {format_address(location)}"
    if _LOGIN.search(f"{there.hostname}{there.path}"):
        return f"{problem}, a login page", _LET_THROUGH
    return problem, USE_PRODUCTION_URL


_STATUSES: Final[dict[int, Callable[[Refusal, Endpoint], tuple[str, str]]]] = {
    400: _explain_bad_request,
    401: _explain_token,
    403: _explain_token,
    404: _explain_not_found,
    405: _explain_not_found,
    413: lambda *_: (
        "does not accept a request of this size",
        "raise N8N_PAYLOAD_SIZE_MAX where n8n starts, or the limit of the proxy in front of it",
    ),
    422: lambda *_: (
        "could not parse the request",
        "compare the node Webhook with that of `orchestrator teacher workflow`",
    ),
    429: lambda *_: ("has too many requests", "wait, then try again"),
    500: _explain_server_error,
}
"""For each status with a known meaning, what explains it."""
