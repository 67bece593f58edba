"""A made-up list of tasks in the middle of its work, for what shows one."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator import events
from orchestrator.models import RunOutcome
from orchestrator.tasks import events as list_events
from orchestrator.tasks.models import (
    LaneConflict,
    ListFormat,
    ListOptions,
    ListRecord,
    ListStatus,
    ListSummary,
    TaskItem,
    TaskRecord,
    TaskState,
)

STARTED = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
NOW = STARTED + timedelta(minutes=14, seconds=5)
LIST = "20261127-093000-c0ffee"
BRANCH = f"orchestrator/tasks-{LIST}"


def build_record(**values: object) -> ListRecord:
    """Return a list that is running in three lanes."""
    record = ListRecord(
        id=LIST,
        project=Path("/home/ann/shop"),
        source="fix_plan.md",
        format=ListFormat.MARKDOWN,
        options=ListOptions(parallel=3, max_cost_usd=20.0),
        branch=BRANCH,
        base="a" * 40,
        tip="b" * 40,
        status=ListStatus.RUNNING,
        message="",
        started=STARTED,
    )
    return replace(record, **values)  # type: ignore[arg-type] # the fields of the record


def build_task(name: str, title: str, state: TaskState, **values: object) -> TaskRecord:
    """Return a task of the list; fields of the item are recognized by their names."""
    own = {key: values.pop(key) for key in ("depends", "files", "check", "hold") if key in values}
    item = TaskItem(name, title, title, int(name[1:]), **own)  # type: ignore[arg-type]
    record = TaskRecord(LIST, item, state, updated=NOW - timedelta(seconds=130))
    return replace(record, **values)  # type: ignore[arg-type]


def build_tasks() -> tuple[TaskRecord, ...]:
    """Return tasks of which each column of the board has some."""
    state = TaskState
    return (
        build_task("T001", "Round amounts to whole cents", state.DONE, cost_usd=0.31, seconds=95,
                   landed="4f2a91c0de77", lane=1),
        build_task("T002", "Read prices with a decimal comma", state.DONE, cost_usd=0.52,
                   seconds=140, landed="9b1d33aa0c12", returns=1, lane=2),
        build_task("T003", "Add the currencies of the new shops", state.RUNNING, lane=1,
                   cost_usd=0.0, run="20261127-094100-000001"),
        build_task("T004", "Show the discount of a customer on each page of the invoice",
                   state.RUNNING, lane=2, failures=1, cost_usd=0.44, seconds=61),
        build_task("T005", "Move the tax tables to their own file", state.MERGING, lane=3,
                   cost_usd=0.28, seconds=88),
        build_task("T006", "Export invoices as PDF", state.QUARANTINED, failures=2, cost_usd=1.9,
                   seconds=420, reason="tests/test_pdf.py::test_umlauts failed in both runs"),
        build_task("T007", "Send the PDF by mail", state.WAITING, depends=("T006",)),
        build_task("T008", "Use the new tax tables", state.NEEDS_PERSON, returns=3, cost_usd=0.9,
                   seconds=300, reason="conflicts with T005 in src/tax.py again"),
        build_task("T009", "Write the release notes", state.WAITING),
        build_task("T010", "Delete the old importer", state.HELD, hold="ask Ann first"),
        build_task("T011", "Rename Cart to Basket", state.PROPOSED, reason="added by T003"),
    )  # fmt: skip


def build_summary(**values: object) -> ListSummary:
    """Return the list with all of its tasks."""
    blocked = {"T007": "waits for T006, which is quarantined"}
    return ListSummary(build_record(**values), build_tasks(), blocked, seconds_left=610.0)


def iter_events() -> Iterator[events.Event]:
    """Yield what happens in the list, from its start to its end."""
    tasks = {each.item.id: each for each in build_tasks()}
    waiting = [replace(each, state=TaskState.WAITING) for each in tasks.values()]
    record = build_record()
    yield list_events.ListStarted(record, tuple(waiting))
    yield events.Notice("the lanes start with your uncommitted work, as one commit: src/cart.py")
    for lane, name in enumerate(("T001", "T002"), start=1):
        yield list_events.TaskStarted(replace(tasks[name], state=TaskState.RUNNING, lane=lane))
    yield list_events.TaskProgress("T001", 1, "Edit src/money.py")
    yield list_events.TaskProgress("T002", 2, "the suite: 12 passed")
    yield list_events.LanesConflicted(LaneConflict("T001", "T002", ("src/money.py",)))
    merging = replace(tasks["T001"], state=TaskState.MERGING)
    yield list_events.TaskRunEnded(merging, RunOutcome.SOLVED)
    yield list_events.TaskLanded(tasks["T001"], "4f2a91c0de77" + "0" * 28, 2)
    yield list_events.TaskChanged(tasks["T001"], TaskState.DONE)
    yield list_events.TaskRunEnded(
        replace(tasks["T002"], state=TaskState.MERGING), RunOutcome.SOLVED
    )
    yield list_events.TaskReturned(
        replace(tasks["T002"], state=TaskState.WAITING), "conflicts with T001 in src/money.py"
    )
    yield list_events.TaskStarted(replace(tasks["T006"], state=TaskState.RUNNING, failures=1))
    yield list_events.TaskRunEnded(
        replace(tasks["T006"], state=TaskState.WAITING), RunOutcome.NOT_SOLVED, "1 test fails"
    )
    yield list_events.TaskChanged(
        tasks["T006"], TaskState.QUARANTINED, "tests/test_pdf.py::test_umlauts failed in both runs"
    )
    yield list_events.CombinedSuiteStarted(("T002", "T005"))
    yield list_events.TaskChanged(tasks["T011"], TaskState.PROPOSED, "added by T003")
    ended = replace(record, status=ListStatus.ENDED, message="what is left needs you")
    yield list_events.ListEnded(
        ended,
        tuple(tasks.values()),
        (
            f"`git cherry-pick {'a' * 12}..{BRANCH}` takes it over",
            f"`orchestrator tasks retry {LIST} T006`",
        ),
    )
