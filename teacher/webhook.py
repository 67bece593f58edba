"""The webhook teacher: asks an n8n workflow, or any server with the same request and response.

Request and response are described in `docs/architecture.md` (contracts).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from teacher.answer import build_unusable_answer, read_answer
from teacher.bill import Bill, read_bill
from teacher.connection import Connection, check_connection, is_loopback, plan_connection
from teacher.deadline import DeadlineError, call_within
from teacher.errors import TeacherMisconfigured, TeacherUnavailable
from teacher.refusals import TOKEN_VARIABLE, build_refusal, read_cause
from teacher.retry import Retries
from teacher.secret import read_secret
from teacher.wrapped_answer import unwrap_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from teacher.models import Failure, KnownRule, Lesson

_GRACE_SECONDS = 1.0
"""Added to the timeout for the whole call, so that the timeouts of its steps are seen first."""
MAX_ANSWER_BYTES = 1024 * 1024
VERSION = 1
"""The version of the request format, raised when a key changes its meaning."""

WEBHOOK_RETRIES = Retries(tries=20)
"""As many tries as fit into two minutes: an n8n that was killed has restarted by then, and no
longer treats the request that it lost as one in progress."""

_NO_LESSON = (
    "try again; if it stays so, look at what the node Respond to Webhook sends: "
    'it has to be {"rule": ..., "when": ..., "why": ...}'
)

_RETRYABLE_STATUSES = (429, 502, 503, 504)


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
            answer = error.response
            raise build_refusal(
                answer.status_code,
                answer.text,
                answer.headers["location"],
                self._display_url,
                token_sent=token_sent,
            ) from error
        except httpx.HTTPError as error:
            raise self._build_unreachable_error(error) from error
        found = unwrap_answer(text, self._display_url)
        bill = _find_bill(found.objects)
        return read_answer(
            found.text, known_rules, model=bill.model, usage=bill.cost, hint=_NO_LESSON
        )

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
        text = body.decode("utf-8-sig", errors="replace")
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
            cause = read_cause(error.response.text)
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


def _find_bill(objects: Sequence[Mapping[str, object]]) -> Bill:
    """Return the bill in the innermost object that has one."""
    found = (each for each in reversed(objects) if "usage" in each or "model" in each)
    return read_bill(next(found, {}))
