"""The local teacher: asks Anthropic's Messages API through the anthropic SDK.

The only module that imports the SDK. The import takes a second of CPU time, so it is delayed until
the first call of `teach`: a run without failures does not pay for it.

Longer than 350 lines: all that is known about the SDK, its errors included, stands here.
"""

from __future__ import annotations

import gc
import json
import os
import ssl
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import BaseModel

from teacher.address import format_address
from teacher.answer import ANSWER_SCHEMA, build_unusable_answer, quote_answer, read_answer
from teacher.bill import price_counts, read_counts
from teacher.catalog import ALIASES, DEFAULT_MODEL, resolve_model
from teacher.connection import Connection, check_connection, find_origin, plan_connection
from teacher.deadline import DeadlineError, call_within
from teacher.errors import NoKey, TeacherError, TeacherMisconfigured, TeacherUnavailable
from teacher.prompt import Request, build_request, check_prompts
from teacher.retry import Retries
from teacher.second_look import (
    SECOND_LOOK_SCHEMA,
    SecondLook,
    build_second_look,
    read_second_look,
)
from teacher.secret import read_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import anthropic

    from teacher.models import Failure, FailureType, KnownRule, Lesson, RuleText, Usage

OWN_KEY_VARIABLE = "ORCHESTRATOR_TEACHER_API_KEY"
"""The teacher's own key, which takes precedence and which no agent or suite receives."""
KEY_VARIABLE = "ANTHROPIC_API_KEY"
TOKEN_VARIABLE = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 - the variable's name, not a token

_RETRYABLE_STATUSES = (408, 409, 429)
"""Statuses below 500 that are retried; all statuses from 500 on are retried, too."""

_OFFICIAL_API = "https://api.anthropic.com"

_GRACE_SECONDS = 1.0
"""Added to the timeout for the whole call, so that the timeouts of its steps are seen first."""

_STATUS_HINTS = {
    401: "the API does not accept this key: correct {key}",
    402: "check the account's credit",
    403: "the key may not use this model: check {key} and teacher.model",
    413: "the evidence is too large for one request: report the failure yourself, with less of it",
    429: "wait until the rate limit resets",
}
_RETRY_LATER_HINT = "the API has a temporary problem: try again later"


class _Message(BaseModel):
    """The parts of a message that are used here: its usage and its text."""

    usage: dict[str, object]
    stop_reason: str | None = None
    content: object = None

    @property
    def text(self) -> str:
        blocks = self.content if isinstance(self.content, list) else []
        texts = (block.get("text") for block in blocks if isinstance(block, dict))
        return "".join(text for text in texts if isinstance(text, str))


