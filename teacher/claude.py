"""The teacher that asks through the Claude Code program, with the user's own login.

This module builds the question and reads the reply; what runs the program is passed in. Prompts,
schema and parser are those of the other teachers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from teacher.answer import ANSWER_SCHEMA, build_unusable_answer, quote_answer, read_answer
from teacher.catalog import ALIASES, DEFAULT_MODEL, resolve_model
from teacher.errors import TeacherError, TeacherMisconfigured, TeacherUnavailable
from teacher.models import Usage
from teacher.prompt import Request, build_request, check_prompts
from teacher.second_look import (
    SECOND_LOOK_SCHEMA,
    SecondLook,
    build_second_look,
    read_second_look,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teacher.models import Failure, FailureType, KnownRule, Lesson, RuleText

_UNTAUGHT: Final = "`orchestrator teach --pending` asks again"


class ReplyEnd(StrEnum):
    """How a question to the program ended."""

    ANSWERED = "answered"
    """The text is the model's answer, whatever it is."""
    CUT_OFF = "cut off"
    """The answer was longer than its limit."""
    REFUSED = "refused"
    """The model refused to answer."""
    NOT_LOGGED_IN = "not logged in"
    """There is no login, or the API does not accept it."""
    USAGE_LIMIT = "usage limit"
    """The subscription's limit is reached."""
    UNKNOWN_MODEL = "unknown model"
    """The API does not know the model, or this login may not use it."""
    TOO_LARGE = "too large"
    """The question does not fit into one request."""
    TIMED_OUT = "timed out"
    """The program was ended, because it took too long."""
    API_ERROR = "API error"
    """The API failed or refused for another reason, or was not reached."""
    FAILED = "failed"
    """The program ended in another way without an answer."""


@dataclass(frozen=True)
class Question:
    """One question, with the limits for its answer."""

    request: Request
    schema: Mapping[str, object]
    model: str
    max_tokens: int
    """Most tokens of the answer."""
    timeout_seconds: float
    """Seconds until the program is ended."""


@dataclass(frozen=True)
class Reply:
    """What came of a question."""

    end: ReplyEnd
    text: str
    """The answer, or what the program said in place of one."""
    usage: Usage = field(default_factory=Usage)
    status: int | None = None
    """The status of the API's answer, if it was an error."""
    hint: str = ""
    """What the runner of the program advises; empty if it knows nothing better than the teacher."""


class Program(Protocol):
    """The program that is asked."""

    def preflight(self) -> None:
        """Check that it can be asked. Costs nothing. Raises TeacherError."""

    def ask(self, question: Question) -> Reply:
        """Ask one question, and wait for what comes of it."""


