"""Sessions made by hand of tool calls, one a minute."""

import json
from typing import Any

import msgspec

from orchestrator.sessions.models import (
    Compaction,
    Denial,
    Entry,
    ModelCall,
    Prompt,
    Session,
    SessionClass,
    Thread,
    ToolCall,
    Usage,
)

FOLDER = "/home/dev/shop"


def make_call(
    name: str,
    result: str | None = "ok",
    *,
    error: bool = False,
    denial: Denial | None = None,
    **inputs: Any,
) -> ToolCall:
    """Return a call with its result, without a place in a session."""
    raw = msgspec.Raw(json.dumps(inputs).encode())
    return ToolCall(name, raw, "", "", "m", result, "", "", error, denial)


def bash(command: str, result: str | None = "ok", *, error: bool = False) -> ToolCall:
    return make_call("Bash", result, error=error, command=command)


def failed(command: str, output: str, code: int = 1) -> ToolCall:
    return bash(command, f"Exit code {code}\n{output}", error=True)


def edit(path: str = f"{FOLDER}/a.py", old: str = "old", new: str = "new") -> ToolCall:
    return make_call("Edit", "updated", file_path=path, old_string=old, new_string=new)


def failed_edit(result: str, path: str = f"{FOLDER}/a.py") -> ToolCall:
    return make_call(
        "Edit", f"<tool_use_error>{result}</tool_use_error>", error=True, file_path=path,
        old_string="x", new_string="y",
    )  # fmt: skip


def read(path: str = f"{FOLDER}/a.py", result: str = "1\tline\n", **part: Any) -> ToolCall:
    return make_call("Read", result, file_path=path, **part)


def prompt(text: str = "go on") -> Prompt:
    return Prompt(text, "", "")


def compaction() -> Compaction:
    return Compaction("", "")


def answer() -> ModelCall:
    return ModelCall("m", "model", Usage(), "", "")


def make_session(*entries: Entry, agent: str = "", folder: str = FOLDER) -> Session:
    """Return a session of one thread; rows and times follow from the order."""
    for number, entry in enumerate(entries):
        entry.at, entry.row = f"2026-01-28T11:{number:02}:00.000Z", f"row-{number}"
        if isinstance(entry, ToolCall) and entry.result is not None:
            entry.result_at, entry.result_row = entry.at, f"result-{number}"
    return Session(
        "s1", "s1", ("/home/dev/s1.jsonl",), SessionClass.HUMAN, folder, "", "", ("2.1.30",),
        ("m",), [Thread(agent, list(entries))], Usage(), True, None,
    )  # fmt: skip
