"""Sessions made by hand, entry by entry; times count seconds from a fixed start."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from orchestrator.sessions.models import (
    ApiFailure,
    Compaction,
    Denial,
    Entry,
    Interjection,
    Interruption,
    ModelCall,
    Prompt,
    Session,
    SessionClass,
    Thread,
    ToolCall,
    Usage,
)

START = datetime(2026, 1, 28, 11, 0, tzinfo=UTC)


def stamp(seconds: float) -> str:
    """Return a time as transcripts have it."""
    moment = START + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Script:
    """Writes the entries of one thread; each takes a minute."""

    def __init__(self, agent: str = "", starts: int = 0) -> None:
        self.thread = Thread(agent, [])
        self._steps = count(starts)

    def _take(self, entry: Entry) -> None:
        self.thread.entries.append(entry)

    def _next(self) -> tuple[str, str]:
        step = next(self._steps)
        return stamp(60 * step), f"{self.thread.agent}r{step}"

    def prompt(self, text: str) -> "Script":
        at, row = self._next()
        self._take(Prompt(text, at, row))
        return self

    def interject(self, text: str) -> "Script":
        at, row = self._next()
        self._take(Interjection(text, at, row))
        return self

    def answer(self, usage: Usage | None = None, model: str = "m", message: str = "") -> "Script":
        at, row = self._next()
        self._take(ModelCall(message or row, model, usage or Usage(), at, row))
        return self

    def call(
        self,
        name: str,
        result: str | None = "ok",
        *,
        message: str = "",
        is_error: bool = False,
        denial: Denial | None = None,
        words: str = "",
        **inputs: Any,
    ) -> "Script":
        at, row = self._next()
        self._take(
            ToolCall(
                name,
                msgspec.Raw(json.dumps(inputs).encode()),
                at,
                row,
                message or row,
                result=result,
                result_at=at,
                result_row=f"{row}-result",
                is_error=is_error,
                denial=denial,
                user_message=words,
            )
        )
        return self

    def bash(self, command: str, result: str | None = "ok", *, is_error: bool = False) -> "Script":
        return self.call("Bash", result, command=command, is_error=is_error)

    def edit(self, path: str = "a.py") -> "Script":
        return self.call("Edit", file_path=path, old_string="a", new_string="b")

    def reject(self, words: str = "", name: str = "Bash", message: str = "") -> "Script":
        inputs = {"command": "x"} if name == "Bash" else {}
        return self.call(
            name, "The user doesn't want", message=message, denial=Denial.REJECTED, words=words,
            is_error=True, **inputs,
        )  # fmt: skip

    def interrupt(self) -> "Script":
        at, row = self._next()
        self._take(Interruption(at, row))
        return self

    def compact(self) -> "Script":
        at, row = self._next()
        self._take(Compaction(at, row))
        return self

    def fail(self) -> "Script":
        at, row = self._next()
        self._take(ApiFailure(at, row))
        return self


def build_session(
    *scripts: Script, kind: SessionClass = SessionClass.HUMAN, name: str = "s1"
) -> Session:
    """Return a session of these threads."""
    return Session(
        id=name,
        family=name,
        files=(f"/home/{name}.jsonl",),
        kind=kind,
        folder="/work/project",
        started=stamp(0),
        ended=stamp(9_999),
        versions=("2.1.30", "2.1.42"),
        models=("m",),
        threads=[each.thread for each in scripts],
        usage=Usage(),
        output_reliable=True,
        cost_usd=None,
    )
