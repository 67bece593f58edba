"""The webhook teacher: asks an n8n workflow, or any server with the same request and response.

Request and response are described in `docs/architecture.md` (contracts).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from teacher.address import format_address
from teacher.answer import read_answer
from teacher.bill import Bill, read_bill
from teacher.connection import check_connection, is_loopback
from teacher.errors import TeacherError, TeacherMisconfigured
from teacher.http_client import NoReplyError
from teacher.models import UNKNOWN_USAGE, Usage
from teacher.prompt import join_context, replace_surrogates
from teacher.refusals import MODEL_HINT, TOKEN_VARIABLE, Endpoint, build_refusal
from teacher.secret import read_secret
from teacher.unreachable import build_unreachable
from teacher.web_token import sign_web_token
from teacher.webhook_client import ReplyError, WebhookClient
from teacher.webhook_replies import read_refusal
from teacher.webhook_retries import WEBHOOK_RETRIES, Attempts
from teacher.wrapped_answer import unwrap_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teacher.models import Failure, KnownRule, Lesson
    from teacher.retry import Retries

VERSION: Final = 1
"""The version of the request format, raised when a key changes its meaning."""

_NO_LESSON: Final = (
    "try again; if it stays so, look at what the node Respond to Webhook sends: "
    'it has to be {"rule": ..., "when": ..., "why": ...}'
)


@dataclass(frozen=True)
class WebhookAnswer:
    """A workflow's answer: the lesson, and what the workflow says about itself."""

    lesson: Lesson
    workflow_version: int | None = None
    """The version of the shipped workflow; None if the answer has none, as those of version 1 and
    of other workflows."""
    remembered: bool = False
    """Whether the workflow answered from its memory, without asking the model."""


class WebhookTeacher:
    """Asks a workflow for a lesson.

    Args:
        url: The production webhook. http is only allowed for this machine, unless `allow_http`.
        timeout_seconds: How long one request may take, from the DNS lookup to the last byte.
        token: The token; by default N8N_WEBHOOK_TOKEN. If that is unset, none is sent.
        token_header: The header of the token: in `Authorization` it is sent as `Bearer TOKEN`, in
            any other header without a prefix.
        allow_http: Whether diff, logs and token may be sent over the network unencrypted.
        auth: `token` sends the token, `jwt` a JSON Web Token in `Authorization` that is signed with
            it.
        retries: How often and how long to retry a request.
        fresh: Whether the workflow asks the model even if it remembers an answer.
    """

    def __init__(
        self,
        url: str,
        timeout_seconds: float = 90.0,
        token: str | None = None,
        *,
        token_header: str = "Authorization",  # noqa: S107 - a header's name, not a token
        allow_http: bool = False,
        auth: Literal["token", "jwt"] = "token",
        retries: Retries = WEBHOOK_RETRIES,
        fresh: bool = False,
    ) -> None:
        self._url = url.strip()
        self._timeout = timeout_seconds
        self._token = token
        self._token_header = "Authorization" if auth == "jwt" else token_header
        self._auth = auth
        self._allow_http = allow_http
        self._retries = retries
        self._fresh = fresh
        self._was_reached = False

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
        if not read_secret(TOKEN_VARIABLE, self._token) and self._auth == "jwt":
            raise TeacherMisconfigured(
                f"n8n.auth is jwt, but {TOKEN_VARIABLE}, which signs the requests, is not set",
                f"set {TOKEN_VARIABLE} to the Secret of the JWT Auth credential in n8n",
            )

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the workflow what the failure teaches. Raises as `ask` does."""
        return self.ask(failure, known_rules).lesson

    def ask(self, failure: Failure, known_rules: Sequence[KnownRule]) -> WebhookAnswer:
        """Ask the workflow what the failure teaches, and what version it has.

        Raises:
            TeacherMisconfigured: The URL, the token or the workflow's model cannot be used.
            TeacherUnavailable: The workflow refused, was not reached, or failed after all retries.
            UnusableAnswer: The workflow's answer is not a lesson.
        """
        self._check_settings()
        content = self._build_content(failure, known_rules)
        attempts = Attempts(was_reached=self._was_reached)
        try:
            text = self._send(content, attempts)
            return self._read_answer(text, known_rules, attempts)
        except TeacherError as error:
            if attempts.may_have_cost:
                raise type(error)(error.message, error.hint, UNKNOWN_USAGE) from error
            raise
        finally:
            self._was_reached = attempts.was_reached

    def _build_content(self, failure: Failure, known_rules: Sequence[KnownRule]) -> bytes:
        # Beside the question: neither changes what is asked, so neither is in the key.
        limits = {"timeout_seconds": self._timeout} | ({"fresh": True} if self._fresh else {})
        return json.dumps(build_request_body(failure, known_rules) | limits).encode("ascii")

    def _send(self, content: bytes, attempts: Attempts) -> str:
        """Send a request until it is answered, and return the answer."""
        try:
            text = self._retries.call(
                lambda: self._client.send(content, self._sign()),
                attempts.is_retryable,
                _read_headers,
            )
        except ReplyError as error:
            raise build_refusal(read_refusal(error.reply), self._endpoint) from error
        except NoReplyError as error:
            raise build_unreachable(error, self._endpoint, self._client.connection) from error
        attempts.was_reached = True
        return text

    def _read_answer(
        self, text: str, known_rules: Sequence[KnownRule], attempts: Attempts
    ) -> WebhookAnswer:
        found = unwrap_answer(text, self._endpoint.shown)
        bill = _find_bill(found.objects)
        version = _find_value(found.objects, "workflow_version", int)
        remembered = bool(_find_value(found.objects, "remembered", bool))
        hint = _NO_LESSON if version is None else MODEL_HINT
        lesson = read_answer(found.text, known_rules, model=bill.model, usage=bill.cost, hint=hint)
        if remembered and not attempts.may_have_cost:
            lesson = replace(lesson, usage=Usage())  # another request has paid for it
        return WebhookAnswer(lesson, version, remembered)

    @cached_property
    def _client(self) -> WebhookClient:
        return WebhookClient(self._url, self._timeout)

    def _sign(self) -> dict[str, str]:
        """Return the header that shows that a request is the orchestrator's."""
        if not (token := read_secret(TOKEN_VARIABLE, self._token)):
            return {}
        if self._auth == "jwt":
            token = sign_web_token(token)
        scheme = "Bearer " if self._token_header.lower() == "authorization" else ""
        return {self._token_header: f"{scheme}{token}"}

    @property
    def _endpoint(self) -> Endpoint:
        return Endpoint(
            self._url,
            self._timeout,
            self._token_header,
            token_sent=bool(read_secret(TOKEN_VARIABLE, self._token)),
            is_signed=self._auth == "jwt",
        )


