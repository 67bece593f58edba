"""Print how a task list stands: the board, the lists of all projects, and JSON."""

import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

from orchestrator.cli.output import iter_labelled_lines
from orchestrator.cli.tables import Column, iter_table_lines
from orchestrator.cli.values import format_dollars, format_duration
from orchestrator.counts import format_count
from orchestrator.masking import Masker, mask_text
from orchestrator.masking.visible_text import flatten_text
from orchestrator.tasks.models import (
    FINISHED,
    ListOptions,
    ListRecord,
    ListStatus,
    ListSummary,
    TaskRecord,
    TaskState,
)

LONGEST_LINE: Final = 200
"""Characters of a text that are shown in one line of the board."""
_LONGEST_ID: Final = 16
MOST_SHOWN: Final = 20
"""Tasks that are listed in one column; JSON has all."""
_BAR: Final = 10
"""Characters of the bar that shows how many tasks are done."""
_BLOCKED: Final = "blocked"
_COLUMNS: Final = (
    *("running", "merging", _BLOCKED, "needs a person", "quarantined", "waiting", "on hold"),
    *("proposed", "done", "removed"),
)
"""The columns in the order of the board: first what moves, then what needs a person."""
_COLOURS: Final = {
    **dict.fromkeys(("RUNNING", "MERGING"), "cyan"),
    **dict.fromkeys(("NEEDS A PERSON", "QUARANTINED"), "red"),
    **dict.fromkeys(("BLOCKED", "ON HOLD", "PROPOSED"), "yellow"),
    "DONE": "green",
}
_LISTS: Final = (
    Column("LIST"),
    Column("STARTED"),
    Column("STATUS"),
    Column("DONE", is_number=True),
    Column("COST", is_number=True),
    Column("SOURCE"),
)


def clean_line(text: str, limit: int = LONGEST_LINE) -> str:
    """Return a text from outside as one line that may be shown: masked, visible, bounded."""
    line = flatten_text(mask_text(text))
    return line if len(line) <= limit else f"{line[: limit - 4].rstrip()} ..."


def find_column(record: TaskRecord, blocked: Mapping[str, str]) -> str:
    """Return the column of the board that a task is in."""
    if record.state is TaskState.WAITING and record.item.id in blocked:
        return _BLOCKED
    if record.is_unpublished:
        return str(TaskState.NEEDS_PERSON)
    return str(TaskState.DONE if record.state is TaskState.LANDED else record.state)


def describe_reason(record: TaskRecord, tasks: Sequence[TaskRecord]) -> str:
    """Return why a task is not done, in one line; empty if it is done or was never reached.

    Args:
        record: the task.
        tasks: all tasks of its list.
    """
    if record.reason:
        return clean_line(record.reason)
    open_ids = {each.item.id for each in tasks if each.state not in FINISHED}
    missing = [each for each in record.item.depends if each in open_ids]
    if record.state is TaskState.WAITING and missing:
        return f"waits for {clean_line(', '.join(missing))}"
    return clean_line(record.item.hold) if record.state is TaskState.HELD else ""


def count_done(tasks: Sequence[TaskRecord]) -> tuple[int, int]:
    """Return how many tasks are done, and how many there are; proposals are none yet."""
    counted = [each for each in tasks if each.state not in (TaskState.PROPOSED, TaskState.REMOVED)]
    return sum(each.is_done for each in counted), len(counted)


def format_source(record: ListRecord) -> str:
    """Return where a list was read from."""
    return clean_line(record.source) or "a task in the queue"


def describe_lanes(options: ListOptions) -> str:
    """Return where the runs of a list are done."""
    return "workers" if options.queue else format_count(options.parallel, "lane")


def describe_location(record: TaskRecord, options: ListOptions) -> str:
    """Return where a task runs; with workers, the number of a lane means nothing here."""
    return "queue" if options.queue or not record.lane else f"lane {record.lane}"


