"""Build transcripts row by row, in the shapes of older versions of Claude Code."""

import json
import uuid
from typing import Any

Row = dict[str, Any]


def dump(row: Row) -> bytes:
    """Return a row as the program writes it: compact, and not only ASCII."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


class Transcript:
    """The rows of one session, each a second after the one before."""

    def __init__(self, name: str, version: str, day: str = "2026-01-20") -> None:
        self.session = str(uuid.uuid5(uuid.NAMESPACE_URL, f"older/{name}"))
        self.rows: list[Row] = []
        self.day = day
        self.version = version
        self.requests = True
        self._name = name
        self._parent: str | None = None

    def add(self, kind: str, **more: Any) -> Row:
        """Append a row with the fields that all rows have; None takes a field away."""
        number = len(self.rows)
        row: Row = {
            "parentUuid": self._parent,
            "isSidechain": False,
            "userType": "external",
            "cwd": "/home/dev/shop",
            "sessionId": self.session,
            "version": self.version,
            "gitBranch": "main",
            "type": kind,
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"older/{self._name}/{number}")),
            "timestamp": f"{self.day}T10:{number // 60:02}:{number % 60:02}.000Z",
            **more,
        }
        row = {key: value for key, value in row.items() if value is not None or key == "parentUuid"}
        self.rows.append(row)
        self._parent = row.get("uuid", self._parent)
        return row

    def say(self, text: str | list[Row], **more: Any) -> Row:
        """Append a row of the user."""
        return self.add("user", message={"role": "user", "content": text}, **more)

    def call(
        self, number: int, *blocks: Row, output: int = 40, cached: int = 0, **more: Any
    ) -> Row:
        """Append a row of the model's answer with this number."""
        message = {
            "model": "claude-opus-4-5-20251101",
            "id": f"msg_{self._name}_{number}",
            "type": "message",
            "role": "assistant",
            "content": list(blocks),
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 10,
                "cache_creation_input_tokens": 200,
                "cache_read_input_tokens": cached,
                "output_tokens": output,
                "service_tier": "standard",
            },
        }
        request = f"req_{self._name}_{number}" if self.requests else None
        return self.add("assistant", message=message, requestId=request, **more)

    def use(self, number: int, tool: str, given: Row, **more: Any) -> Row:
        """Append an answer that uses one tool."""
        block = {"type": "tool_use", "id": self.tool_id(number), "name": tool, "input": given}
        return self.call(number, block, **more)

    def result(self, number: int, text: str, *, is_error: bool = False, **more: Any) -> Row:
        """Append the result of the tool that was used in the answer with this number."""
        outcome = f"Error: {text}" if is_error else {"stdout": text, "stderr": ""}
        return self.say([self.result_block(number, text, is_error)], toolUseResult=outcome, **more)

    def result_block(self, number: int, text: str, is_error: bool = False) -> Row:
        block = {"tool_use_id": self.tool_id(number), "type": "tool_result", "content": text}
        return {**block, "is_error": True} if is_error else block

    def tool_id(self, number: int) -> str:
        return f"toolu_{self._name}_{number}"

    def lines(self) -> list[bytes]:
        return [dump(row) for row in self.rows]

    def write(self) -> bytes:
        return b"\n".join(self.lines()) + b"\n"


def text(words: str) -> Row:
    return {"type": "text", "text": words}


def summary(words: str) -> Row:
    leaf = str(uuid.uuid5(uuid.NAMESPACE_URL, words))
    return {"type": "summary", "summary": words, "leafUuid": leaf}