def build_request_body(failure: Failure, known_rules: Sequence[KnownRule]) -> dict[str, object]:
    """Return the body of the request, as a JSON object.

    `context` begins with the failure's summary. `idempotency_key` is equal for equal requests, so
    that a workflow can answer a retry with the stored answer. The same failure with other known
    rules is a different request and has a different key.
    """
    question = _replace_in_object(
        {
            "version": VERSION,
            "failure_type": str(failure.type),
            "task_description": failure.task,
            "context": join_context(failure),
            "diff": failure.diff,
            "error_logs": failure.logs,
            "known_rules": [
                {"id": known.id, **asdict(known.text)}
                | ({"note": known.note} if known.note else {})
                for known in known_rules
            ],
        }
    )
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode("ascii")).hexdigest()
    return {**question, "idempotency_key": key}


def _replace_in_object(value: dict[str, object]) -> dict[str, object]:
    """Return a JSON object whose texts can be encoded as UTF-8.

    File names and output that are not UTF-8 contain lone surrogates, which the API refuses. They
    become `?`, as in the local teacher's request.
    """
    replaced: dict[str, object] = json.loads(
        replace_surrogates(json.dumps(value, ensure_ascii=False))
    )
    return replaced


def _check_url(url: str, *, allow_http: bool) -> None:
    hint = "set n8n.webhook_url to the Production URL that the workflow's node Webhook shows"
    try:
        parsed = urlsplit(url)
        host, _ = parsed.hostname or "", parsed.port  # urlsplit checks both only on access
    except ValueError:  # its text may contain a part of a password
        raise TeacherMisconfigured(
            "n8n.webhook_url cannot be parsed",
            f"{hint}; in a user or password, write / as %2F, @ as %40, : as %3A and # as %23",
        ) from None
    if not url:
        raise TeacherMisconfigured("n8n.webhook_url is empty", hint)
    if parsed.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise TeacherMisconfigured(
            f"n8n.webhook_url is not an https address: {format_address(url)!r}", hint
        )
    if parsed.scheme == "http" and not allow_http and not is_loopback(host):
        raise TeacherMisconfigured(
            f"n8n.webhook_url would send diff, logs and token to {host} unencrypted",
            "use https; or, if you trust the network to there (a LAN, containers), set "
            "n8n.allow_http: true: whoever can listen in it then reads them",
        )


def _read_headers(error: BaseException) -> Mapping[str, str]:
    return error.reply.headers if isinstance(error, ReplyError) else {}


def _find_bill(objects: Sequence[Mapping[str, object]]) -> Bill:
    """Return the bill in the innermost object that has one."""
    found = (each for each in reversed(objects) if "usage" in each or "model" in each)
    return read_bill(next(found, {}))


def _find_value(objects: Sequence[Mapping[str, object]], key: str, kind: type[int]) -> int | None:
    """Return the value of a key in the innermost object that has one of this type."""
    values = (each.get(key) for each in reversed(objects))
    return next((value for value in values if type(value) is kind), None)
