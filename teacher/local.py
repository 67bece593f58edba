"""The teacher on this machine: Anthropic's Messages API through the anthropic SDK.

The only module that knows the SDK. Importing it takes a second of CPU time, so that happens in the
first `teach`: a run that learns nothing never pays for it.
"""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from teacher.answer import ANSWER_SCHEMA, build_unusable_answer, quote_answer, read_answer
from teacher.catalog import ALIASES, DEFAULT_MODEL, resolve_model
from teacher.errors import NoKey, TeacherError, TeacherMisconfigured, TeacherUnavailable
from teacher.loopback import build_direct_mounts
from teacher.models import Failure, FailureType, KnownRule, Lesson, Usage
from teacher.prices import price_usage
from teacher.prompt import Request, build_request, check_prompts
from teacher.retry import Retries
from teacher.secret import read_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import anthropic

KEY_VARIABLE = "ANTHROPIC_API_KEY"
TOKEN_VARIABLE = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 - the variable's name, not a token

_RETRYABLE_STATUSES = (408, 409, 429)
"""Statuses below 500 that pass if one waits; every one from 500 on is taken to pass too."""

_STATUS_HINTS = {
    401: f"check {KEY_VARIABLE}",
    402: "check the account's credit",
    403: f"the key may not use this model: check {KEY_VARIABLE} and teacher.model",
    413: "the evidence is too large for one request: report the failure by hand, in short",
    429: "wait until the rate limit has passed, then resume the run",
}
_RETRY_LATER_HINT = "the API is in trouble: resume the run later"


class _TokenCounts(BaseModel):
    """The tokens of an answer, as `usage` of the Messages API names them."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Message(BaseModel):
    """What we rely on of a message: its bill, and whatever text is in it."""

    usage: _TokenCounts
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
        max_tokens: Most tokens of one answer.
        prompts: Other prompts for some types of failure, see `teacher.prompt.build_system_prompt`.
        api_key: The key; otherwise ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN of the environment.
        base_url: Another address of the API; otherwise ANTHROPIC_BASE_URL or Anthropic's own.
        timeout_seconds: How long one request may stay without any answer.
        retries: How often and how long a request is tried again.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        max_tokens: int = 1024,
        prompts: Mapping[FailureType, str] | None = None,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout_seconds: float = 120.0,
        retries: Retries | None = None,
    ) -> None:
        self._model = resolve_model(model)
        self._max_tokens = max_tokens
        self._prompts = dict(prompts or {})
        self._api_key = api_key
        self._base_url = base_url
        self._timeout = timeout_seconds
        self._retries = retries or Retries()

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self._model.id

    @property
    def notice(self) -> str:
        """A line for the user when another model than the configured one is asked; else empty."""
        return self._model.notice

    def preflight(self) -> None:
        """Make sure that a key and the prompts are there. Sends nothing and spends nothing.

        Raises:
            TeacherMisconfigured: Something is missing.
        """
        self._find_credentials()
        check_prompts(self._prompts)

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the model what the failure teaches.

        Raises:
            TeacherMisconfigured: No key, no such prompt, or a model that the API does not know.
            TeacherUnavailable: The API refused, was not reached, or failed until the bound.
            UnusableAnswer: The model's answer was billed and is no lesson.
        """
        message = self._ask_model(build_request(failure, known_rules, self._prompts))
        usage = self._calculate_usage(message)
        text = _require_complete_text(message, usage, self._max_tokens)
        return read_answer(text, known_rules, model=self.model, usage=usage)

    def _find_credentials(self) -> dict[str, str]:
        key = read_secret(KEY_VARIABLE, self._api_key)
        if key:
            return {"api_key": key}
        token = read_secret(TOKEN_VARIABLE)
        if token:
            return {"auth_token": token}
        raise NoKey(
            "the teacher has no API key",
            f"set {KEY_VARIABLE} (https://console.anthropic.com), or teacher.mode to webhook",
        )

    @cached_property
    def _client(self) -> anthropic.Anthropic:
        credentials = self._find_credentials()
        with _pause_garbage_collection():
            import anthropic

        base_url = self._base_url or os.environ.get("ANTHROPIC_BASE_URL", "")
        return anthropic.Anthropic(
            http_client=anthropic.DefaultHttpxClient(mounts=build_direct_mounts(base_url)),
            api_key=credentials.get("api_key"),
            auth_token=credentials.get("auth_token"),
            base_url=self._base_url,
            timeout=self._timeout,
            max_retries=0,  # `Retries` does it, within our bound
            # Lessons are minutes apart, so no connection is kept that somebody has to close.
            default_headers={"Connection": "close"},
        )

    def _ask_model(self, request: Request) -> _Message:
        client = self._client
        import anthropic

        try:
            text = self._retries.call(
                lambda: self._send_request(request), _is_retryable, _read_headers
            )
        except anthropic.APIStatusError as error:
            raise self._build_refusal(error) from error
        except anthropic.APIConnectionError as error:
            raise _build_unreachable_error(error, str(client.base_url)) from error
        try:
            return _Message.model_validate_json(text)
        except ValidationError:
            raise TeacherUnavailable(
                f"what answers at {client.base_url} is not the Messages API; {quote_answer(text)}",
                "check ANTHROPIC_BASE_URL, and what stands between here and the API",
            ) from None

    def _send_request(self, request: Request) -> str:
        # Raw, because the SDK takes whatever comes for a message, without looking at it.
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
            output_config={"format": {"type": "json_schema", "schema": ANSWER_SCHEMA}},
        )
        return response.http_response.text

    def _calculate_usage(self, message: _Message) -> Usage:
        billed = message.usage
        tokens = Usage(
            input_tokens=billed.input_tokens,
            output_tokens=billed.output_tokens,
            cache_read_tokens=billed.cache_read_input_tokens or 0,
            cache_write_tokens=billed.cache_creation_input_tokens or 0,
        )
        return price_usage(self.model, tokens)

    def _build_refusal(self, error: anthropic.APIStatusError) -> TeacherError:
        """The error for an answer that is not 200, with a hint where there is one."""
        status, said = error.status_code, quote_answer(error.api_message or error.message)
        if status == 404:
            return TeacherMisconfigured(
                f"the API does not know the model {self.model} (404); {said}",
                f"set teacher.model to one of {', '.join(ALIASES.values())}",
            )
        hint = _STATUS_HINTS.get(
            status, _RETRY_LATER_HINT if status >= 500 else "see what the API said"
        )
        return TeacherUnavailable(f"the API refused the request ({status}); {said}", hint)


