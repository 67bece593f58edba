"""Build messages, events and errors in the wire format of the Anthropic Messages API.

Source: https://docs.anthropic.com/en/api/messages, .../messages-streaming and .../errors, and
what the `anthropic` SDK and Claude Code were seen to accept.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from orchestrator.replay.request import ANSWER_TOOL, RecordedRequest
from orchestrator.replay.scenario import Reply, ToolCall

ERROR_TYPES: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
ERROR_MESSAGES: Final[Mapping[int, str]] = {
    400: "messages: the request is not valid",
    401: "invalid x-api-key",
    403: "Your API key does not have permission to use the specified resource.",
    404: "model: not found",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your organization's rate limit.",
    500: "Internal server error",
    529: "Overloaded",
}

_MODELS: Final = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
_CHARACTERS_PER_TOKEN: Final = 4
_DELTA_CHARACTERS: Final = 256

Json = dict[str, Any]


def build_message(reply: Reply, request: RecordedRequest) -> Json:
    """Return a reply as a complete message, as a client without streaming gets it."""
    blocks = _build_content(_answer_by_tool(reply) if request.answers_by_tool else reply)
    uses_tool = any(block["type"] == "tool_use" for block in blocks)
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": blocks,
        "stop_reason": reply.stop_reason or ("tool_use" if uses_tool else "end_turn"),
        "stop_sequence": None,
        "usage": _build_usage(reply, request, blocks),
    }


def build_events(whole: Json) -> list[bytes]:
    """Return the server-sent events that carry a message, in order."""
    usage = whole["usage"]
    start = {
        **whole,
        "content": [],
        "stop_reason": None,
        "usage": {**usage, "output_tokens": 1},
    }
    events = [_encode_event("message_start", message=start)]
    for index, block in enumerate(whole["content"]):
        events += _build_block_events(index, block)
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events.append(_encode_event("message_delta", delta=end, usage=usage))
    events.append(_encode_event("message_stop"))
    return events


def build_error(status: int, text: str = "") -> Json:
    """Return the JSON body of an error response; an empty text means the API's usual one."""
    kind = ERROR_TYPES[status]
    return {
        "type": "error",
        "error": {"type": kind, "message": text or ERROR_MESSAGES[status]},
        "request_id": f"req_{uuid.uuid4().hex[:24]}",
    }


def build_token_count(body: Mapping[str, Any]) -> Json:
    """Return the response to `count_tokens`."""
    return {"input_tokens": _estimate_tokens(json.dumps(body, ensure_ascii=False))}


def build_model_list() -> Json:
    """Return the response to `GET /v1/models`."""
    data = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
        for name in _MODELS
    ]
    return {"data": data, "has_more": False, "first_id": _MODELS[0], "last_id": _MODELS[-1]}


def build_housekeeping_reply(request: RecordedRequest) -> Reply:
    """Return a harmless reply to a request that the scenario is not about."""
    return Reply(say="ok") if request.schema is None else Reply(json=_build_example(request.schema))


def _answer_by_tool(reply: Reply) -> Reply:
    """Return a reply whose structured output is a tool call, as Claude Code expects it."""
    if not isinstance(reply.json, Mapping):
        return reply
    call = ToolCall(ANSWER_TOOL, reply.json)
    return replace(reply, json=None, tools=(*reply.tools, call))


def _build_content(reply: Reply) -> list[Json]:
    text = reply.say if reply.json is None else json.dumps(reply.json, ensure_ascii=False)
    blocks: list[Json] = [{"type": "text", "text": text}] if text else []
    for tool in reply.tools:
        # Random ids: a session that is resumed against a second server must not meet one twice.
        name = {"id": f"toolu_{uuid.uuid4().hex[:24]}", "name": tool.name}
        blocks.append({"type": "tool_use", **name, "input": dict(tool.input)})
    return blocks


def _build_usage(reply: Reply, request: RecordedRequest, blocks: list[Json]) -> Json:
    usage = reply.usage
    sent, said = usage.input, usage.output
    if sent is None:
        sent = _estimate_tokens(json.dumps(request.body, ensure_ascii=False))
    if said is None:
        said = _estimate_tokens("".join(b.get("text") or json.dumps(b["input"]) for b in blocks))
    return {
        "input_tokens": sent,
        "output_tokens": said,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write,
    }


def _estimate_tokens(text: str) -> int:
    """Return a rough count: about four characters per token."""
    return max(1, len(text) // _CHARACTERS_PER_TOKEN)


def _build_block_events(index: int, block: Json) -> list[bytes]:
    if block["type"] == "text":
        empty: Json = {"type": "text", "text": ""}
        kind, key, text = "text_delta", "text", block["text"]
    else:
        empty = {**block, "input": {}}
        kind, key = "input_json_delta", "partial_json"
        text = json.dumps(block["input"], ensure_ascii=False)
    pieces = [text[at : at + _DELTA_CHARACTERS] for at in range(0, len(text), _DELTA_CHARACTERS)]
    return [
        _encode_event("content_block_start", index=index, content_block=empty),
        *(
            _encode_event("content_block_delta", index=index, delta={"type": kind, key: piece})
            for piece in pieces
        ),
        _encode_event("content_block_stop", index=index),
    ]


def _encode_event(name: str, **data: object) -> bytes:
    line = json.dumps({"type": name, **data})
    return f"event: {name}\ndata: {line}\n\n".encode()


def _build_example(schema: Mapping[str, Any]) -> object:
    """Return a minimal value that a simple JSON schema accepts."""
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        wanted = schema.get("required", list(properties))
        return {name: _build_example(properties.get(name, {})) for name in wanted}
    plain = {"array": [], "integer": 0, "number": 0, "boolean": False, "null": None}
    return plain.get(schema.get("type", ""), "replay")
