"""Find commands that fail again unchanged, with nothing changed in between."""

from collections.abc import Iterator
from typing import Final

from orchestrator.sessions.causes import Origin, find_cause
from orchestrator.sessions.commands import is_read_only, normalize
from orchestrator.sessions.detectors.calls import is_done_edit, quote_call, read_command
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Prompt, Session, Thread, ToolCall
from orchestrator.sessions.suite_runs import Verdict, judge_call

LEAST_FAILURES: Final = 3
"""Failures in a row: a second try is reasonable (it may be flaky), a third is not. Of 273 real
sessions 38 had two and 16 three, counting edits by tools only and prompts not (SESSIONS, 3)."""

_NO_MISTAKES: Final = frozenset({Origin.USER, Origin.CASCADE, Origin.MACHINE})


def find_same_commands(session: Session) -> Iterator[Occurrence]:
    """Yield each failure of a command that failed `LEAST_FAILURES` times; `detail` has its number.

    A run of tests fails if its output says so, whatever its exit code. An edit, a command that may
    change something, and a prompt end a row.
    """
    for thread in session.threads:
        for row in _find_rows(thread):
            for number, (call, command, line) in enumerate(row, 1):
                yield Occurrence(
                    Detector.SAME_COMMAND,
                    normalize(command),
                    call.result_row or call.row,
                    call.at,
                    quote_call(command, line),
                    thread.agent,
                    {"failure": number, "of": len(row)},
                )


_Failure = tuple[ToolCall, str, str]


def _find_rows(thread: Thread) -> Iterator[list[_Failure]]:
    """Yield the failures of each command that failed often enough with nothing changed."""
    failures: dict[str, list[_Failure]] = {}
    for entry in thread.entries:
        if isinstance(entry, Prompt) or (isinstance(entry, ToolCall) and is_done_edit(entry)):
            yield from _take_rows(failures)
        elif isinstance(entry, ToolCall) and entry.name == "Bash":
            command = " ".join(read_command(entry).split())
            line = _read_failure(entry)
            if line is not None:
                failures.setdefault(command, []).append((entry, command, line))
            elif failures and entry.denial is None:
                if command in failures:  # it succeeded
                    yield from _take_rows({command: failures.pop(command)})
                if judge_call(entry) is None and not is_read_only(command):
                    yield from _take_rows(failures)
    yield from _take_rows(failures)


def _take_rows(failures: dict[str, list[_Failure]]) -> Iterator[list[_Failure]]:
    yield from (each for each in failures.values() if len(each) >= LEAST_FAILURES)
    failures.clear()


def _read_failure(call: ToolCall) -> str | None:
    """Return what a command that failed said; None if it did not fail by its own fault."""
    if call.is_error:
        found = find_cause(call)
        return None if found is None or found.origin in _NO_MISTAKES else found.line
    run = judge_call(call)
    return "the tests failed" if run is not None and run.verdict is Verdict.RED else None
