"""Find commands that fail again unchanged, with nothing changed in between."""

from collections.abc import Iterator, Mapping
from typing import Final

from orchestrator.sessions.calls.causes import Origin, find_cause
from orchestrator.sessions.calls.commands import leaves_files, normalize
from orchestrator.sessions.calls.suite_runs import Verdict, judge_call
from orchestrator.sessions.detectors.calls import is_done_edit, quote_call, read_command
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Entry, Prompt, Session, Thread, ToolCall

LEAST_FAILURES: Final = 3
"""Failures in a row: a second try is reasonable (it may be flaky), a third is not. In 273 real
sessions 18 have a command that failed three times, but none of them had changed nothing before it
failed again; without looking at changes the detector would fire on the way programs are written."""

_NO_MISTAKES: Final = frozenset({Origin.USER, Origin.CASCADE, Origin.MACHINE})


def find_same_commands(session: Session) -> Iterator[Occurrence]:
    """Yield each failure of a command that failed `LEAST_FAILURES` times; `detail` has its number.

    A run of tests fails if its output says so, whatever its exit code. An edit, a command that may
    change something, and a prompt end a row.
    """
    for thread in session.threads:
        for command, failures in _find_failures(thread).items():
            for row in _split_rows(thread, command, failures):
                for number, call in enumerate(row, 1):
                    yield Occurrence(
                        Detector.SAME_COMMAND,
                        normalize(command),
                        call.result_row or call.row,
                        call.at,
                        quote_call(command, failures[id(call)]),
                        thread.agent,
                        {"failure": number, "of": len(row)},
                    )


def _find_failures(thread: Thread) -> dict[str, dict[int, str]]:
    """Return the commands that failed often enough, each with what its failed calls said."""
    calls: dict[str, list[ToolCall]] = {}
    for entry in thread.entries:
        if isinstance(entry, ToolCall) and entry.name == "Bash":
            calls.setdefault(read_command(entry), []).append(entry)
    found = {}
    for command, of_one in calls.items():
        if len(of_one) >= LEAST_FAILURES:
            lines = {id(each): line for each in of_one if (line := _read_failure(each)) is not None}
            if len(lines) >= LEAST_FAILURES:
                found[command] = lines
    return found


def _split_rows(
    thread: Thread, command: str, failures: Mapping[int, str]
) -> Iterator[list[ToolCall]]:
    """Yield the failures of a command in rows between which something changed."""
    row: list[ToolCall] = []
    for entry in thread.entries:
        if id(entry) in failures and isinstance(entry, ToolCall):
            row.append(entry)
        elif row and _may_change(entry, command):
            if len(row) >= LEAST_FAILURES:
                yield row
            row = []
    if len(row) >= LEAST_FAILURES:
        yield row


def _may_change(entry: Entry, command: str) -> bool:
    """Return whether a command that failed may succeed after an entry, or has succeeded by it."""
    if not isinstance(entry, ToolCall):
        return isinstance(entry, Prompt)
    if entry.name != "Bash":
        return is_done_edit(entry)
    other = read_command(entry)
    if entry.denial is not None:
        return False
    return other == command or not (leaves_files(other) or judge_call(entry))


def _read_failure(call: ToolCall) -> str | None:
    """Return what a command that failed said; None if it did not fail by its own fault."""
    if call.is_error:
        found = find_cause(call)
        return None if found is None or found.origin in _NO_MISTAKES else found.line
    run = judge_call(call)
    return "the tests failed" if run is not None and run.verdict is Verdict.RED else None
