"""Count what happened in each task of a session: the numbers that `stats` is made of.

A task is a typed prompt and all that follows up to the next one, subagents included. In a headless
session the one prompt is the task. What a slash command started before any prompt is a task too,
with the number 0.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate

from orchestrator.sessions.calls.suite_outputs import Verdict
from orchestrator.sessions.calls.suite_runs import judge_call
from orchestrator.sessions.detectors.calls import is_done_edit
from orchestrator.sessions.detectors.corrections import find_corrections
from orchestrator.sessions.detectors.interruptions import find_interruptions
from orchestrator.sessions.detectors.user_text import strip_harness_text
from orchestrator.sessions.models import (
    Denial,
    Entry,
    Interjection,
    ModelCall,
    Prompt,
    Session,
    ToolCall,
)
from orchestrator.sessions.reading.costs import add_counts


@dataclass(frozen=True)
class TaskFacts:
    """The numbers of one task, as they are stored."""

    number: int
    """Its place in the session, from 1; 0 for what no typed prompt started."""
    started: str
    ended: str
    tool_calls: int
    """Of the main conversation: those of subagents would hide how often a person intervened."""
    edits: int
    """Calls that changed a file."""
    suite_runs: int
    unknown_runs: int
    """Suite runs whose verdict could not be read."""
    red_runs: int
    """Suite runs that failed, of all runners."""
    resolved: bool | None
    """Whether each runner that was red was green in the end; None if no verdict could be read."""
    first_green: bool | None
    """Whether the first readable suite run after the first edit was green; None without one."""
    rejections: int
    interruptions: int
    corrections: int
    """Corrections by the prompt that follows: they are about this task."""
    tokens: int
    """Of all kinds."""
    seconds: float
    """From its prompt to the last thing that happened in it."""
    version: str
    """The last version of Claude Code that wrote the session."""
    model: str
    """The model that answered most often."""


@dataclass
class _Task:
    """What is counted while the entries of a task pass."""

    number: int
    started: str
    ended: str
    rejected: set[tuple[str, str]] = field(default_factory=set)
    interruptions: int = 0
    corrections: int = 0
    tool_calls: int = 0
    edits: int = 0
    tokens: int = 0
    models: Counter[str] = field(default_factory=Counter)
    verdicts: list[tuple[str, str, Verdict]] = field(default_factory=list)
    """When, by which runner, and what; of all threads."""
    first_edit: str = ""
    is_empty: bool = True


def count_tasks(session: Session) -> list[TaskFacts]:
    """Return the numbers of each task of a session, in order."""
    prompts = [each for each in session.main.entries if isinstance(each, Prompt)]
    first = _find_start(session)
    tasks = [_Task(0, first, first)]
    tasks += [_Task(number, each.at, each.at) for number, each in enumerate(prompts, 1)]
    # Rows of a forked or resumed session may stand out of order.
    starts = list(accumulate((each.at for each in prompts), max))
    position = 0
    corrected: dict[str, int] = {}
    """By the row of what was typed, the task that it may correct: of a prompt, the one before."""
    for entry in session.main.entries:
        if isinstance(entry, Prompt):
            corrected[entry.row] = position
            position += 1
        else:
            if isinstance(entry, Interjection):
                corrected[entry.row] = position
            _count_entry(tasks[position], entry)
    for thread in session.threads:
        if thread.agent:
            for entry in thread.entries:
                _count_entry(tasks[bisect_right(starts, entry.at)], entry, is_main=False)
    for found in find_interruptions(session):
        tasks[bisect_right(starts, found.at)].interruptions += 1
    for found in find_corrections(session):
        tasks[corrected[found.row]].corrections += 1
    version = session.versions[-1] if session.versions else ""
    is_needed = not prompts or not tasks[0].is_empty
    return [_close_task(each, version) for each in (tasks if is_needed else tasks[1:])]


def _find_start(session: Session) -> str:
    times = (each.at for each in session.main.entries if each.at)
    return next(times, session.started)


def _count_entry(task: _Task, entry: Entry, *, is_main: bool = True) -> None:
    if isinstance(entry, Prompt):
        return
    task.ended = max(task.ended, entry.at)
    if isinstance(entry, ModelCall):
        used = entry.usage
        task.tokens += used.input + used.output + used.cache_read + used.cache_write
        task.is_empty = False
        if is_main:
            task.models[entry.model] += 1
    elif isinstance(entry, ToolCall):
        task.is_empty = False
        task.tool_calls += is_main
        _count_call(task, entry)


def _count_call(task: _Task, call: ToolCall) -> None:
    at = call.result_at or call.at
    task.ended = max(task.ended, at)
    if call.denial is Denial.REJECTED:
        # Calls of one message that were rejected with the same words were rejected once.
        task.rejected.add((call.message, strip_harness_text(call.user_message)))
    if call.denial is not None:
        return
    if is_done_edit(call):
        task.edits += 1
        task.first_edit = min(task.first_edit or at, at)
    elif (run := judge_call(call)) is not None:
        task.verdicts.append((at, run.runner, run.verdict))


def _close_task(task: _Task, version: str) -> TaskFacts:
    verdicts = [each for _, _, each in task.verdicts]
    return TaskFacts(
        number=task.number,
        started=task.started,
        ended=task.ended,
        tool_calls=task.tool_calls,
        edits=task.edits,
        suite_runs=len(verdicts),
        unknown_runs=verdicts.count(Verdict.UNKNOWN),
        red_runs=verdicts.count(Verdict.RED),
        resolved=_is_resolved(task),
        first_green=_is_first_green(task),
        rejections=len(task.rejected),
        interruptions=task.interruptions,
        corrections=task.corrections,
        tokens=add_counts((task.tokens,)),
        seconds=_count_seconds(task.started, task.ended),
        version=version,
        model=min(task.models, key=lambda each: (-task.models[each], each), default=""),
    )


def _read_verdicts(task: _Task) -> Iterator[tuple[str, str, Verdict]]:
    """Yield the readable verdicts by time; those of one time stay in their order."""
    for at, runner, verdict in sorted(task.verdicts, key=lambda each: each[0]):
        if verdict is not Verdict.UNKNOWN:
            yield at, runner, verdict


def _is_resolved(task: _Task) -> bool | None:
    last = {runner: verdict for _, runner, verdict in _read_verdicts(task)}
    return all(each is Verdict.GREEN for each in last.values()) if last else None


def _is_first_green(task: _Task) -> bool | None:
    if not task.first_edit:
        return None
    after = (verdict for at, _, verdict in _read_verdicts(task) if at >= task.first_edit)
    first = next(after, None)
    return None if first is None else first is Verdict.GREEN


def _count_seconds(started: str, ended: str) -> float:
    try:
        passed = datetime.fromisoformat(ended) - datetime.fromisoformat(started)
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, passed.total_seconds())
