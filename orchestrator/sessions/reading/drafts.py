"""Collect what is known of a session while its rows are read."""

import re
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Final

from orchestrator.sessions.models import Entry, ModelCall, Session, Thread
from orchestrator.sessions.reading import costs
from orchestrator.sessions.reading.classes import classify_session
from orchestrator.sessions.reading.files import Family
from orchestrator.sessions.reading.rows import Row

_is_time: Final = re.compile(
    r"20[2-9]\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
    r"(?:\.\d{1,9})?(?:Z|\+00:00)?",
    re.ASCII,
).fullmatch
"""Times are compared as text, and an odd one would put its session into every period."""
_HOUR: Final = len("2026-01-28T11:")
_USUAL: Final = len("2026-01-28T11:15:57.297Z")


def _ends_as_time(at: str) -> bool:
    """Return whether a text of the usual length ends with minutes, seconds and milliseconds."""
    digits = at[14:16] + at[17:19] + at[20:23]
    return digits.isdigit() and digits.isascii() and at[16] + at[19] + at[23] == ":.Z"


class SessionDraft:
    """What is known of a session so far."""

    def __init__(self, identifier: str) -> None:
        self.id = identifier
        self.folder = self.entrypoint = self.title = ""
        self.started = self.ended = ""
        self.versions: dict[str, None] = {}
        self.models: dict[str, None] = {}
        self.threads: dict[str, list[Entry]] = {}
        self.calls: list[ModelCall] = []
        self.prompts = self.typed = 0
        self.cost: float | None = None
        self.instructions: dict[str, None] = {}
        self._version: str | None = None
        self._hour = ""
        """The hour of the last row: to check the time of each row would cost a tenth of all."""

    @property
    def entries(self) -> list[Entry]:
        """The entries of the main conversation."""
        return self.threads.setdefault("", [])

    def note(self, row: Row) -> None:
        """Note when, where and by which version a row was written."""
        at = row.timestamp
        if at[:_HOUR] != self._hour or len(at) != _USUAL or not _ends_as_time(at):
            self.correct_time(row)
            at = row.timestamp
            self._hour = at[:_HOUR]
        if not self.started:
            self.started = self.ended = at
        elif at > self.ended:
            self.ended = at
        elif at and at < self.started:
            self.started = at
        if row.version != self._version:
            self._note_version(row)

    def correct_time(self, row: Row) -> None:
        """Replace a time that is none by the last of the session."""
        if not _is_time(row.timestamp):
            row.timestamp = self.ended

    @property
    def has_rows(self) -> bool:
        """Whether a row of the session was noted."""
        return self._version is not None

    def _note_version(self, row: Row) -> None:
        self._version = row.version
        self.versions[row.version] = None
        self.folder = self.folder or row.cwd
        self.entrypoint = self.entrypoint or row.entrypoint or ""

    def build(self, family: Family, own_ids: Set[str], own_folders: Iterable[Path]) -> Session:
        """Return the session."""
        kind = classify_session(
            family,
            self.id,
            self.folder,
            typed=self.typed,
            prompts=self.prompts,
            entrypoint=self.entrypoint,
            own_ids=own_ids,
            own_folders=own_folders,
        )
        return Session(
            id=self.id,
            family=family.name,
            files=tuple(map(str, family.files)),
            kind=kind,
            folder=self.folder,
            started=self.started,
            ended=self.ended,
            versions=tuple(filter(None, self.versions)),
            models=tuple(self.models),
            threads=[Thread(agent, entries) for agent, entries in self.threads.items()],
            usage=costs.sum_usage(self.calls),
            output_reliable=costs.is_output_reliable(self.calls),
            cost_usd=self.cost,
            title=self.title,
            instructions=tuple(self.instructions),
            entrypoint=self.entrypoint,
        )
