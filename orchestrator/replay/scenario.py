"""What a scenario is: an ordered list of answers, each with a condition and a reply.

`docs/replay.md` describes the same things as they are written in YAML; `loading` reads that.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from orchestrator.errors import UsageError

REQUEST_VARIABLES: Final = frozenset({"cwd", "model"})
"""Placeholders whose values come out of the request itself."""

_PLACEHOLDER: Final = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ScenarioError(UsageError):
    """A scenario is wrong; the message names its file, the place and the key."""


class Speaker(StrEnum):
    """Who sent a request, as far as the request shows it."""

    AGENT = "agent"
    """Offers tools."""
    TEACHER = "teacher"
    """Offers none."""
    SIDE = "side"
    """Housekeeping: a title, a quota check. Meets only answers that name it."""


@dataclass(frozen=True)
class When:
    """A condition on a request. What is empty or None does not restrict."""

    speaker: Speaker | None = None
    step: int | None = None
    """How many assistant turns with tool calls the conversation has so far."""
    contains: tuple[str, ...] = ()
    """Texts that all stand somewhere in the request; white space counts as one blank."""
    lacks: tuple[str, ...] = ()
    """Texts of which none stands in the request."""
    last_contains: tuple[str, ...] = ()
    """Texts that all stand in the last user message: the tool results, the prompt."""
    model: str = ""
    """Glob on the model's name."""


@dataclass(frozen=True)
class ToolCall:
    """A tool that the scripted model uses."""

    name: str
    input: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tokens:
    """What the reply's usage says. None: derived from the sizes of request and reply."""

    input: int | None = None
    output: int | None = None
    cache_read: int = 0
    cache_write: int = 0


class FaultKind(StrEnum):
    """How a reply goes wrong."""

    STATUS = "status"
    """An HTTP error with the API's error JSON."""
    STALL = "stall"
    """The answer begins, then nothing comes."""
    HANG = "hang"
    """Not one byte comes."""
    CUT = "cut"
    """The connection ends in the middle of the answer."""
    MALFORMED = "malformed"
    """Status 200, but the body is broken JSON."""
    HTML = "html"
    """Status 200 and a web page, as a proxy or a captive portal gives it."""


@dataclass(frozen=True)
class Fault:
    """A reply that goes wrong."""

    kind: FaultKind
    status: int = 0
    message: str = ""
    retry_after: float | None = None
    """Seconds, sent as `retry-after`."""
    seconds: float | None = None
    """How long a stall or hang lasts; None until the client or the server gives up."""


@dataclass(frozen=True)
class Reply:
    """What the scripted model says, or how it fails."""

    say: str = ""
    tools: tuple[ToolCall, ...] = ()
    json: object = None
    """Structured output; sent as text."""
    stop_reason: str = ""
    """Empty: `tool_use` when there are tools, else `end_turn`."""
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
    """How often it may be given; None for any number."""
    name: str = ""
    line: int = 0
    """Where it stands in the file; 0 when it comes from no file."""


@dataclass(frozen=True)
class Scenario:
    """An ordered list of answers. The first that fits a request and is not used up is given."""

    answers: tuple[Answer, ...]
    source: str = "scenario"
    """The file it was read from, for messages."""

    def label_answer(self, answer: Answer) -> str:
        """How messages call an answer: `answer 'repair' for step 1 at line 27`."""
        words = ["answer"]
        if answer.name:
            words.append(f"'{answer.name}'")
        elif not answer.line:
            words.append(str(1 + [other is answer for other in self.answers].index(True)))
        if answer.when.step is not None:
            words.append(f"for step {answer.when.step}")
        if answer.line:
            words.append(f"at line {answer.line}")
        return " ".join(words)

    def check_placeholders(self, variables: Mapping[str, str]) -> None:
        """Make sure that every placeholder will have a value.

        Raises:
            ScenarioError: a reply names a placeholder that neither `variables` nor a request has.
        """
        known = REQUEST_VARIABLES | variables.keys()
        for answer in self.answers:
            for unknown in sorted(_collect_placeholders(answer.reply) - known):
                raise ScenarioError(
                    f"{self.source}: {self.label_answer(answer)}: "
                    f"unknown placeholder ${{{unknown}}}",
                    f"known here: {', '.join(sorted(known))}; write $${{{unknown}}} to mean "
                    "the characters themselves",
                )


def fill_placeholders(reply: Reply, variables: Mapping[str, str]) -> Reply:
    """The reply with its placeholders replaced.

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
    """Takes any placeholder and remembers its name."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __missing__(self, name: str) -> str:
        self.names.add(name)
        return ""
