"""What Claude Code writes on its standard output, as types: one JSON object a line.

Named and shaped as in claude-agent-sdk, of which `import` alone costs more than a run may
(`python -m benchmarks imports`); a test compares the two. Only what is read stands here. A message
is text from outside: without what a verdict rests on it is an error, and any other value that is
not as it was known counts as missing, because newer programs bring new ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

T = TypeVar("T")


class WireError(Exception):
    """A message, or the lack of one, that ends the reading."""


@dataclass(frozen=True)
class TextBlock:
    """Words."""

    text: str


@dataclass(frozen=True)
class ToolUseBlock:
    """A call of a tool."""

    id: str
    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class ToolResultBlock:
    """What a call of a tool came to."""

    tool_use_id: str
    content: object = None
    """A text, a list of blocks, or nothing."""
    is_error: bool | None = None


Block = TextBlock | ToolUseBlock | ToolResultBlock


@dataclass(frozen=True)
class AssistantMessage:
    """Words and tool calls of the model, or words of the program in its place."""

    content: Sequence[Block]
    model: str
    parent_tool_use_id: str | None = None
    """The call that started the subagent which speaks; None for the agent itself."""
    error: str | None = None


@dataclass(frozen=True)
class UserMessage:
    """What the model is given: results of its tool calls, or a prompt, which has no blocks here."""

    content: Sequence[Block]
    parent_tool_use_id: str | None = None


@dataclass(frozen=True)
class SystemMessage:
    """News of the program itself."""

    subtype: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class RateLimitEvent:
    """What the API says of the plan's limits."""

    status: str
    resets_at: object = None
    """A moment in any form, see `resets.moment_of`."""
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
    total_cost_usd: float | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    model_usage: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    permission_denials: Sequence[Mapping[str, Any]] = ()


Message = AssistantMessage | UserMessage | SystemMessage | RateLimitEvent | ResultMessage


def parse_message(data: Mapping[str, Any]) -> Message | None:
    """Parse a message; None for one of a kind that is not read here, such as a new one.

    Raises:
        WireError: the message is of a known kind and of another shape.
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
"""More than anybody takes."""


def _parse_result(data: Mapping[str, Any]) -> ResultMessage:
    return ResultMessage(
        is_error=_require_value(data, "is_error", bool),
        num_turns=max(0, min(_require_value(data, "num_turns", int), _MOST_TURNS)),
        result=_find_value(data, "result", str),
        terminal_reason=_find_value(data, "terminal_reason", str),
        stop_reason=_find_value(data, "stop_reason", str),
        api_error_status=_find_value(data, "api_error_status", int),
        errors=_filter_values(_find_value(data, "errors", list) or (), str),
        total_cost_usd=_find_value(data, "total_cost_usd", float, int),
        usage=_find_value(data, "usage", dict) or {},
        model_usage={
            model: bill
            for model, bill in (_find_value(data, "modelUsage", dict) or {}).items()
            if isinstance(bill, dict)
        },
        permission_denials=_filter_values(
            _find_value(data, "permission_denials", list) or (), dict
        ),
    )


_PARSERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Message]]] = {
    "assistant": _parse_assistant,
    "user": _parse_user,
    "system": _parse_system,
    "rate_limit_event": _parse_rate_limit,
    "result": _parse_result,
}


def _parse_blocks(content: Sequence[object]) -> tuple[Block, ...]:
    """Return the blocks that are read here; there are others, such as thoughts and images."""
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
    """Return a value that has to be there, of that type."""
    if name not in data:
        raise WireError(f"it has no `{name}`")
    value = data[name]
    if isinstance(value, kind):
        return value
    raise WireError(f"its `{name}` is of type {type(value).__name__}")


def _find_value(data: Mapping[str, Any], name: str, *kinds: type[T]) -> T | None:
    """Return a value that may be missing; one of another type counts as missing."""
    value = data.get(name)
    return value if isinstance(value, kinds) else None


def _filter_values(values: Sequence[object], kind: type[T]) -> tuple[T, ...]:
    return tuple(value for value in values if isinstance(value, kind))