def iter_board_lines(
    summary: ListSummary,
    width: int | None = None,
    activities: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> Iterator[str]:
    """Yield the board of a list.

    Args:
        summary: the list.
        width: the columns of the terminal; None if the output is not a terminal.
        activities: what tasks are doing right now, by their ids.
        now: the present.
    """
    record, present = summary.record, now or datetime.now(UTC)
    if record.status is not ListStatus.RUNNING:  # what it has as running was cut off
        present = record.ended or max(_iter_times(summary), default=record.started)
        activities = {
            each.item.id: "cut off; `tasks resume` goes on with it"
            for each in summary.tasks
            if each.state is TaskState.RUNNING
        }
    columns: dict[str, list[TaskRecord]] = {name: [] for name in _COLUMNS}
    for each in summary.tasks:
        columns[find_column(each, summary.blocked)].append(each)
    yield from _iter_head_lines(record, width)
    yield from _iter_total_lines(summary, present, width)
    counts = [f"{name} {len(found)}" for name, found in columns.items() if found]
    yield from iter_labelled_lines(f"{'tasks':<9}", ", ".join(counts) or "none", width)
    for name, found in columns.items():
        if found:
            yield ""
            yield name.upper()
            yield from _iter_column_lines(name, found, summary, activities or {}, present, width)
    commands = list(_iter_next_commands(summary))
    yield from ([""] if commands else [])
    yield from commands


def iter_styled_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a board with its headings in colour; other lines stay as they are."""
    headings = {name.upper() for name in _COLUMNS}
    for line in lines:  # what comes from outside is indented
        yield click.style(line, fg=_COLOURS.get(line), bold=True) if line in headings else line


def _iter_head_lines(record: ListRecord, width: int | None) -> Iterator[str]:
    message = f": {clean_line(record.message)}" if record.message else ""
    facts = (
        ("list", f"{record.id}, {format_source(record)}"),
        ("project", clean_line(str(record.project))),
        ("status", f"{record.status}{message}"),
        (
            "started",
            f"{record.started.astimezone():%Y-%m-%d %H:%M}, {describe_lanes(record.options)}",
        ),
        ("branch", record.branch),
    )
    for label, text in facts:
        yield from iter_labelled_lines(f"{label:<9}", text, width)


def _iter_total_lines(summary: ListSummary, now: datetime, width: int | None) -> Iterator[str]:
    done, count = count_done(summary.tasks)
    filled = _BAR * done // count if count else 0
    record, limit = summary.record, summary.record.options.max_cost_usd
    parts = [
        f"{done} of {count} done",
        format_dollars(sum(each.cost_usd for each in summary.tasks))
        + (f" of {format_dollars(limit)}" if limit else ""),
        format_duration(max(0.0, (now - record.started).total_seconds())),
    ]
    if summary.seconds_left:
        parts.append(f"about {format_duration(summary.seconds_left)} to go")
    yield from iter_labelled_lines(
        f"{'progress':<9}", f"[{'#' * filled:.<{_BAR}}] {', '.join(parts)}", width
    )


def _iter_next_commands(summary: ListSummary) -> Iterator[str]:
    """Yield what a person may want to type next; whole lines, to be copied."""
    from orchestrator.services.task_views import iter_next_steps

    for words, command in iter_next_steps(summary.record, summary.tasks):
        yield f"{f'{words}:':<18} {command}"


def _iter_times(summary: ListSummary) -> Iterator[datetime]:
    yield from (each.updated for each in summary.tasks if each.updated)


def _iter_column_lines(
    name: str,
    found: Sequence[TaskRecord],
    summary: ListSummary,
    activities: Mapping[str, str],
    now: datetime,
    width: int | None,
) -> Iterator[str]:
    # Of what is done, the latest show how it goes; of all else, those that come next.
    shown = found[-MOST_SHOWN:] if name == TaskState.DONE else found[:MOST_SHOWN]
    if len(shown) < len(found):
        yield f"  ({len(found) - len(shown)} more; --json lists them all)"
    size = max(len(clean_line(each.item.id, _LONGEST_ID)) for each in shown)
    for each in shown:
        label = f"  {clean_line(each.item.id, _LONGEST_ID):<{size}}  "
        facts = _describe_facts(each, now, summary.record.options)
        yield from iter_labelled_lines(label, f"{clean_line(each.item.title)}{facts}", width)
        why = activities.get(each.item.id, "") if each.state is TaskState.RUNNING else ""
        why = why or summary.blocked.get(each.item.id, "") * (name == _BLOCKED)
        if text := clean_line(why) or describe_reason(each, summary.tasks):
            yield from iter_labelled_lines(" " * len(label), text, width)


def _describe_facts(record: TaskRecord, now: datetime, options: ListOptions) -> str:
    """Return lane, cost, time and commit of a task, in brackets; empty if there is nothing yet."""
    seconds = record.seconds
    parts = []
    if record.state is TaskState.RUNNING:
        parts.append(describe_location(record, options))
        if record.updated:
            seconds += max(0.0, (now - record.updated).total_seconds())
    if record.cost_usd:
        parts.append(format_dollars(record.cost_usd))
    if seconds:
        parts.append(format_duration(seconds))
    if record.failures:
        parts.append(f"failed {_format_times(record.failures)}")
    if record.returns:
        parts.append(f"sent back {_format_times(record.returns)}")
    if record.landed:
        parts.append(f"commit {record.landed[:9]}")
    return f" ({', '.join(parts)})" if parts else ""


def _format_times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def iter_list_table(summaries: Sequence[ListSummary], width: int | None = None) -> Iterator[str]:
    """Yield the lines of a table of lists, those of all projects."""
    if not summaries:
        yield "no task lists yet"
        return
    rows = []
    for each in summaries:
        done, count = count_done(each.tasks)
        record = each.record
        rows.append((
            record.id,
            f"{record.started.astimezone():%Y-%m-%d %H:%M}",
            record.status,
            f"{done}/{count}",
            format_dollars(sum(task.cost_usd for task in each.tasks)),
            f"{format_source(record)}, {clean_line(str(record.project))}",
        ))  # fmt: skip
    yield from iter_table_lines(_LISTS, rows, width)


def serialize_summary(summary: ListSummary) -> str:
    """Return a list as one line of JSON, with all of its tasks."""
    from pydantic_core import to_jsonable_python

    tasks = [
        {**to_jsonable_python(each), "column": find_column(each, summary.blocked)}
        for each in summary.tasks
    ]
    done, count = count_done(summary.tasks)
    return serialize_masked({
        **to_jsonable_python(summary.record),
        "done": done,
        "count": count,
        "cost_usd": sum(each.cost_usd for each in summary.tasks),
        "seconds_left": summary.seconds_left,
        "blocked": dict(summary.blocked),
        "tasks": tasks,
    })  # fmt: skip


def serialize_masked(value: Any) -> str:  # noqa: ANN401 -- whatever JSON holds
    """Return a value of JSON as one line, with the secrets in its texts masked."""
    # Not `mask_text`, which builds a masker each time: that takes seconds for 1,000 tasks.
    mask = functools.cache(Masker(environment=os.environ).mask)

    def mask_each(value: Any) -> Any:  # noqa: ANN401 -- as above
        if isinstance(value, str):
            return mask(value)
        if isinstance(value, list):
            return [mask_each(each) for each in value]
        if isinstance(value, dict):
            return {key: mask_each(each) for key, each in value.items()}
        return value

    return json.dumps(mask_each(value))
