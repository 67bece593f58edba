"""Parse a teacher's answer into a `Lesson`.

All teachers use this parser, so the same answer gives the same lesson, whether it came from the
API or through a webhook. The n8n workflow judges an answer before it stores it, and `lesson.js`
there accepts and refuses the same ones. So what JSON is must not depend on the parser: Python's
accepts NaN, and each has its own limits for digits and for nested values.
"""

import json
import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from teacher.errors import UnusableAnswer
from teacher.models import Action, KnownRule, Lesson, RuleText, Usage

ANSWER_KEYS = ("reason", "action", "target", "rule", "when", "why", "paths")
"""The keys of an answer, in the order in which the model writes them."""

_TEXT_OR_NULL = {"anyOf": [{"type": "string"}, {"type": "null"}]}

ANSWER_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        # First, so that the model names the cause before it decides.
        "reason": {"type": "string", "description": "The cause, and why this action follows."},
        "action": {"type": "string", "enum": [str(action) for action in Action]},
        "target": {**_TEXT_OR_NULL, "description": "Id of an active rule: reinforce, amend."},
        "rule": {**_TEXT_OR_NULL, "description": "Never X when Y; do Z: add, amend."},
        "when": {**_TEXT_OR_NULL, "description": "The situation: add, amend."},
        "why": {**_TEXT_OR_NULL, "description": "What goes wrong otherwise: add, amend."},
        "paths": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Globs of the files that the rule is about; empty if it has no limits.",
        },
    },
    "required": list(ANSWER_KEYS),
    "additionalProperties": False,
}
"""JSON schema for structured output. Every key is required and may be null, because structured
output does not support optional keys; `read_answer` accepts answers with fewer keys."""

NO_REASON = "no reason given"
MAX_SENTENCE = 1000
"""Limit in characters. The agent reads every rule before every task, so each must be short."""
MAX_DEPTH = 50
"""Limit on objects and lists in each other. A lesson has two of them."""

_HINT = "try again, or choose another teacher.model or prompt"
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_FENCE_START = re.compile(r"```(?:json)?", re.IGNORECASE)
_JSON_MARK = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
"""What decides how deeply JSON is nested: brackets, and where strings begin and end."""
_PROBLEMS = {
    "string_type": "is not text",
    "string_too_long": f"is longer than {MAX_SENTENCE} characters",
    "enum": f"is none of {', '.join(Action)}",
    "tuple_type": "is not a list",
}
"""What is wrong with a key, by pydantic's name for it."""


class _Answer(BaseModel):
    """The keys of an answer, each text on one line; a missing one is empty."""

    model_config = ConfigDict(extra="ignore", strict=True)

    action: Action = Field(default=Action.ADD, strict=False)
    target: str = ""
    rule: str = Field(default="", max_length=MAX_SENTENCE)
    when: str = Field(default="", max_length=MAX_SENTENCE)
    why: str = Field(default="", max_length=MAX_SENTENCE)
    reason: str = ""
    paths: tuple[str, ...] = Field(default=(), strict=False)

    @field_validator("target", "rule", "when", "why", "reason", mode="before")
    @classmethod
    def _join_lines(cls, value: object) -> object:
        if value is None:
            return ""
        return " ".join(value.split()) if isinstance(value, str) else value

    @field_validator("action", mode="before")
    @classmethod
    def _normalize_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("paths", mode="before")
    @classmethod
    def _strip_globs(cls, value: object) -> object:
        if isinstance(value, list):
            return [glob for item in value if (glob := _strip_text(item)) != ""]
        return () if value is None else value