class LocalTeacher:
    """Asks a Claude model for a lesson.

    Args:
        model: A model's name; a retired one is replaced, see `notice`.
        max_tokens: Limit on the tokens of one answer.
        prompts: Prompts that replace the default for some types of failure, see
            `teacher.prompt.build_system_prompt`.
        own_key: The teacher's own key, which takes precedence; by default
            ORCHESTRATOR_TEACHER_API_KEY.
        api_key: The key; by default ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN.
        base_url: The address of the API; by default ANTHROPIC_BASE_URL, or else Anthropic's.
        timeout_seconds: How long one request may take, from the DNS lookup to the last byte.
        retries: How often and how long to retry a request.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        max_tokens: int = 1024,
        prompts: Mapping[FailureType, str] | None = None,
        *,
        own_key: str | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout_seconds: float = 120.0,
        retries: Retries | None = None,
    ) -> None:
        self._model = resolve_model(model)
        self._max_tokens = max_tokens
        self._prompts = dict(prompts or {})
        self._own_key, self._api_key = own_key, api_key
        self._base_url = base_url or os.environ.get("ANTHROPIC_BASE_URL") or _OFFICIAL_API
        self._timeout = timeout_seconds
        self._retries = retries or Retries()

    @property
    def model(self) -> str:
        """The name of the model that is asked."""
        return self._model.id

    @property
    def notice(self) -> str:
        """A line for the user about the model, such as that it was replaced; empty if none."""
        return self._model.notice

    def preflight(self) -> None:
        """Check that a key is set, all prompts exist and the proxy answers. Costs nothing.

        Raises:
            TeacherMisconfigured: The key or a prompt is missing.
            TeacherUnavailable: A variable for proxy or certificates cannot be used.
        """
        self._find_credentials()
        check_prompts(self._prompts)
        check_connection(self._base_url)

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the model what the failure teaches.

        Raises:
            TeacherMisconfigured: No key, an unknown prompt, or a model that the API does not know.
            TeacherUnavailable: The API refused the request, could not be reached, or failed after
                all retries.
            UnusableAnswer: The model's answer was billed, but is not a lesson.
        """
        request = build_request(failure, known_rules, self._prompts)
        message = self._ask_model(request, ANSWER_SCHEMA)
        usage = self._calculate_usage(message)
        text = _require_complete_text(message, usage, self._max_tokens)
        return read_answer(text, known_rules, model=self.model, usage=usage)

    def examine_rule(self, text: RuleText) -> SecondLook:
        """Ask the model about the text of a rule alone.

        Raises:
            TeacherError: As for `teach`.
        """
        message = self._ask_model(build_second_look(text), SECOND_LOOK_SCHEMA)
        usage = self._calculate_usage(message)
        return read_second_look(_require_complete_text(message, usage, self._max_tokens), usage)

    @property
    def key_origin(self) -> str:
        """The variable that the key comes from.

        Raises:
            TeacherMisconfigured: There is no key, or it cannot be sent.
        """
        return self._find_credentials()[0]

    def has_key(self) -> bool:
        """Return whether a key or a token is set.

        Raises:
            TeacherMisconfigured: There is one, but it cannot be sent.
        """
        try:
            self._find_credentials()
        except NoKey:
            return False
        return True

    def _find_credentials(self) -> tuple[str, str]:
        """Return the variable that has the key or the token, and its value."""
        for variable, given in ((OWN_KEY_VARIABLE, self._own_key), (KEY_VARIABLE, self._api_key)):
            if key := read_secret(variable, given):
                return variable, key
        if token := read_secret(TOKEN_VARIABLE):
            return TOKEN_VARIABLE, token
        raise NoKey(
            "the teacher has no API key",
            f"set {OWN_KEY_VARIABLE}, which only the teacher uses "
            f"(https://console.anthropic.com), or set teacher.mode to claude, which uses your "
            f"login of Claude Code; with {KEY_VARIABLE}, the agent would use the key too",
        )

    @property
    def _address(self) -> str:
        return format_address(self._base_url)

    @cached_property
    def _connection(self) -> Connection:
        return plan_connection(self._base_url)

    @cached_property
    def _client(self) -> anthropic.Anthropic:
        origin, secret = self._find_credentials()
        connection = self._connection
        with _pause_garbage_collection():
            import anthropic
            import httpx2

        return anthropic.Anthropic(
            # Without the environment, because `plan_connection` has read and checked it. The SDK's
            # own client reads its proxies all the same before anthropic 2.14.
            http_client=httpx2.Client(
                trust_env=False,
                proxy=connection.proxy_address,
                verify=connection.verify,
                follow_redirects=True,
            ),
            api_key=None if origin == TOKEN_VARIABLE else secret,
            auth_token=secret if origin == TOKEN_VARIABLE else None,
            base_url=self._base_url,
            timeout=self._timeout,
            max_retries=0,  # `Retries` does this, with its own time limit
            # Lessons are minutes apart: an open connection would only have to be closed later.
            default_headers={"Connection": "close"},
        )

    def _ask_model(self, request: Request, schema: dict[str, object]) -> _Message:
        import anthropic

        try:
            text = self._retries.call(
                lambda: self._send_in_time(request, schema), _is_retryable, _read_headers
            )
        except anthropic.APIStatusError as error:
            raise self._build_refusal(error) from error
        except anthropic.APIConnectionError as error:
            raise self._build_unreachable_error(error) from error
        try:
            # Not by pydantic's parser: it refuses a message, and so its bill, for a lone surrogate.
            return _Message.model_validate(json.loads(text))
        except (ValueError, RecursionError):
            raise TeacherUnavailable(
                f"the server at {self._address} does not speak the Messages API; "
                f"{quote_answer(text)}",
                "check ANTHROPIC_BASE_URL, and any proxy or gateway on the way to the API",
            ) from None

    def _send_in_time(self, request: Request, schema: dict[str, object]) -> str:
        """Send one request, and end it if it takes longer than the timeout as a whole."""
        try:
            return call_within(
                self._timeout + _GRACE_SECONDS, lambda: self._send_request(request, schema)
            )
        except DeadlineError:
            self._client.close()  # its thread ends with the connection
            del self._client
            raise TeacherUnavailable(
                f"the API at {self._address} did not answer within {self._timeout:g} s",
                "check the network and any gateway on the way, or raise teacher.timeout",
            ) from None

    def _send_request(self, request: Request, schema: dict[str, object]) -> str:
        # Raw, because the SDK does not validate answers: it accepts any JSON as a message.
        response = self._client.messages.with_raw_response.create(
            model=self.model,
            max_tokens=self._max_tokens,
            system=[
                {
                    "type": "text",
                    "text": request.system,
                    "cache_control": {"type": "ephemeral"},
                }
            ],
            messages=[{"role": "user", "content": request.user}],
            output_config={"format": {"type": "json_schema", "schema": schema}},
        )
        return response.http_response.text

    def _calculate_usage(self, message: _Message) -> Usage:
        return price_counts(self.model, read_counts(message.usage or None))

    def _build_refusal(self, error: anthropic.APIStatusError) -> TeacherError:
        """Return the error for an answer whose status is not 200."""
        # The SDK says that the message is text, and returns whatever stands in its place.
        message: object = error.api_message
        said = quote_answer(message if message and isinstance(message, str) else error.message)
        status = error.status_code
        if status == 404:
            return TeacherMisconfigured(
                f"the API does not know the model {self.model} (404); {said}",
                f"set teacher.model to one of {', '.join(ALIASES.values())}",
            )
        hint = _STATUS_HINTS.get(
            status, _RETRY_LATER_HINT if status >= 500 else "check what the API reported"
        ).format(key=self.key_origin)
        return TeacherUnavailable(f"the API refused the request ({status}); {said}", hint)

    def _build_unreachable_error(self, error: anthropic.APIConnectionError) -> TeacherUnavailable:
        cause = str(error.__cause__ or error) or type(error).__name__
        hint = "check the network and ANTHROPIC_BASE_URL"
        return TeacherUnavailable(
            f"the API at {self._address} could not be reached: {cause}",
            self._connection.describe_failure(cause, hint),
        )