class ClaudeTeacher:
    """Asks a Claude model for a lesson, through the program that is logged in.

    Args:
        program: Is asked.
        model: A model's name; a retired one is replaced, see `notice`.
        max_tokens: Limit on the tokens of one answer.
        prompts: Prompts that replace the default for some types of failure, see
            `teacher.prompt.build_system_prompt`.
        timeout_seconds: How long one question may take, from the program's start to its end.
    """

    def __init__(
        self,
        program: Program,
        model: str = DEFAULT_MODEL,
        max_tokens: int = 1024,
        prompts: Mapping[FailureType, str] | None = None,
        *,
        timeout_seconds: float = 120.0,
    ) -> None:
        self._program = program
        self._model = resolve_model(model)
        self._max_tokens = max_tokens
        self._prompts = dict(prompts or {})
        self._timeout = timeout_seconds

    @property
    def model(self) -> str:
        """The name of the model that is asked."""
        return self._model.id

    @property
    def notice(self) -> str:
        """A line for the user about the model, such as that it was replaced; empty if none."""
        return self._model.notice

    def preflight(self) -> None:
        """Check that all prompts exist, and that the program can be asked. Costs nothing.

        Raises:
            TeacherMisconfigured: A prompt is missing, or there is no login.
            TeacherUnavailable: The program is missing or too old.
        """
        check_prompts(self._prompts)
        self._program.preflight()

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the model what the failure teaches.

        Raises:
            TeacherMisconfigured: An unknown prompt or model.
            TeacherUnavailable: The program has no login, ended without an answer, took too long, or
                the API refused.
            UnusableAnswer: The model's answer was billed, but is not a lesson.
        """
        request = build_request(failure, known_rules, self._prompts)
        reply = self._ask_model(request, ANSWER_SCHEMA)
        return read_answer(reply.text, known_rules, model=self.model, usage=reply.usage)

    def examine_rule(self, text: RuleText) -> SecondLook:
        """Ask the model about the text of a rule alone.

        Raises:
            TeacherError: As for `teach`.
        """
        reply = self._ask_model(build_second_look(text), SECOND_LOOK_SCHEMA)
        return read_second_look(reply.text, reply.usage)

    def _ask_model(self, request: Request, schema: Mapping[str, object]) -> Reply:
        reply = self._program.ask(
            Question(request, schema, self.model, self._max_tokens, self._timeout)
        )
        if reply.end is not ReplyEnd.ANSWERED:
            raise self._build_error(reply)
        return reply

    def _build_error(self, reply: Reply) -> TeacherError:
        """Return the error for a question that got no answer."""
        text, usage, said = reply.text, reply.usage, quote_answer(reply.text)
        match reply.end:
            case ReplyEnd.CUT_OFF:
                hint = f"raise teacher.max_tokens (now {self._max_tokens})"
                return build_unusable_answer("it was cut off", text, usage, hint)
            case ReplyEnd.REFUSED:
                hint = "check the evidence in the run's record, and report the failure yourself"
                return build_unusable_answer("the model refused to answer", text, usage, hint)
            case ReplyEnd.UNKNOWN_MODEL:
                return TeacherMisconfigured(
                    f"Claude Code cannot use the model {self.model}; {said}",
                    f"set teacher.model to one of {', '.join(ALIASES.values())}",
                    usage,
                )
            case ReplyEnd.TIMED_OUT:
                return TeacherUnavailable(
                    f"Claude Code did not answer within {self._timeout:g} s",
                    "check the network and any gateway on the way, or raise teacher.timeout",
                    usage,
                )
        problem, hint = _explain_end(reply)
        hint = reply.hint or hint
        if reply.status == 403:
            hint = f"check that this login may use teacher.model ({self.model}), or {hint}"
        return TeacherUnavailable(f"{problem}; {said}", hint, usage)


def _explain_end(reply: Reply) -> tuple[str, str]:
    """Return what is wrong, and what to do about it."""
    status = f" ({reply.status})" if reply.status else ""
    match reply.end:
        case ReplyEnd.NOT_LOGGED_IN:
            return (
                f"Claude Code's login was not accepted{status}",
                "log in with `claude auth login`",
            )
        case ReplyEnd.USAGE_LIMIT:
            return (
                "the usage limit of Claude Code's login is reached",
                f"{_UNTAUGHT} after the reset; an API key in ORCHESTRATOR_TEACHER_API_KEY with "
                "teacher.mode: local has no such limit",
            )
        case ReplyEnd.TOO_LARGE:
            return (
                "the evidence is too large for one request",
                "report the failure yourself, with less of it",
            )
        case ReplyEnd.API_ERROR:
            return f"the API gave Claude Code no answer{status}", _advise_on_status(reply.status)
    return (
        "Claude Code ended without an answer",
        f"see what `orchestrator teacher test` shows; {_UNTAUGHT}",
    )


def _advise_on_status(status: int | None) -> str:
    """Return what to do about an error of the API; None is for one that was not reached."""
    if status is None:
        return f"check the network and ANTHROPIC_BASE_URL; {_UNTAUGHT}"
    if status == 429:
        return f"wait until the rate limit resets; {_UNTAUGHT}"
    if status >= 500:
        return f"the API has a temporary problem: try again later; {_UNTAUGHT}"
    return "check what the API reported"
