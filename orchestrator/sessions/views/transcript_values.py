"""Turn a session into plain values, masked: for a terminal, for Markdown, for JSON."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from orchestrator.sessions.models import (
    ApiFailure,
    Compaction,
    Entry,
    Interjection,
    Interruption,
    ModelCall,
    Prompt,
    Session,
    ToolCall,
)

Mask = Callable[[str], str]
Values = dict[str, Any]

MOST_OF_TEXT: Final = 200_000
"""Characters of one text; the rest is left out, and the text says so."""


def iter_entry_values(session: Session, mask: Mask) -> Iterator[Values]:
    """Yield what happened in a session, by time; what a subagent did has its id as `agent`.

    Args:
        session: the session, read with its texts.
        mask: removes secrets from a text.
    """
    found = [
        (entry.at, number, position, thread.agent, entry)
        for number, thread in enumerate(session.threads)
        for position, entry in enumerate(thread.entries)
    ]
    # The main conversation keeps its order, also where rows stand out of order.
    found.sort(key=lambda each: each[:3])
    for at, _, _, agent, entry in found:
        if values := _build_values(entry, mask):
            yield {**values, "at": at, "row": entry.row, "agent": agent}


def _build_values(entry: Entry, mask: Mask) -> Values:
    """Return the values of an entry; none for an answer of the model that said nothing."""
    values: Values = {}
    match entry:
        case Prompt():
            values = {"kind": "prompt", "text": _mask_text(entry.text, mask)}
        case Interjection():
            values = {"kind": "interjection", "text": _mask_text(entry.text, mask)}
        case ToolCall():
            values = _build_call(entry, mask)
        case ModelCall() if entry.text:
            text = _mask_text(entry.text, mask)
            values = {"kind": "reply", "text": text, "model": entry.model}
        case Interruption():
            values = {"kind": "interruption"}
        case Compaction():
            values = {"kind": "compaction", "trigger": entry.trigger}
        case ApiFailure():
            values = {"kind": "api failure", "text": _mask_text(entry.text, mask)}
    return values


def _build_call(call: ToolCall, mask: Mask) -> Values:
    return {
        "kind": "tool call",
        "tool": mask(call.name),
        "input": _mask_value(decode_input(call), mask),
        "result": None if call.result is None else _mask_text(call.result, mask),
        "is_error": call.is_error,
        "denial": call.denial.value if call.denial else "",
        "user_message": _mask_text(call.user_message, mask),
    }


def decode_input(call: ToolCall) -> Any:  # noqa: ANN401 -- any JSON
    """Return the input of a call; empty where it is not JSON."""
    try:
        return msgspec.json.decode(call.input)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _mask_value(value: Any, mask: Mask, depth: int = 0) -> Any:  # noqa: ANN401 -- any JSON
    match value:
        case str():
            return _mask_text(value, mask)
        case dict() if depth < 20:
            return {mask(name): _mask_value(each, mask, depth + 1) for name, each in value.items()}
        case list() if depth < 20:
            return [_mask_value(each, mask, depth + 1) for each in value]
        case dict() | list():
            return None
        case _:
            return value


def _mask_text(text: str, mask: Mask) -> str:
    masked = mask(text)
    if len(masked) <= MOST_OF_TEXT:
        return masked
    return f"{masked[:MOST_OF_TEXT]}\n... ({len(masked) - MOST_OF_TEXT:,} characters left out)"


def iter_strings(value: Any) -> Iterator[str]:  # noqa: ANN401 -- any JSON
    """Yield all texts in a value, the names in it left out."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as items:
                waiting.extend(reversed(items.values()))
            case list() as items:
                waiting.extend(reversed(items))