@contextmanager
def _pause_garbage_collection() -> Iterator[None]:
    """Keep the garbage collector from looking at what an import makes, again and again.

    The SDK is 3,500 modules and drops none of them: a fifth of its import went into that.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _require_complete_text(message: _Message, usage: Usage, max_tokens: int) -> str:
    """The model's words, unless it stopped before their end."""
    text = message.text
    match message.stop_reason:
        case "max_tokens" | "model_context_window_exceeded":
            hint = f"raise teacher.max_tokens (now {max_tokens})"
            raise build_unusable_answer("it was cut off", text, usage, hint)
        case "refusal":
            hint = "look at the evidence in the run's record; report the failure by hand"
            raise build_unusable_answer("the model refused to answer", text, usage, hint)
    return text


def _is_retryable(error: BaseException) -> bool:
    import anthropic

    if isinstance(error, anthropic.APIStatusError):
        if error.response.headers.get("x-should-retry") == "false":
            return False
        return error.status_code in _RETRYABLE_STATUSES or error.status_code >= 500
    return isinstance(error, anthropic.APIConnectionError)


def _read_headers(error: BaseException) -> Mapping[str, str]:
    response = getattr(error, "response", None)
    return response.headers if response is not None else {}


def _build_unreachable_error(
    error: anthropic.APIConnectionError, base_url: str
) -> TeacherUnavailable:
    cause = str(error.__cause__ or error) or type(error).__name__
    return TeacherUnavailable(
        f"the API at {base_url} was not reached: {cause}",
        "check the network and ANTHROPIC_BASE_URL, then resume the run",
    )
