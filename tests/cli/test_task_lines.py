"""The board of a task list, the table of lists, and the preview: 80 columns, and hostile texts."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.task_lines import (
    clean_line,
    find_column,
    iter_board_lines,
    iter_list_table,
    serialize_summary,
)
from orchestrator.cli.task_plan_lines import iter_plan_lines, serialize_plan
from orchestrator.tasks.models import (
    ListOptions,
    ListPreview,
    ListStatus,
    ListSummary,
    TaskState,
)
from tests.cli.task_records import (
    BRANCH,
    LIST,
    NOW,
    STARTED,
    build_record,
    build_summary,
    build_task,
    build_tasks,
)

EVIL = "\x1b[2J\x1b]0;title\x07red\u202e\r\nDONE\n  T999  made up"
SECRET = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"


def test_each_task_is_in_the_column_of_its_state() -> None:
    text = "\n".join(iter_board_lines(build_summary(), now=NOW))
    columns = {part.splitlines()[0]: part for part in text.split("\n\n")[1:-1]}
    found = {name: [line.split()[0] for line in part.splitlines()[1:] if line.startswith("  T")]
             for name, part in columns.items()}  # fmt: skip
    assert found == {
        **{"RUNNING": ["T003", "T004"], "MERGING": ["T005"], "BLOCKED": ["T007"]},
        **{"NEEDS A PERSON": ["T008"], "QUARANTINED": ["T006"], "WAITING": ["T009"]},
        **{"ON HOLD": ["T010"], "PROPOSED": ["T011"], "DONE": ["T001", "T002"]},
    }
    assert "waits for T006, which is quarantined" in columns["BLOCKED"]
    assert "ask Ann first" in columns["ON HOLD"]
    assert "(lane 2, $0.44, 3:11 min, failed once)" in columns["RUNNING"]


def test_the_board_has_cost_time_and_time_to_go() -> None:
    lines = list(iter_board_lines(build_summary(), now=NOW))
    (progress,) = (line for line in lines if line.startswith("progress"))
    assert "2 of 10 done, $4.35 of $20.00, 14:05 min, about 10:10 min to go" in progress
    assert f"branch   {BRANCH}" in lines
    ended = build_summary(status=ListStatus.INTERRUPTED, ended=STARTED + timedelta(seconds=30))
    lines = list(iter_board_lines(ended, now=NOW))
    assert f"go on:             orchestrator tasks resume {LIST}" in lines
    assert f"try a task again:  orchestrator tasks retry {LIST} T006" in lines
    assert any(", 30 s" in line for line in lines), "the clock stops when the list ends"


def test_what_a_running_task_does_is_below_it() -> None:
    lines = list(iter_board_lines(build_summary(), None, {"T003": "Edit src/a.py"}, NOW))
    at = next(number for number, line in enumerate(lines) if line.startswith("  T003"))
    assert lines[at + 1] == "        Edit src/a.py"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_terminal_is_never_exceeded_but_by_words_and_commands(width: int) -> None:
    for line in iter_board_lines(build_summary(), width, now=NOW):
        is_command = ":  " in line[:20]
        assert len(line) <= width or is_command or len(line.split()) <= 2, line


@given(st.text(max_size=300), st.text(max_size=300), st.sampled_from(TaskState))
def test_no_text_makes_another_line_or_acts_in_a_terminal(
    title: str, reason: str, state: TaskState
) -> None:
    task = build_task("T001", "x", state, reason=reason)
    task = replace(task, item=replace(task.item, title=title, hold=reason))
    summary = ListSummary(build_record(), (task,))
    lines = list(iter_board_lines(summary, now=NOW))
    shown = "".join(lines)
    assert all(each == " " or each.isprintable() for each in shown)
    assert len(lines) <= 7 + 4 + 4
    json.loads(serialize_summary(summary))


def test_a_text_from_outside_is_masked_visible_and_bounded() -> None:
    line = clean_line(f"{EVIL} {SECRET} {'long ' * 100}")
    assert SECRET not in line
    assert "\x1b" not in line
    assert "\n" not in line
    assert len(line) <= 200
    task = build_task("T001", f"use {SECRET}", TaskState.WAITING)
    summary = ListSummary(build_record(), (task,))
    assert SECRET not in serialize_summary(summary)
    assert SECRET not in "\n".join(iter_board_lines(summary, now=NOW))


def test_many_tasks_are_counted_and_not_all_listed() -> None:
    tasks = tuple(build_task(f"T{number:03}", "x", TaskState.DONE) for number in range(100))
    lines = list(iter_board_lines(ListSummary(build_record(), tasks), now=NOW))
    assert "tasks    done 100" in lines
    assert "  (80 more; --json lists them all)" in lines
    assert any(line.startswith("  T099") for line in lines), "the latest are shown"
    assert len(json.loads(serialize_summary(ListSummary(build_record(), tasks)))["tasks"]) == 100


def test_a_list_without_a_task_has_a_board() -> None:
    lines = list(iter_board_lines(ListSummary(build_record(), ()), 80, now=NOW))
    assert "tasks    none" in lines


def test_json_has_every_task_with_its_column() -> None:
    values = json.loads(serialize_summary(build_summary()))
    assert (values["id"], values["done"], values["count"]) == (LIST, 2, 10)
    assert values["cost_usd"] == pytest.approx(4.35)
    columns = {each["item"]["id"]: each["column"] for each in values["tasks"]}
    assert columns["T007"] == "blocked"
    assert len(columns) == 11
    assert values["blocked"] == {"T007": "waits for T006, which is quarantined"}


def test_what_has_landed_counts_as_done() -> None:
    assert find_column(build_task("T001", "x", TaskState.LANDED), {}) == "done"


def test_the_table_has_a_line_for_each_list() -> None:
    lines = list(iter_list_table([build_summary()]))
    assert lines[0].split() == ["LIST", "STARTED", "STATUS", "DONE", "COST", "SOURCE"]
    assert lines[1].startswith(LIST)
    assert "running" in lines[1]
    assert "2/10  $4.35  fix_plan.md, /home/ann/shop" in lines[1]
    assert list(iter_list_table([])) == ["no task lists yet"]


# ---- the preview


def build_preview(**values: object) -> ListPreview:
    preview = ListPreview(
        tasks=(
            *build_tasks()[:2],
            build_task("T009", "Write the notes", TaskState.WAITING, files=("docs/notes.md",)),
            build_task("T012", "Fix the sum", TaskState.WAITING, depends=("T001",), check="pytest"),
            build_task("T010", "Delete it", TaskState.HELD, hold="ask Ann first"),
            build_task("T007", "Mail it", TaskState.WAITING, depends=("T010",)),
        ),
        order=("T009", "T012"),
        batches=(("T009", "T012"),),
        blocked={"T007": "waits for T010, which is on hold"},
        estimate_usd=0.9,
        estimate_seconds=75.0,
        lanes=2,
        apart={"T012": "its files are not known"},
        past_runs=14,
    )
    return replace(preview, **values)  # type: ignore[arg-type]


def test_the_preview_says_what_runs_and_why_the_rest_does_not() -> None:
    lines = list(iter_plan_lines(build_preview(), "fix_plan.md", None))
    text = "\n".join(lines)
    assert "nothing is spent or written" in lines[0]
    assert "list     fix_plan.md: 6 tasks, 2 would run, 2 already done" in lines
    assert "order    1. T009 Write the notes (priority 5)" in lines
    assert "files   docs/notes.md" in text
    assert "files   not known" in text
    assert "check   pytest" in text
    assert "batches  1. T009 beside T012" in lines
    assert "apart    T012: its files are not known" in lines
    assert "blocked  T007 Mail it: waits for T010, which is on hold" in lines
    assert "on hold  T010 Delete it: ask Ann first" in lines
    assert "estimate about $0.90, 1:15 min (each task as the median of 14 past runs)" in lines


def test_without_a_past_run_there_is_no_estimate() -> None:
    preview = build_preview(estimate_usd=None, estimate_seconds=None, lanes=1)
    lines = list(iter_plan_lines(preview, "fix_plan.md", 80))
    assert "estimate none: no task of this project has been run yet" in lines
    assert not any(line.startswith("batches") for line in lines), "one lane has no batches"
    assert all(len(line) <= 80 for line in lines)
    assert json.loads(serialize_plan(preview))["order"] == ["T009", "T012"]


def test_a_list_in_the_queue_has_no_lanes_here() -> None:
    options = ListOptions(queue=True)
    lines = list(iter_board_lines(build_summary(options=options), now=NOW))
    assert any(line.startswith("started") and line.endswith(", workers") for line in lines)
    assert any(line.endswith("(queue, 2:10 min)") for line in lines)
