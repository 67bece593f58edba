"""Rows as Claude Code writes them, for tests that write a transcript of their own."""

import json
from pathlib import Path
from typing import Any

from orchestrator.sessions.models import Session, ToolCall
from orchestrator.sessions.reading.deduplication import KnownIds
from orchestrator.sessions.reading.family_reading import FamilyReading, read_family
from orchestrator.sessions.reading.files import Family, find_transcripts

SESSION = "11111111-2222-4333-8444-555555555555"
USAGE = {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3}


def make_row(kind: str, uuid: str, **values: Any) -> dict[str, Any]:
    """Return a row of a session."""
    number = sum(map(ord, uuid)) % 60
    return {
        "type": kind,
        "uuid": uuid,
        "sessionId": SESSION,
        "cwd": "/home/dev/shop",
        "version": "2.1.332",
        "timestamp": f"2026-11-20T10:00:{number:02}.000Z",
        **values,
    }


def say(uuid: str, text: str, **values: Any) -> dict[str, Any]:
    """Return a row in which the user says something."""
    return make_row("user", uuid, message={"role": "user", "content": text}, **values)


def call_tool(uuid: str, call: str, message: str = "", **values: Any) -> dict[str, Any]:
    """Return a row in which the model calls a tool."""
    block = {"type": "tool_use", "id": call, "name": "Bash", "input": {"command": "ls"}}
    content = {"id": message or f"msg_{uuid}", "model": "m", "content": [block], "usage": USAGE}
    return make_row("assistant", uuid, message=content, **values)


def give_result(uuid: str, call: str, text: str, *, error: bool = False, **values: Any) -> Any:
    """Return a row with the result of a tool."""
    block = {"type": "tool_result", "tool_use_id": call, "content": text, "is_error": error}
    return make_row("user", uuid, message={"role": "user", "content": [block]}, **values)


def write_rows(path: Path, *rows: dict[str, Any] | bytes) -> Path:
    """Write a transcript, one row a line; bytes as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)
    path.write_bytes(b"".join(lines))
    return path


def main_file(home: Path, session: str = SESSION) -> Path:
    """Return the path of a session's transcript."""
    return home / "projects" / "-home-dev-shop" / f"{session}.jsonl"


def read_home(home: Path, known: KnownIds | None = None) -> list[FamilyReading]:
    """Read all families of a home."""
    known = KnownIds() if known is None else known
    return [read_family(family, known) for family in find_transcripts(home)]


def read_one(home: Path, **options: Any) -> Session:
    """Read the only session of a home."""
    family: Family
    (family,) = find_transcripts(home)
    (session,) = read_family(family, KnownIds(), **options).sessions
    return session


def list_calls(session: Session) -> list[ToolCall]:
    """Return the calls of tools in a session."""
    entries = [entry for thread in session.threads for entry in thread.entries]
    return [entry for entry in entries if isinstance(entry, ToolCall)]
