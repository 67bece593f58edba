"""Find parts of files that were read again although nothing had changed."""

from collections.abc import Iterator
from typing import Final

from orchestrator.sessions.commands import is_read_only
from orchestrator.sessions.detectors.calls import EDITS, read_command, read_path, shorten_path
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Compaction, Session, Thread, ToolCall
from orchestrator.sessions.suite_runs import judge_call
from orchestrator.sessions.tool_inputs import ReadInput, read_input

LEAST_READS: Final = 3
"""Reads of the same part with the same content in the same context. More than two reads of a file,
as published, fire in 174 of 273 real sessions; this key fires in 2 of them (SESSIONS, 0.1)."""

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
        for path, calls in _find_rows(thread):
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
    """Yield path and reads of each part that was read often enough."""
    reads: dict[_Part, list[ToolCall]] = {}
    for entry in thread.entries:
        if isinstance(entry, Compaction):
            yield from _take_rows(reads)
        elif not isinstance(entry, ToolCall) or entry.denial is not None:
            continue
        elif entry.name == "Read":
            given = read_input(entry)
            if isinstance(given, ReadInput) and _has_content(entry):
                part = given.file_path, given.offset, given.limit
                reads.setdefault(part, []).append(entry)
        elif reads and entry.name in EDITS:
            yield from _take_rows(reads, read_path(entry))
        elif reads and entry.name == "Bash" and _may_change_files(entry):
            yield from _take_rows(reads)
    yield from _take_rows(reads)


def _has_content(call: ToolCall) -> bool:
    return not call.is_error and bool(call.result) and not str(call.result).startswith(_STUB)


def _may_change_files(call: ToolCall) -> bool:
    """Tell whether a command may change what was read; runs of tests do not."""
    return judge_call(call) is None and not is_read_only(read_command(call))


def _take_rows(
    reads: dict[_Part, list[ToolCall]], path: str | None = None
) -> Iterator[tuple[str, list[ToolCall]]]:
    """Forget the reads of a file, or all of them, and yield those that are often enough."""
    for part in [each for each in reads if path is None or each[0] == path]:
        calls = reads.pop(part)
        if len(calls) >= LEAST_READS:
            yield part[0], calls
