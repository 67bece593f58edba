"""The webhook teacher: asks an n8n workflow, or any server with the same request and response.

Request and response are described in `docs/architecture.md` (contracts). The meaning of n8n's
statuses was observed with n8n 2.39.10.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from teacher.answer import build_unusable_answer, quote_answer, read_answer
from teacher.catalog import ALIASES
from teacher.connection import Connection, check_connection, is_loopback, plan_connection
from teacher.deadline import DeadlineError, call_within
from teacher.errors import TeacherError, TeacherMisconfigured, TeacherUnavailable
from teacher.models import Usage
from teacher.prices import price_usage
from teacher.retry import Retries
from teacher.secret import read_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from teacher.models import Failure, KnownRule, Lesson

TOKEN_VARIABLE = "N8N_WEBHOOK_TOKEN"  # noqa: S105 - the variable's name, not a token
_GRACE_SECONDS = 1.0
"""Added to the timeout for the whole call, so that the timeouts of its steps are seen first."""
MAX_ANSWER_BYTES = 1024 * 1024
VERSION = 1
"""The version of the request format, raised when a key changes its meaning."""

WEBHOOK_RETRIES = Retries(tries=20)
"""As many tries as fit into two minutes: an n8n that was killed has restarted by then, and no
longer treats the request that it lost as one in progress."""

BillType = TypeVar("BillType", bound="_Bill")

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

_RETRYABLE_STATUSES = (429, 502, 503, 504)


class _Bill(BaseModel):
    """The model and the tokens that the shipped workflow adds to an answer.

    An answer that does not have them, such as one of n8n itself, is read as one without a bill.
    """

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    usage: Usage = Usage()

    @property
    def cost(self) -> Usage:
        return price_usage(ALIASES.get(self.model, self.model), self.usage)


class _Cause(_Bill):
    """The answer of the shipped workflow's error branch.

    `kind` is `try_again`, `misconfigured`, `bad_request`, or `unusable_answer`; the last has
    `answer`, the text of the model.
    """

    error: str = ""
    kind: str = ""
    answer: str = ""


class WebhookTeacher:
    """Asks a workflow for a lesson.

    Args:
        url: The production webhook. http is only allowed for this machine, unless `allow_http`.
        timeout_seconds: How long one request may take, from the DNS lookup to the last byte.
        token: The token; by default N8N_WEBHOOK_TOKEN. If that is unset, none is sent.
        token_header: The header of the token: in `Authorization` it is sent as `Bearer TOKEN`, in
            any other header without a prefix.
        allow_http: Whether diff, logs and token may be sent over the network unencrypted.
        retries: How often and how long to retry a request.
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
        """Check that URL and token can be used, and that the proxy answers. Costs nothing.

        Raises:
            TeacherMisconfigured: They cannot.
            TeacherUnavailable: A variable for proxy or certificates cannot be used.
        """
        self._check_settings()
        check_connection(self._url)

    def _check_settings(self) -> None:
        _check_url(self._url, allow_http=self._allow_http)
        read_secret(TOKEN_VARIABLE, self._token)

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the workflow what the failure teaches.

        Raises:
            TeacherMisconfigured: The URL or the token cannot be used.
            TeacherUnavailable: The workflow refused, was not reached, or failed after all retries.
            UnusableAnswer: The workflow's answer is not a lesson.
        """
        self._check_settings()
        import httpx

        content = json.dumps(build_request_body(failure, known_rules)).encode("ascii")
        try:
            text = self._retries.call(
                lambda: self._post_in_time(content), _RetryCondition().is_retryable, _read_headers
            )
        except httpx.HTTPStatusError as error:
            token_sent = self._token_header in self._client.headers
            raise _build_refusal(
                error.response, self._display_url, token_sent=token_sent
            ) from error
        except httpx.HTTPError as error:
            raise self._build_unreachable_error(error) from error
        bill = _parse_or_default(_Bill, text)
        return read_answer(text, known_rules, model=bill.model, usage=bill.cost)

    @cached_property
    def _client(self) -> httpx.Client:
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # so that MAX_ANSWER_BYTES limits what is sent
            # Lessons are minutes apart: an open connection would only have to be closed later.
            "Connection": "close",
        }
        if token := read_secret(TOKEN_VARIABLE, self._token):
            scheme = "Bearer " if self._token_header.lower() == "authorization" else ""
            headers[self._token_header] = f"{scheme}{token}"
        import httpx

        # Without the environment, because `plan_connection` has read and checked it.
        return httpx.Client(
            timeout=self._timeout,
            headers=headers,
            trust_env=False,
            proxy=self._connection.proxy_address,
            verify=self._connection.verify,
        )

    @cached_property
    def _connection(self) -> Connection:
        return plan_connection(self._url)

    @property
    def _display_url(self) -> str:
        # Without user, password and query, which may be secret.
        url = urlsplit(self._url)
        return SplitResult(url.scheme, url.netloc.rpartition("@")[2], url.path, "", "").geturl()

    def _post_in_time(self, content: bytes) -> str:
        """Send one request, and end it if it takes longer than the timeout as a whole."""
        try:
            return call_within(self._timeout + _GRACE_SECONDS, lambda: self._post_request(content))
        except DeadlineError:
            self._client.close()  # its thread ends with the connection
            del self._client
            raise self._build_late_error() from None

    def _post_request(self, content: bytes) -> str:
        """Send one request, and return the body of an answer with status 2xx."""
        import httpx

        body = bytearray()
        with self._client.stream("POST", self._url, content=content) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise build_unusable_answer(
                        "it is longer than 1 MB", body[:1000].decode(errors="replace")
                    )
        text = body.decode(errors="replace")
        if response.is_success:
            return text
        # The stream is consumed, so the error gets a response whose text can still be read.
        headers = {name: response.headers.get(name, "") for name in ("retry-after", "location")}
        readable = httpx.Response(response.status_code, headers=headers, text=text)
        raise httpx.HTTPStatusError("", request=response.request, response=readable)

    def _build_unreachable_error(self, error: httpx.HTTPError) -> TeacherUnavailable:
        import httpx

        if isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout)):
            return self._build_late_error()
        cause = str(error) or type(error).__name__
        hint = "start n8n or check n8n.webhook_url, then resume the run"
        return TeacherUnavailable(
            f"{self._display_url} was not reached: {cause}",
            self._connection.describe_failure(cause, hint),
        )

    def _build_late_error(self) -> TeacherUnavailable:
        return TeacherUnavailable(
            f"{self._display_url} did not answer within {self._timeout:g} s",
            "look at the workflow's last execution in n8n, or raise n8n.timeout",
        )


def build_request_body(failure: Failure, known_rules: Sequence[KnownRule]) -> dict[str, object]:
    """Return the body of the request, as a JSON object.

    `context` begins with the failure's summary. `idempotency_key` is equal for equal requests, so
    that a workflow can answer a retry with the stored answer. The same failure with other known
    rules is a different request and has a different key.
    """
    question = {
        "version": VERSION,
        "failure_type": str(failure.type),
        "task_description": failure.task,
        "context": "\n\n".join(part for part in (failure.summary, failure.context) if part),
        "diff": failure.diff,
        "error_logs": failure.logs,
        "known_rules": [
            {"id": known.id, **asdict(known.text)} | ({"note": known.note} if known.note else {})
            for known in known_rules
        ],
    }
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode("ascii")).hexdigest()
    return {**question, "idempotency_key": key}


def _check_url(url: str, *, allow_http: bool) -> None:
    hint = "set n8n.webhook_url to the production URL of the workflow's webhook"
    try:
        parsed = urlsplit(url)
        host, _ = parsed.hostname or "", parsed.port  # urlsplit checks both only on access
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
    """Decides which errors of one call are worth a retry."""

    def __init__(self) -> None:
        self._was_unreachable = False

    def is_retryable(self, error: BaseException) -> bool:
        import httpx

        if isinstance(error, httpx.HTTPStatusError):
            status = error.response.status_code
            cause = _parse_or_default(_Cause, error.response.text)
            # While n8n restarts, it answers 404 until its webhooks are registered.
            starting = status == 404 and self._was_unreachable
            return starting or (status in _RETRYABLE_STATUSES and cause.kind in ("", "try_again"))
        # Safe although the first try may have arrived: the workflow recognises the idempotency
        # key. A read timeout is no reason to retry, because the next answer would be late too.
        broken = (httpx.NetworkError, httpx.ConnectTimeout, httpx.RemoteProtocolError)
        self._was_unreachable = self._was_unreachable or isinstance(error, broken)
        return isinstance(error, broken)


def _read_headers(error: BaseException) -> Mapping[str, str]:
    response = getattr(error, "response", None)
    return response.headers if response is not None else {}


def _build_refusal(response: httpx.Response, url: str, *, token_sent: bool) -> TeacherError:
    """Return the error for an answer whose status is not 2xx."""
    status = response.status_code
    cause = _parse_or_default(_Cause, response.text)
    if cause.kind == "unusable_answer":
        return build_unusable_answer(cause.error, cause.answer, cause.cost)
    # n8n's own answers to 404 and 422 contain a stack trace, so only their start is shown.
    said = quote_answer(cause.error or response.text)
    problem, hint = _STATUSES.get(status, ("refused the request", "see what it said"))
    if cause.kind == "misconfigured":
        hint = "correct the Anthropic credential or the node Settings of the workflow in n8n"
    if status in (401, 403) and not token_sent:
        problem = "requires a token"
    if 300 <= status < 400:
        problem = f"redirects to {response.headers['location'] or 'another address'}"
        hint = "set n8n.webhook_url to the final address"
    return TeacherUnavailable(f"{url} {problem} ({status}); {said}", hint)


def _parse_or_default(kind: type[BillType], text: str) -> BillType:
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        return kind()
