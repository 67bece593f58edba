"""Find tests that were red again and again before they became green, and what changed them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from orchestrator.sessions.calls.code_errors import is_build_failure
from orchestrator.sessions.calls.error_lines import find_error_line, normalize_line
from orchestrator.sessions.calls.shortening import shorten_at_line_break
from orchestrator.sessions.calls.suite_outputs import Runner, cut_output, find_failed_case
from orchestrator.sessions.calls.suite_runs import Verdict, judge_call
from orchestrator.sessions.calls.tool_inputs import EditInput, read_input
from orchestrator.sessions.detectors.calls import (
    is_done_edit,
    quote_call,
    read_command,
    read_path,
    shorten_path,
)
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Prompt, Session, Thread, ToolCall

LEAST_REDS: Final = 2
"""Red runs before the green one: a single red run is how tests are used. Of 148 real loops 101 had
one, 47 two or more."""
MOST_OF_DIFF: Final = 4_000
_MOST_OF_EDIT: Final = 1_200
_MOST_COMPARED: Final = 20_000
_MOST_LINES: Final = 300
"""What is compared of each side of an edit: a comparison costs their product."""
_MOST_PATHS: Final = 20


@dataclass
class _Loop:
    """The red runs of one runner, and what was edited since the last of them."""

    reds: list[ToolCall] = field(default_factory=list)
    edits: list[ToolCall] = field(default_factory=list)


def find_suite_loops(session: Session) -> Iterator[Occurrence]:
    """Yield each loop of red, red, ..., green in one task; the row is that of the green run.

    Code that does not compile is no red run: no test has said anything.

    `detail`: `runner`, `reds` (how many), `paths` (edited between the last red run and the green
    one, below the session's folder), and `diff` (of these edits, cut, unmasked). The key names the
    case that failed, as what it said is that of many.
    """
    for thread in session.threads:
        yield from _find_loops(thread, session.folder)


def _find_loops(thread: Thread, folder: str) -> Iterator[Occurrence]:
    loops: dict[Runner, _Loop] = {}
    for entry in thread.entries:
        if isinstance(entry, Prompt):
            loops.clear()
        elif not isinstance(entry, ToolCall):
            continue
        elif entry.name == "Bash":
            run = judge_call(entry)
            if run is None:
                continue
            if run.verdict is Verdict.RED:
                if is_build_failure(cut_output(entry.result or ""), run.runner):
                    continue
                loop = loops.setdefault(run.runner, _Loop())
                loop.reds.append(entry)
                loop.edits.clear()
            elif run.verdict is Verdict.GREEN:
                done = loops.pop(run.runner, None)
                if done and len(done.reds) >= LEAST_REDS:
                    yield _describe_loop(done, run.runner, entry, thread.agent, folder)
        elif loops and is_done_edit(entry):
            for loop in loops.values():
                loop.edits.append(entry)


def _describe_loop(
    loop: _Loop, runner: Runner, green: ToolCall, agent: str, folder: str
) -> Occurrence:
    last = loop.reds[-1]
    output = cut_output(last.result or "")
    line, case = find_error_line(output), find_failed_case(output, runner)
    says_more = "" if line in case else line
    paths = dict.fromkeys(shorten_path(read_path(each), folder) for each in loop.edits)
    return Occurrence(
        Detector.TEST_LOOP,
        f"{runner}: {normalize_line(case or line)}",
        green.result_row or green.row,
        green.at,
        quote_call(read_command(last), "\n".join(filter(None, (case, says_more)))),
        agent,
        {
            "runner": runner.value,
            "reds": len(loop.reds),
            "paths": list(paths)[:_MOST_PATHS],
            "diff": _join_edits(loop.edits, folder),
        },
    )


def _join_edits(edits: list[ToolCall], folder: str) -> str:
    """Return edits as a diff without line numbers, which a transcript does not have."""
    text = ""
    for each in edits:
        given = read_input(each)
        if not isinstance(given, EditInput) or len(text) >= MOST_OF_DIFF:
            continue
        pairs = [(part.old_string, part.new_string) for part in given.edits]
        pairs = pairs or [(given.old_string, given.new_string or given.content)]
        hunks = "".join(_diff(old, new) for old, new in pairs)
        shown = shorten_at_line_break(hunks, _MOST_OF_EDIT)
        text += f"--- {shorten_path(given.path, folder)}\n{shown}\n"
    return shorten_at_line_break(text, MOST_OF_DIFF)


def _diff(old: str, new: str) -> str:
    """Return the lines that differ, and one around them."""
    from difflib import unified_diff

    before, after = (
        shorten_at_line_break(each, _MOST_COMPARED).split("\n")[:_MOST_LINES] if each else []
        for each in (old, new)
    )
    lines = list(unified_diff(before, after, lineterm="", n=1))[2:]
    return "".join(f"{each}\n" for each in lines if not each.startswith("@@"))
