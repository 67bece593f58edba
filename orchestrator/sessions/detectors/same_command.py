"""Find commands that fail again unchanged, with nothing changed in between."""

from collections import Counter
from collections.abc import Iterator, Set
from typing import Final

from orchestrator.sessions.causes import Origin, find_cause
from orchestrator.sessions.commands import leaves_files, normalize
from orchestrator.sessions.detectors.calls import is_done_edit, quote_call, read_command
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Prompt, Session, Thread, ToolCall
from orchestrator.sessions.suite_runs import Verdict, judge_call

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
        counts = Counter(
            read_command(each) for each in thread.entries if isinstance(each, ToolCall)
        )
        del counts[""]
        repeated = {each for each, count in counts.items() if count >= LEAST_FAILURES}
        for row in _find_rows(thread, repeated) if repeated else ():
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


def _find_rows(thread: Thread, repeated: Set[str]) -> Iterator[list[_Failure]]:
    """Yield the failures of each command that failed often enough with nothing changed.

    Args:
        thread: the conversation.
        repeated: the commands in it that were called often enough.
    """
    failures: dict[str, list[_Failure]] = {}
    for entry in thread.entries:
        if isinstance(entry, Prompt) or (isinstance(entry, ToolCall) and is_done_edit(entry)):
            yield from _take_rows(failures)
        elif isinstance(entry, ToolCall) and entry.name == "Bash":
            command = read_command(entry)
            line = _read_failure(entry) if command in repeated else None
            if line is not None:
                failures.setdefault(command, []).append((entry, command, line))
            elif failures and entry.denial is None:
                if command in failures:  # it succeeded
                    yield from _take_rows({command: failures.pop(command)})
                if not leaves_files(command) and judge_call(entry) is None:
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