def read_answer(
    text: str,
    known_rules: Sequence[KnownRule],
    *,
    model: str = "",
    usage: Usage | None = None,
    hint: str = _HINT,
) -> Lesson:
    """Parse the text of a teacher's answer.

    `{"rule": ..., "when": ..., "why": ...}` alone is an `add`. Keys that the action does not use
    and unknown keys are ignored; a Markdown fence around the object is removed.

    Args:
        text: The answer of the model or the webhook: one JSON object.
        known_rules: The active rules; a target must be one of them.
        model: The model that answered, for the lesson.
        usage: What the answer cost, for the lesson or for the error.
        hint: What to do about a text that is not a lesson.

    Raises:
        UnusableAnswer: The text is not a lesson. The error shows the text and carries `usage`.
    """
    try:
        answer = _Answer.model_validate(_parse_json(text))
    except _NotJsonError as error:
        raise build_unusable_answer(str(error), text, usage, hint) from None
    except ValidationError as error:
        raise build_unusable_answer(_describe_first_error(error), text, usage, hint) from None
    problem = _find_contradiction(answer, [rule.id for rule in known_rules])
    if problem:
        raise build_unusable_answer(problem, text, usage, hint)
    has_text = answer.action in (Action.ADD, Action.AMEND)
    has_target = answer.action in (Action.REINFORCE, Action.AMEND)
    return Lesson(
        action=answer.action,
        reason=answer.reason or NO_REASON,
        text=RuleText(answer.rule, answer.when, answer.why) if has_text else None,
        target=answer.target if has_target else None,
        paths=answer.paths if has_text else (),
        model=model,
        usage=usage or Usage(),
    )


def strip_code_fence(text: str) -> str:
    """Return a text without the white space and the Markdown fence around it, if there are any."""
    text = text.strip()
    start = _FENCE_START.match(text)
    if start and text.endswith("```", start.end()):
        return text[start.end() : -3].strip()
    return text


def build_unusable_answer(
    problem: str, text: str, usage: Usage | None = None, hint: str = _HINT
) -> UnusableAnswer:
    """Return the error for an answer that is not a lesson, with an excerpt of the answer."""
    return UnusableAnswer(
        f"the teacher's answer cannot be used: {problem}; {quote_answer(text)}", hint, usage
    )


def quote_answer(text: str, limit: int = 300) -> str:
    """Return an excerpt of an answer for a message, on one line of printable characters."""
    if not text.strip():
        return "it was empty"
    line = " ".join(text.split())
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return f"it said: {line[:limit]}{'...' if len(line) > limit else ''}"


class _NotJsonError(ValueError):
    """The text of an answer is not JSON; says why."""


def _parse_json(text: str) -> object:
    """Return the value of an answer's JSON.

    Raises:
        _NotJsonError: The text is not JSON that every parser accepts and UTF-8 can encode.
    """
    text = strip_code_fence(text.removeprefix(_BYTE_ORDER_MARK))
    if _measure_depth(text) > MAX_DEPTH:
        raise _NotJsonError("it is nested too deeply")
    try:
        text.encode()  # lone surrogates
        # As floats, because Python refuses to convert an int of many digits.
        value = json.loads(text, parse_int=float, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates that were escaped
    except ValueError:
        raise _NotJsonError("it is not JSON") from None
    return value


def _refuse_constant(name: str) -> None:
    raise _NotJsonError(f"{name} is not JSON")


def _measure_depth(text: str) -> int:
    """Return how many objects and lists of a JSON text are in each other."""
    depth = deepest = 0
    in_string = False
    for mark in _JSON_MARK.findall(text):
        if mark == '"':
            in_string = not in_string
        elif not in_string:
            depth += (mark in "[{") - (mark in "]}")
        deepest = max(deepest, depth)
    return deepest


def _strip_text(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _describe_first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if not first["loc"]:
        return "it is not a JSON object"
    where = ".".join(str(part) for part in first["loc"])
    return f"`{where}` {_PROBLEMS.get(first['type'], first['msg'])}"


def _find_contradiction(answer: _Answer, known_ids: Sequence[str]) -> str:
    """Return why the keys do not fit the action, or an empty text if they do."""
    if answer.action in (Action.ADD, Action.AMEND):
        missing = [f"`{key}`" for key in ("rule", "when", "why") if not getattr(answer, key)]
        if missing:
            return f"`{answer.action}` needs {', '.join(missing)}"
    if answer.action in (Action.REINFORCE, Action.AMEND) and answer.target not in known_ids:
        ids = ", ".join(known_ids) or "there are none"
        return f"`{answer.action}` needs an active rule as `target`, not {answer.target!r} ({ids})"
    return ""
