"""Print what a task list would do: for people, and as JSON."""

from collections.abc import Iterator
from typing import Final

from orchestrator.cli.output import iter_labelled_lines
from orchestrator.cli.task_lines import clean_line, describe_reason, serialize_masked
from orchestrator.cli.values import format_dollars, format_duration
from orchestrator.counts import format_count, name_first
from orchestrator.tasks.models import FINISHED, ListPreview, TaskRecord, TaskState

_LABEL: Final = 9


def iter_plan_lines(preview: ListPreview, source: str, width: int | None) -> Iterator[str]:
    """Yield the lines of a preview.

    Args:
        preview: what the list would do.
        source: what the list was read from.
        width: the columns of the terminal; None if the output is not a terminal.
    """
    heading = "Dry run: no agent and no test is started; nothing is spent or written."
    yield from iter_labelled_lines("", heading, width)
    for label, text in _iter_facts(preview, source):
        yield from iter_labelled_lines(f"{label:<{_LABEL}}", text, width)


def _iter_facts(preview: ListPreview, source: str) -> Iterator[tuple[str, str]]:
    tasks = {each.item.id: each for each in preview.tasks}
    done = [each for each in preview.tasks if each.state in FINISHED]
    counts = f"{format_count(len(tasks), 'task')}, {len(preview.order)} would run"
    yield "list", f"{clean_line(source)}: {counts}, {len(done)} already done"
    yield "lanes", str(preview.lanes)
    for number, name in enumerate(preview.order, start=1):
        yield "order" if number == 1 else "", _describe_task(number, tasks[name])
        yield from (("", f"   {text}") for text in _iter_details(tasks[name]))
    if preview.lanes > 1:
        yield from _iter_batches(preview)
    for name, why in preview.blocked.items():
        yield "blocked", f"{_label(tasks[name])}: {clean_line(why)}"
    for each in preview.tasks:
        if each.state is TaskState.HELD:
            yield "on hold", f"{_label(each)}: {describe_reason(each, preview.tasks)}"
    for each in done:
        yield "done", _label(each)
    yield "estimate", _describe_estimate(preview)


def _describe_task(number: int, record: TaskRecord) -> str:
    priority = f" (priority {record.item.priority})"
    return f"{number}. {_label(record)}{priority}"


def _label(record: TaskRecord) -> str:
    return f"{clean_line(record.item.id, 16)} {clean_line(record.item.title)}"


def _iter_details(record: TaskRecord) -> Iterator[str]:
    item = record.item
    if item.depends:
        yield f"after   {clean_line(', '.join(item.depends))}"
    if item.files is None:
        yield "files   not known"
    elif item.files:
        yield f"files   {clean_line(', '.join(item.files))}"
    if item.check:
        yield f"check   {clean_line(item.check)}"
    if item.no_change:
        yield "change  it may be done without one"


def _iter_batches(preview: ListPreview) -> Iterator[tuple[str, str]]:
    for number, batch in enumerate(preview.batches, start=1):
        together = " beside ".join(clean_line(name, 16) for name in batch)
        yield "batches" if number == 1 else "", f"{number}. {together}"
    reasons: dict[str, list[str]] = {}
    for name, why in preview.apart.items():
        reasons.setdefault(why, []).append(clean_line(name, 16))
    for why, names in reasons.items():
        yield "apart", f"{name_first(names, 8)}: {clean_line(why)}"


def _describe_estimate(preview: ListPreview) -> str:
    if preview.estimate_usd is None and preview.estimate_seconds is None:
        return "none: no task of this project has been run yet"
    parts = []
    if preview.estimate_usd is not None:
        parts.append(format_dollars(preview.estimate_usd))
    if preview.estimate_seconds is not None:
        parts.append(format_duration(preview.estimate_seconds))
    runs = f" of {format_count(preview.past_runs, 'past run')}" if preview.past_runs else ""
    return f"about {', '.join(parts)} (each task as the median{runs})"


def serialize_plan(preview: ListPreview) -> str:
    """Return a preview as one line of JSON."""
    from pydantic_core import to_jsonable_python

    return serialize_masked(to_jsonable_python(preview))