@contextmanager
def _pause_garbage_collection() -> Iterator[None]:
    """Disable garbage collection during an import.

    The SDK has 3,500 modules and frees none of their objects: garbage collection took a fifth of
    the import time and freed nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _require_complete_text(message: _Message, usage: Usage, max_tokens: int) -> str:
    """Return the text of an answer, which must be complete.

    Raises:
        UnusableAnswer: The answer was cut off, or the model refused.
    """
    text = message.text
    match message.stop_reason:
        case "max_tokens" | "model_context_window_exceeded":
            hint = f"raise teacher.max_tokens (now {max_tokens})"
            raise build_unusable_answer("it was cut off", text, usage, hint)
        case "refusal":
            hint = "check the evidence in the run's record, and report the failure yourself"
            raise build_unusable_answer("the model refused to answer", text, usage, hint)
    return text


def _is_retryable(error: BaseException) -> bool:
    import anthropic

    if isinstance(error, anthropic.APIStatusError):
        if error.response.headers.get("x-should-retry") == "false":
            return False
        return error.status_code in _RETRYABLE_STATUSES or error.status_code >= 500
    if isinstance(find_origin(error), ssl.SSLCertVerificationError):
        return False  # it will not be another certificate
    return isinstance(error, anthropic.APIConnectionError)


def _read_headers(error: BaseException) -> Mapping[str, str]:
    response = getattr(error, "response", None)
    return response.headers if response is not None else {}
