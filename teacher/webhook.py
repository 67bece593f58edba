"""The teacher behind a webhook: an n8n workflow, or whatever speaks the same two messages.

Request and response are described in `docs/architecture.md` (contracts); what n8n answers in
which case was seen with n8n 2.39.10.
"""

from __future__ import annotations

import hashlib
import json
import time
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from teacher.answer import build_unusable_answer, quote_answer, read_answer
from teacher.catalog import ALIASES
from teacher.errors import TeacherError, TeacherMisconfigured, TeacherUnavailable
from teacher.loopback import build_direct_mounts, is_loopback
from teacher.models import Usage
from teacher.prices import price_usage
from teacher.retry import Retries
from teacher.secret import read_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from teacher.models import Failure, KnownRule, Lesson

TOKEN_VARIABLE = "N8N_WEBHOOK_TOKEN"  # noqa: S105 - the variable's name, not a token
MAX_ANSWER_BYTES = 1024 * 1024
VERSION = 1
"""Of the request's form. Goes up when a key changes its meaning."""

WEBHOOK_RETRIES = Retries(tries=20)
"""As often as fits into its two minutes: an n8n that was killed is back by then, and no longer
takes the request that it was killed with for one that is being worked on."""

B = TypeVar("B", bound="_Bill")

_WRONG_TOKEN = f"set {TOKEN_VARIABLE} to the value in the webhook's header-auth credential"
_NO_MODEL = (
    "could not get an answer from the model, or is only starting",
    "look at the workflow's credential and at the model's state, then resume the run",
)
_STATUSES = {
    400: ("could not use the request", "compare the workflow's version with the orchestrator's"),
    401: ("refused the token", _WRONG_TOKEN),
    403: ("refused the token", _WRONG_TOKEN),
    404: (
        "has no active workflow",
        "publish the workflow in n8n, and use its production URL, not the test one",
    ),
    413: ("takes no request of this size", "raise n8n's N8N_PAYLOAD_SIZE_MAX or its proxy's limit"),
    422: ("could not read the request", "compare the webhook node with N8N_SETUP.md"),
    429: ("has too much to do", "wait, then resume the run"),
    500: (
        "failed inside the workflow",
        "let n8n save failed executions (workflow settings), run again and look at the last one",
    ),
    502: _NO_MODEL,
    503: _NO_MODEL,
    504: _NO_MODEL,
}
"""What is wrong and its hint, for each status that means something here."""

_RETRYABLE_STATUSES = (429, 502, 503, 504)


class _Bill(BaseModel):
    """What the shipped workflow adds to an answer: which model spoke, and what it took.

    n8n's part of a wrong answer is read the same way; whatever does not fit counts as not there.
    """

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    usage: Usage = Usage()

    @property
    def cost(self) -> Usage:
        return price_usage(ALIASES.get(self.model, self.model), self.usage)


class _Cause(_Bill):
    """What the shipped workflow's error branch answers.

    `kind` is `try_again`, `misconfigured`, `bad_request`, or `unusable_answer`; the last comes
    with `answer`, the model's words.
    """

    error: str = ""
    kind: str = ""
    answer: str = ""


