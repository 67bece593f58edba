"""A scenario: an ordered list of answers, each with a condition and a reply.

`schema` has the same as it is written in a YAML file, and `loading` reads one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from orchestrator.errors import UsageError

REQUEST_VARIABLES: Final = frozenset({"cwd", "model"})
"""Placeholders whose values come from the request itself."""

_PLACEHOLDER: Final = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ScenarioError(UsageError):
    """A scenario is invalid; the message names the file, the line and the key."""


class Speaker(StrEnum):
    """The sender of a request, as far as the request shows it."""

    AGENT = "agent"
    """Offers tools."""
    TEACHER = "teacher"
    """Offers none, or only the one for its answer."""
    SIDE = "side"
    """Housekeeping: a title, a quota check. Meets only answers that name it."""


@dataclass(frozen=True)
class When:
    """A condition on a request. An empty field does not restrict it."""

    speaker: Speaker | None = None
    step: int | None = None
    """Assistant turns with tool calls in the conversation so far."""
    contains: tuple[str, ...] = ()
    """Texts that the request contains, all of them; white space counts as one space."""
    lacks: tuple[str, ...] = ()
    """Texts that the request must not contain."""
    last_contains: tuple[str, ...] = ()
    """Texts that the last user message contains: the tool results, or the prompt."""
    model: str = ""
    """Glob pattern for the model's name."""


@dataclass(frozen=True)
class ToolCall:
    """A tool that the scripted model uses."""

    name: str
    input: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tokens:
    """The usage of a reply, in tokens. None is derived from the sizes of request and reply."""

    input: int | None = None
    output: int | None = None
    cache_read: int = 0
    cache_write: int = 0


class FaultKind(StrEnum):
    """The way in which a reply goes wrong."""

    STATUS = "status"
    """An HTTP error with the API's error JSON."""
    STALL = "stall"
    """The reply begins, then the server sends nothing."""
    HANG = "hang"
    """The server sends not a single byte."""
    CUT = "cut"
    """The connection is closed in the middle of the reply."""
    MALFORMED = "malformed"
    """Status 200, but the body is broken JSON."""
    HTML = "html"
    """Status 200 and a web page, as a proxy or a captive portal sends it."""


@dataclass(frozen=True)
class Fault:
    """A reply that goes wrong."""

    kind: FaultKind
    status: int = 0
    message: str = ""
    retry_after: float | None = None
    """Seconds, sent as `retry-after`."""
    seconds: float | None = None
    """Duration of a stall or hang; None lasts until the client disconnects or the server stops."""


@dataclass(frozen=True)
class Reply:
    """A reply of the scripted model, or its failure."""

    say: str = ""
    tools: tuple[ToolCall, ...] = ()
    json: object = None
    """Structured output; sent as text, or to Claude Code as the input of its tool for answers."""
    stop_reason: str = ""
    """Empty means `tool_use` when there are tools, else `end_turn`."""
    usage: Tokens = field(default_factory=Tokens)
    fault: Fault | None = None
    delay: float = 0.0
    """Seconds before the first byte."""

    @property
    def is_empty(self) -> bool:
        """Whether the reply has no content."""
        return not self.say and not self.tools and self.json is None


@dataclass(frozen=True)
class Answer:
    """A reply and the condition under which it is given."""

    reply: Reply
    when: When = field(default_factory=When)
    times: int | None = None
    """How often it may be given; None means without limit."""
    name: str = ""
    line: int = 0
    """Its line in the file; 0 when it comes from no file."""


@dataclass(frozen=True)
class Scenario:
    """An ordered list of answers. The first that fits a request and is not used up is given."""

    answers: tuple[Answer, ...]
    source: str = "scenario"
    """The file it was read from, for messages."""

    def label_answer(self, answer: Answer) -> str:
        """Return the name of an answer in messages: `answer 'repair' for step 1 at line 27`."""
        parts = ["answer"]
        if answer.name:
            parts.append(f"'{answer.name}'")
        elif not answer.line:
            parts.append(str(1 + [other is answer for other in self.answers].index(True)))
        if answer.when.step is not None:
            parts.append(f"for step {answer.when.step}")
        if answer.line:
            parts.append(f"at line {answer.line}")
        return " ".join(parts)

    def check_placeholders(self, variables: Mapping[str, str]) -> None:
        """Check that every placeholder will have a value.

        Raises:
            ScenarioError: a placeholder is neither in `variables` nor taken from requests.
        """
        known = REQUEST_VARIABLES | variables.keys()
        for answer in self.answers:
            for unknown in sorted(_collect_placeholders(answer.reply) - known):
                raise ScenarioError(
                    f"{self.source}: {self.label_answer(answer)}: "
                    f"unknown placeholder ${{{unknown}}}",
                    f"known placeholders: {', '.join(sorted(known))}; write $${{{unknown}}} for "
                    "the literal text",
                )


def fill_placeholders(reply: Reply, variables: Mapping[str, str]) -> Reply:
    """Return the reply with its placeholders replaced.

    Raises:
        KeyError: a placeholder has no value.
    """
    return replace(
        reply,
        say=_fill_value(reply.say, variables),
        json=_fill_value(reply.json, variables),
        tools=tuple(
            ToolCall(tool.name, _fill_value(tool.input, variables)) for tool in reply.tools
        ),
    )


def _fill_value(value: Any, variables: Mapping[str, str]) -> Any:  # noqa: ANN401 -- any JSON value
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda m: variables[m[1]] if m[1] else "${", value)
    if isinstance(value, Mapping):
        return {key: _fill_value(item, variables) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fill_value(item, variables) for item in value]
    return value


def _collect_placeholders(reply: Reply) -> set[str]:
    found = _PlaceholderCollector()
    fill_placeholders(reply, found)
    return found.names


class _PlaceholderCollector(dict[str, str]):
    """Accepts any placeholder and records its name."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __missing__(self, name: str) -> str:
        self.names.add(name)
        return ""
