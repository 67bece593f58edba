"""Parse what Claude Code writes to standard output: one JSON object per line.

The types have the names and fields of claude-agent-sdk, whose import alone costs more time than a
run may (`python -m benchmarks imports`); a test compares the two. Only fields that are used are
here. Messages are foreign input, and change with each version: a missing field that a verdict
depends on is an error, and any other field of an unexpected type counts as missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

T = TypeVar("T")


class WireError(Exception):
    """A message that cannot be read, which ends the session."""


@dataclass(frozen=True)
class TextBlock:
    """Text."""

    text: str


@dataclass(frozen=True)
class ToolUseBlock:
    """A tool call."""

    id: str
    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class ToolResultBlock:
    """The result of a tool call."""

    tool_use_id: str
    content: object = None
    """A text, a list of blocks, or nothing."""
    is_error: bool | None = None


Block = TextBlock | ToolUseBlock | ToolResultBlock


@dataclass(frozen=True)
class AssistantMessage:
    """Text and tool calls of the model, or text of the program in the model's name."""

    content: Sequence[Block]
    model: str
    parent_tool_use_id: str | None = None
    """The call that started the subagent that sent it; None for the agent itself."""
    error: str | None = None


@dataclass(frozen=True)
class UserMessage:
    """Input of the model: results of its tool calls, or a prompt, which has no blocks here."""

    content: Sequence[Block]
    parent_tool_use_id: str | None = None


@dataclass(frozen=True)
class SystemMessage:
    """A message about the program itself."""

    subtype: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class RateLimitEvent:
    """The state of the plan's limits, from the API."""

    status: str
    resets_at: object = None
    """A time in any form that `resets.parse_timestamp` accepts."""
    overage_status: str | None = None


@dataclass(frozen=True)
class ResultMessage:
    """The end of a turn."""

    is_error: bool
    num_turns: int
    result: str | None = None
    terminal_reason: str | None = None
    stop_reason: str | None = None
    api_error_status: int | None = None
    errors: Sequence[str] = ()
    total_cost_usd: object = None
    """US dollars; not checked here, because a wrong bill is no reason to drop a result."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    model_usage: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    permission_denials: Sequence[Mapping[str, Any]] = ()
    structured_output: object = None
    """What the model answered in the form of `--json-schema`; None if it did not."""


Message = AssistantMessage | UserMessage | SystemMessage | RateLimitEvent | ResultMessage


def parse_message(data: Mapping[str, Any]) -> Message | None:
    """Parse a message; None for one of an unknown kind, such as a new one.

    Raises:
        WireError: the message is of a known kind, but not of its known shape.
    """
    kind = data.get("type")
    parse = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parse is None:
        return None
    try:
        return parse(data)
    except WireError as error:
        raise WireError(f"a {kind} message of an unknown shape: {error}") from None


def _parse_assistant(data: Mapping[str, Any]) -> AssistantMessage:
    message = _require_value(data, "message", dict)
    return AssistantMessage(
        content=_parse_blocks(_require_value(message, "content", list)),
        model=_require_value(message, "model", str),
        parent_tool_use_id=_find_value(data, "parent_tool_use_id", str),
        error=str(data["error"]) if data.get("error") else None,
    )


def _parse_user(data: Mapping[str, Any]) -> UserMessage:
    message = _find_value(data, "message", dict) or {}
    return UserMessage(
        content=_parse_blocks(_find_value(message, "content", list) or ()),
        parent_tool_use_id=_find_value(data, "parent_tool_use_id", str),
    )


def _parse_system(data: Mapping[str, Any]) -> SystemMessage:
    return SystemMessage(_require_value(data, "subtype", str), data)


def _parse_rate_limit(data: Mapping[str, Any]) -> RateLimitEvent:
    info = _find_value(data, "rate_limit_info", dict) or {}
    return RateLimitEvent(
        status=_find_value(info, "status", str) or "",
        resets_at=info.get("resetsAt"),
        overage_status=_find_value(info, "overageStatus", str),
    )


_MOST_TURNS: Final = 10**9
"""More than any run takes; a larger number is broken."""


def _parse_result(data: Mapping[str, Any]) -> ResultMessage:
    return ResultMessage(
        is_error=_require_value(data, "is_error", bool),
        num_turns=max(0, min(_require_value(data, "num_turns", int), _MOST_TURNS)),
        result=_find_value(data, "result", str),
        terminal_reason=_find_value(data, "terminal_reason", str),
        stop_reason=_find_value(data, "stop_reason", str),
        api_error_status=_find_value(data, "api_error_status", int),
        errors=_filter_values(_find_value(data, "errors", list) or (), str),
        total_cost_usd=data.get("total_cost_usd"),
        usage=_find_value(data, "usage", dict) or {},
        model_usage={
            model: bill
            for model, bill in (_find_value(data, "modelUsage", dict) or {}).items()
            if isinstance(bill, dict)
        },
        permission_denials=_filter_values(
            _find_value(data, "permission_denials", list) or (), dict
        ),
        structured_output=data.get("structured_output"),
    )


_PARSERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Message]]] = {
    "assistant": _parse_assistant,
    "user": _parse_user,
    "system": _parse_system,
    "rate_limit_event": _parse_rate_limit,
    "result": _parse_result,
}


def _parse_blocks(content: Sequence[object]) -> tuple[Block, ...]:
    """Return the blocks of known kinds; others are thinking and images."""
    found = (_parse_block(each) for each in content if isinstance(each, dict))
    return tuple(each for each in found if each is not None)


def _parse_block(data: Mapping[str, Any]) -> Block | None:
    match data.get("type"):
        case "text":
            return TextBlock(_require_value(data, "text", str))
        case "tool_use":
            return ToolUseBlock(
                _require_value(data, "id", str),
                _require_value(data, "name", str),
                _require_value(data, "input", dict),
            )
        case "tool_result":
            return ToolResultBlock(
                _require_value(data, "tool_use_id", str),
                data.get("content"),
                _find_value(data, "is_error", bool),
            )
    return None


def _require_value(data: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Return a required value, which has to be of that type."""
    if name not in data:
        raise WireError(f"it has no `{name}`")
    value = data[name]
    if isinstance(value, kind):
        return value
    raise WireError(f"its `{name}` is of type {type(value).__name__}")


def _find_value(data: Mapping[str, Any], name: str, *kinds: type[T]) -> T | None:
    """Return an optional value; one of another type counts as missing."""
    value = data.get(name)
    return value if isinstance(value, kinds) else None


def _filter_values(values: Sequence[object], kind: type[T]) -> tuple[T, ...]:
    return tuple(value for value in values if isinstance(value, kind))