class WebhookTeacher:
    """Asks a workflow for a lesson.

    Args:
        url: The production webhook. http is for this machine only, unless `allow_http`.
        timeout_seconds: How long one request may take.
        token: The token; otherwise N8N_WEBHOOK_TOKEN of the environment. Without one none is sent.
        token_header: The header that carries it: `Authorization` has it as `Bearer TOKEN`, any
            other one as it is.
        allow_http: Whether diff, logs and token may go over the network in clear.
        retries: How often and how long a request is tried again.
    """

    def __init__(
        self,
        url: str,
        timeout_seconds: float = 60.0,
        token: str | None = None,
        *,
        token_header: str = "Authorization",  # noqa: S107 - a header's name, not a token
        allow_http: bool = False,
        retries: Retries = WEBHOOK_RETRIES,
    ) -> None:
        self._url = url.strip()
        self._timeout = timeout_seconds
        self._token = token
        self._token_header = token_header
        self._allow_http = allow_http
        self._retries = retries

    def preflight(self) -> None:
        """Make sure that URL and token can be used. Sends nothing.

        Raises:
            TeacherMisconfigured: They cannot.
        """
        _check_url(self._url, allow_http=self._allow_http)
        read_secret(TOKEN_VARIABLE, self._token)

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the workflow what the failure teaches.

        Raises:
            TeacherMisconfigured: The URL or the token cannot be used.
            TeacherUnavailable: The workflow refused, was not reached, or failed until the bound.
            UnusableAnswer: The workflow's answer is no lesson.
        """
        self.preflight()
        import httpx

        content = json.dumps(build_request_body(failure, known_rules)).encode("ascii")
        try:
            text = self._retries.call(
                lambda: self._post_request(content), _RetryCondition().is_retryable, _read_headers
            )
        except httpx.HTTPStatusError as error:
            token_sent = self._token_header in self._client.headers
            raise _build_refusal(
                error.response, self._display_url, token_sent=token_sent
            ) from error
        except httpx.HTTPError as error:
            raise _build_unreachable_error(error, self._display_url, self._timeout) from error
        bill = _parse_or_default(_Bill, text)
        return read_answer(text, known_rules, model=bill.model, usage=bill.cost)

    @cached_property
    def _client(self) -> httpx.Client:
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # so that the bound on the answer is one on its size
            # Lessons are minutes apart, so no connection is kept that somebody has to close.
            "Connection": "close",
        }
        if token := read_secret(TOKEN_VARIABLE, self._token):
            scheme = "Bearer " if self._token_header.lower() == "authorization" else ""
            headers[self._token_header] = f"{scheme}{token}"
        import httpx

        mounts = build_direct_mounts(self._url)
        return httpx.Client(timeout=self._timeout, headers=headers, mounts=mounts)

    @property
    def _display_url(self) -> str:
        # Without user, password and query, which may be secrets.
        url = urlsplit(self._url)
        return SplitResult(url.scheme, url.netloc.rpartition("@")[2], url.path, "", "").geturl()

    def _post_request(self, content: bytes) -> str:
        """One request. Gives the body of an answer of status 2xx."""
        import httpx

        deadline = time.monotonic() + self._timeout
        body = bytearray()
        with self._client.stream("POST", self._url, content=content) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise build_unusable_answer(
                        "it is longer than 1 MB", body[:1000].decode(errors="replace")
                    )
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer did not end", request=response.request)
        text = body.decode(errors="replace")
        if response.is_success:
            return text
        # The stream is used up, so the error gets an answer whose text can still be read.
        kept = {name: response.headers.get(name, "") for name in ("retry-after", "location")}
        readable = httpx.Response(response.status_code, headers=kept, text=text)
        raise httpx.HTTPStatusError("", request=response.request, response=readable)


def build_request_body(failure: Failure, known_rules: Sequence[KnownRule]) -> dict[str, object]:
    """What is sent: one JSON object.

    `context` begins with the failure's summary. `idempotency_key` is equal for equal requests,
    so a workflow can answer a repeated one from memory; the same failure under other rules is
    another question and has another key.
    """
    question = {
        "version": VERSION,
        "failure_type": str(failure.type),
        "task_description": failure.task,
        "context": "\n\n".join(part for part in (failure.summary, failure.context) if part),
        "diff": failure.diff,
        "error_logs": failure.logs,
        "known_rules": [
            {"id": r.id, "rule": r.text.rule, "when": r.text.when, "why": r.text.why}
            | ({"note": r.note} if r.note else {})
            for r in known_rules
        ],
    }
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode("ascii")).hexdigest()
    return {**question, "idempotency_key": key}


def _check_url(url: str, *, allow_http: bool) -> None:
    hint = "set n8n.webhook_url to the production URL of the workflow's webhook"
    try:
        parsed = urlsplit(url)
        host, _ = parsed.hostname or "", parsed.port  # both are judged when they are read
    except ValueError as error:
        raise TeacherMisconfigured(f"n8n.webhook_url cannot be read: {error}", hint) from None
    if not url:
        raise TeacherMisconfigured("n8n.webhook_url is empty", hint)
    if parsed.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise TeacherMisconfigured(f"n8n.webhook_url is not an https address: {url!r}", hint)
    if parsed.scheme == "http" and not allow_http and not is_loopback(host):
        raise TeacherMisconfigured(
            f"n8n.webhook_url would send diff, logs and token to {host} unencrypted", "use https"
        )


class _RetryCondition:
    """Tells which errors of one call may pass."""

    def __init__(self) -> None:
        self._was_away = False

    def is_retryable(self, error: BaseException) -> bool:
        import httpx

        if isinstance(error, httpx.HTTPStatusError):
            status, cause = (
                error.response.status_code,
                _parse_or_default(_Cause, error.response.text),
            )
            # An n8n that starts again answers before its webhooks are there.
            starting = status == 404 and self._was_away
            return starting or (status in _RETRYABLE_STATUSES and cause.kind in ("", "try_again"))
        # Safe although the first try may have arrived: the idempotency key tells the workflow so.
        # An answer that was late is not asked for again, for it would be late again.
        broken = (httpx.NetworkError, httpx.ConnectTimeout, httpx.RemoteProtocolError)
        self._was_away = self._was_away or isinstance(error, broken)
        return isinstance(error, broken)


def _read_headers(error: BaseException) -> Mapping[str, str]:
    response = getattr(error, "response", None)
    return response.headers if response is not None else {}


def _build_unreachable_error(
    error: httpx.HTTPError, url: str, timeout: float
) -> TeacherUnavailable:
    import httpx

    if isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout)):
        return TeacherUnavailable(
            f"{url} did not answer within {timeout:g} s",
            "look at the workflow's last execution in n8n, or raise n8n.timeout",
        )
    return TeacherUnavailable(
        f"{url} was not reached: {str(error) or type(error).__name__}",
        "start n8n or check n8n.webhook_url, then resume the run",
    )


def _build_refusal(response: httpx.Response, url: str, *, token_sent: bool) -> TeacherError:
    """One clear message for each status that n8n was seen to answer."""
    status = response.status_code
    cause = _parse_or_default(_Cause, response.text)
    if cause.kind == "unusable_answer":
        return build_unusable_answer(cause.error, cause.answer, cause.cost)
    said = quote_answer(cause.error or response.text)
    wrong, hint = _STATUSES.get(status, ("refused the request", "see what it said"))
    if cause.kind == "misconfigured":
        hint = "mend the Anthropic credential or the node Settings of the workflow in n8n"
    if status in (401, 403) and not token_sent:
        wrong = "wants a token"
    if 300 <= status < 400:
        wrong = f"points to {response.headers['location'] or 'another address'}"
        hint = "set n8n.webhook_url to the final address"
    return TeacherUnavailable(f"{url} {wrong} ({status}); {said}", hint)


def _parse_or_default(kind: type[B], text: str) -> B:
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        return kind()
