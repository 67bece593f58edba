"""Transcripts written by hand, row by row, in the shape of 2.1.332."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.masking import Masker
from orchestrator.sessions.store.scan_results import ScanResult
from orchestrator.sessions.store.scanning import scan_transcripts
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database

TABLES = ("sessions", "session_tasks", "occurrences")


@dataclass
class Written:
    """A transcript that grows row by row."""

    home: Path
    session: str
    folder: str = "/home/dev/shop"
    source: str = "typed"
    """`typed`, or `sdk` for a headless session."""
    minute: int = 0
    rows: list[bytes] = field(default_factory=list)
    day: str = "2026-11-20"

    @property
    def path(self) -> Path:
        return self.home / "projects" / "-home-dev-shop" / f"{self.session}.jsonl"

    def add(self, kind: str, **values: Any) -> str:
        """Add a row, and return its uuid."""
        self.minute += 1
        uuid = f"{self.session}-{self.minute}"
        row = {
            "type": kind,
            "uuid": uuid,
            "sessionId": self.session,
            "cwd": self.folder,
            "version": "2.1.332",
            "timestamp": f"{self.day}T10:{self.minute % 60:02d}:00.{self.minute:03d}Z",
            "entrypoint": "cli" if self.source == "typed" else "sdk-cli",
            **values,
        }
        self.rows.append(json.dumps(row).encode())
        return uuid

    def prompt(self, text: str) -> None:
        """Add a prompt."""
        origin = {"promptSource": self.source}
        if self.source == "typed":
            origin["origin"] = {"kind": "human"}  # type: ignore[assignment]
        self.add("user", message={"role": "user", "content": text}, **origin)

    def reply(self, text: str) -> None:
        """Add an answer of the model without a call."""
        self._answer([{"type": "text", "text": text}], "end_turn")

    def call(self, tool: str, inputs: dict[str, Any], result: str, *, error: bool = False) -> None:
        """Add a call of a tool with its result."""
        identifier = f"toolu_{self.session}_{self.minute}"
        block = {"type": "tool_use", "id": identifier, "name": tool, "input": inputs}
        self._answer([block], "tool_use")
        outcome = {"type": "tool_result", "tool_use_id": identifier, "content": result}
        if error:
            outcome["is_error"] = True  # type: ignore[assignment]
        self.add("user", message={"role": "user", "content": [outcome]})

    def _answer(self, content: list[dict[str, Any]], reason: str) -> None:
        usage = {"input_tokens": 10, "output_tokens": 20}
        message = {
            "id": f"msg_{self.session}_{self.minute}",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "content": content,
            "stop_reason": reason,
            "usage": usage,
        }
        self.add("assistant", message=message)

    def save(self) -> Path:
        """Write all rows."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"".join(row + b"\n" for row in self.rows))
        return self.path


def write_shop_session(home: Path, session: str, **values: Any) -> Written:
    """Write a session with a prompt, an error, an edit, and a test that fails and passes."""
    made = Written(home, session, **values)
    made.prompt("Please make the cart work")
    made.call("Read", {"file_path": "/home/dev/shop/cart.py"}, "File does not exist.", error=True)
    made.call("Bash", {"command": "pytest"}, "1 failed in 0.1s", error=True)
    inputs = {"file_path": "/home/dev/shop/cart.py", "old_string": "a", "new_string": "b"}
    made.call("Edit", inputs, "The file has been updated.")
    made.call("Bash", {"command": "pytest"}, "2 passed in 0.1s")
    made.reply("It works now.")
    made.save()
    return made


def scan(database: Database, home: Path, **values: Any) -> ScanResult:
    """Scan a home."""
    return scan_transcripts(database, [home], Masker, **values)


def read_tables(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that is stored of sessions."""
    return {
        table: sorted(database.fetch_rows(f"SELECT * FROM {table}"), key=repr)  # noqa: S608
        for table in TABLES
    }


def scan_afresh(home: Path, state: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return what a scan of everything stores."""
    with open_database(state, "") as database:
        scan(database, home)
        return read_tables(database)
