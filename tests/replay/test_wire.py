"""Server-sent events carry exactly the content of the complete message."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.replay import RecordedRequest, Reply, ToolCall, wire

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=10,
)
_TOOLS = st.builds(ToolCall, st.text(), st.dictionaries(st.text(), _JSON, max_size=4))
_TEXT = st.text() | st.text(min_size=1).map(lambda part: part * 400)


def _joined(events: list[bytes]) -> list[dict[str, Any]]:
    """The content blocks, put together as the API's documentation says."""
    blocks: list[dict[str, Any]] = []
    pieces: list[str] = []
    for event in events:
        name, data, *rest = event.decode().split("\n")
        assert rest == ["", ""]
        body = json.loads(data.removeprefix("data: "))
        assert name == f"event: {body['type']}"
        match body["type"]:
            case "content_block_start":
                blocks.append(body["content_block"])
                pieces = []
            case "content_block_delta":
                delta = body["delta"]
                pieces.append(delta.get("text", delta.get("partial_json")))
            case "content_block_stop" if blocks[-1]["type"] == "text":
                blocks[-1]["text"] = "".join(pieces)
            case "content_block_stop":
                blocks[-1]["input"] = json.loads("".join(pieces))
    return blocks


@given(_TEXT, st.lists(_TOOLS, max_size=4))
def test_events_join_to_the_message(say: str, tools: list[ToolCall]) -> None:
    whole = wire.build_message(Reply(say, tuple(tools)), RecordedRequest({"model": "m"}))
    events = wire.build_events(whole)
    assert _joined(events) == whole["content"]
    assert [tool.input for tool in tools] == [
        block["input"] for block in whole["content"] if block["type"] == "tool_use"
    ]
    assert events[0].startswith(b"event: message_start\n")
    assert events[-1].startswith(b"event: message_stop\n")
