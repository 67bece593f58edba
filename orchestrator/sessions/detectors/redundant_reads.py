"""Find parts of files that were read again although nothing had changed."""

from collections.abc import Iterator
from typing import Final

from orchestrator.sessions.calls.commands import leaves_files
from orchestrator.sessions.calls.suite_runs import judge_call
from orchestrator.sessions.calls.tool_inputs import ReadInput, read_input
from orchestrator.sessions.detectors.calls import EDITS, read_command, read_path, shorten_path
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Compaction, Entry, Session, Thread, ToolCall

LEAST_READS: Final = 3
"""Reads of the same part with the same content in the same context. More than two reads of a file,
as published, fire in 174 of 273 real sessions; this key fires in 2 of them."""

_CHARACTERS_PER_TOKEN: Final = 4
_STUB: Final = ("File unchanged since last read", "<system-reminder>", "<persisted-output>")
"""Results that hold no content."""

_Part = tuple[str, int | None, int | None]


def find_redundant_reads(session: Session) -> Iterator[Occurrence]:
    """Yield each read after the first of a part of a file that was read `LEAST_READS` times.

    Reads count as long as the same agent has the content before it: until it edits the file, runs a
    command that may change it, or its context is compacted. `detail` has the tokens of the read,
    estimated by its length, and its number.
    """
    for thread in session.threads:
        reads = sum(isinstance(each, ToolCall) and each.name == "Read" for each in thread.entries)
        for path, calls in _find_rows(thread) if reads >= LEAST_READS else ():
            short = shorten_path(path, session.folder)
            for number, call in enumerate(calls[1:], 2):
                yield Occurrence(
                    Detector.REDUNDANT_READ,
                    short,
                    call.result_row or call.row,
                    call.at,
                    f"{short}: read {number} of {len(calls)}, unchanged",
                    thread.agent,
                    {"tokens": len(call.result or "") // _CHARACTERS_PER_TOKEN, "read": number},
                )


def _find_rows(thread: Thread) -> Iterator[tuple[str, list[ToolCall]]]:
    """Yield path and reads of each part that was read often enough.

    What changes files is looked at only where a part was read often enough without it.
    """
    counts: dict[_Part, int] = {}
    parts: dict[int, _Part] = {}
    for at, entry in enumerate(thread.entries):
        if isinstance(entry, ToolCall) and entry.name == "Read" and _has_content(entry):
            given = read_input(entry)
            if isinstance(given, ReadInput):
                parts[at] = part = given.file_path, given.offset, given.limit
                counts[part] = counts.get(part, 0) + 1
    for part in [each for each, count in counts.items() if count >= LEAST_READS]:
        row: list[ToolCall] = []
        for at, entry in enumerate(thread.entries):
            if parts.get(at) == part and isinstance(entry, ToolCall):
                row.append(entry)
            elif row and _may_change(entry, part[0]):
                if len(row) >= LEAST_READS:
                    yield part[0], row
                row = []
        if len(row) >= LEAST_READS:
            yield part[0], row


def _has_content(call: ToolCall) -> bool:
    return not call.is_error and bool(call.result) and not str(call.result).startswith(_STUB)


def _may_change(entry: Entry, path: str) -> bool:
    """Return whether what was read of a file may be out of date, or gone, after an entry."""
    if not isinstance(entry, ToolCall):
        return isinstance(entry, Compaction)
    if entry.denial is not None:
        return False
    if entry.name in EDITS:
        return read_path(entry) == path
    command = read_command(entry)
    return bool(command) and not leaves_files(command) and judge_call(entry) is None
