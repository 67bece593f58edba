"""The console of a task list: lines in a pipe, a live block at a terminal."""

import io
import re
import threading
from dataclasses import replace

import pyte
import pytest
from rich.console import Console as Screen

from orchestrator import events
from orchestrator.cli.task_console import TaskConsole
from orchestrator.models import RunOutcome
from orchestrator.tasks import events as list_events
from orchestrator.tasks.models import ListOptions, ListStatus, TaskState
from tests.cli.task_records import LIST, build_record, build_task, build_tasks, iter_events

WIDTH = 80
EVIL = "\x1b[2Jred\nT999       landed: made up"


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Shown:
    """A console, and what it has printed.

    Args:
        terminal: whether a person sees it on a terminal.
    """

    def __init__(self, *, terminal: bool = False) -> None:
        self.file = io.StringIO()
        self.clock = Clock()
        screen = Screen(
            file=self.file,
            width=WIDTH,
            height=40,
            soft_wrap=True,
            highlight=False,
            force_terminal=terminal,
            force_interactive=terminal,
        )
        self.console = TaskConsole(screen, self.clock)

    @property
    def lines(self) -> list[str]:
        """The lines, or those on the terminal's screen."""
        screen = pyte.Screen(WIDTH, 200)
        pyte.Stream(screen).feed(self.file.getvalue().replace("\n", "\r\n"))
        return [line.rstrip() for line in screen.display if line.strip()]

    @property
    def text(self) -> str:
        return self.file.getvalue()


def test_in_a_pipe_each_event_is_a_line_that_begins_with_its_task() -> None:
    shown = Shown()
    for event in iter_events():
        shown.console(event)
    lines = shown.text.splitlines()
    assert "T001       starts (lane 1): Round amounts to whole cents" in lines
    assert "T002       changes the same lines as T001: src/money.py" in lines
    assert "T001       landed: commit 4f2a91c0d, 2 files" in lines
    assert "T002       goes back: conflicts with T001 in src/money.py" in lines
    assert "T006       run not solved ($1.90, 7:00 min so far): 1 test fails" in lines
    assert "T002       the whole suite runs on the combined tree, with T005" in lines
    assert "T011       proposed (Rename Cart to Basket): added by T003" in lines
    assert "\x1b" not in shown.text
    assert not any(line != line.rstrip() for line in lines)


def test_the_end_says_what_is_not_done_and_why_and_what_comes_next() -> None:
    shown = Shown()
    for event in iter_events():
        shown.console(event)
    end = shown.text.partition("\nList ended: ")[2].splitlines()
    assert end[0] == "2 of 10 tasks done; what is left needs you"
    assert any("T007 Send the PDF by mail: waiting, waits for T006" in line for line in end)
    assert any("T010 Delete the old importer: on hold, ask Ann first" in line for line in end)
    assert any("git cherry-pick" in line for line in end)
    assert any(f"orchestrator tasks retry {LIST} T006" in line for line in end)
    assert not any("T001" in line for line in end), "what is done is not listed"


def test_progress_in_a_pipe_is_a_line_a_minute() -> None:
    shown = Shown()
    task = build_task("T001", "x", TaskState.RUNNING, lane=1)
    shown.console(list_events.TaskStarted(task))
    for second in range(150):
        shown.clock.now = 100.0 + second
        shown.console(list_events.TaskProgress("T001", 1, f"step {second}"))
    assert [line for line in shown.text.splitlines() if "step" in line] == [
        "T001       works for 1:00 min: step 60",
        "T001       works for 2:00 min: step 120",
    ]


def test_at_a_terminal_each_lane_has_a_line_that_goes_away() -> None:
    shown = Shown(terminal=True)
    tasks = build_tasks()
    shown.console(list_events.ListStarted(build_record(), tasks))
    for name, lane in (("T003", 1), ("T004", 2)):
        (task,) = (each for each in tasks if each.item.id == name)
        # The record of a task may be older than what the event says about it.
        waiting = replace(task, lane=lane, state=TaskState.WAITING)
        shown.console(list_events.TaskStarted(waiting))
    shown.clock.now += 65
    shown.console(list_events.TaskProgress("T003", 1, "Edit src/currency.py"))
    shown.console(list_events.TaskProgress("T004", 2, f"Bash {'long ' * 50}"))
    shown.console._live.refresh()  # type: ignore[union-attr] # a terminal has one
    lines = shown.lines
    assert "lane 1 · T003 · 1:05 min · Edit src/currency.py" in lines
    (long,) = (line for line in lines if line.startswith("lane 2 · T004"))
    assert len(long) < WIDTH
    assert long.endswith("…")
    assert any(line.startswith("merge  · T005") for line in lines)
    assert (
        lines[-1]
        == "2 of 10 tasks done · 2 running · 2 waiting · $4.35 · 1:05 min · 2 need a person"
    )
    ended = build_record(status=ListStatus.COMPLETE)
    shown.console(list_events.ListEnded(ended, tasks))
    assert not any(" · " in line for line in shown.lines), "the live lines are gone"


def test_a_solved_task_waits_for_the_merge_queue_until_it_lands() -> None:
    shown = Shown(terminal=True)
    task = build_task("T001", "x", TaskState.RUNNING, lane=1)
    shown.console(list_events.ListStarted(build_record(), (task,)))
    shown.console(list_events.TaskStarted(task))
    shown.console(list_events.TaskRunEnded(task, RunOutcome.SOLVED))
    shown.console._live.refresh()  # type: ignore[union-attr] # a terminal has one
    assert "merge  · T001 · 0.0 s · waits for its turn" in shown.lines
    shown.console(list_events.CombinedSuiteStarted(("T001",)))
    shown.console._live.refresh()  # type: ignore[union-attr]
    assert "merge  · T001 · 0.0 s · the whole suite on the combined tree" in shown.lines
    shown.console(list_events.TaskLanded(task, "c" * 40, 1))
    shown.console._live.refresh()  # type: ignore[union-attr]
    assert shown.lines[-1].startswith("1 of 1 task done")
    shown.console.close()


def test_a_reason_is_said_once() -> None:
    shown = Shown()
    task = build_task("T001", "x", TaskState.WAITING)
    shown.console(list_events.TaskRunEnded(task, RunOutcome.NOT_SOLVED, "1 test fails"))
    shown.console(list_events.TaskChanged(task, TaskState.WAITING, "1 test fails"))
    shown.console(list_events.TaskReturned(task, "conflicts in a.py"))
    shown.console(list_events.TaskChanged(task, TaskState.NEEDS_PERSON, "conflicts in a.py"))
    shown.console(list_events.TaskChanged(task, TaskState.WAITING, "paused for T002"))
    assert [line[11:] for line in shown.text.splitlines()] == [
        "run not solved ($0.00, 0.0 s so far): 1 test fails",
        "goes back: conflicts in a.py",
        "needs a person",
        "waiting: paused for T002",
    ]


def test_after_an_interruption_the_live_lines_are_gone() -> None:
    shown = Shown(terminal=True)
    shown.console(list_events.ListStarted(build_record(), build_tasks()))
    shown.console._live.refresh()  # type: ignore[union-attr] # a terminal has one
    assert any(" · " in line for line in shown.lines)
    shown.console.close()
    shown.console.close()
    assert not any(" · " in line for line in shown.lines)


@pytest.mark.parametrize("terminal", [False, True])
def test_what_an_agent_says_looks_like_no_line_of_the_console(*, terminal: bool) -> None:
    shown = Shown(terminal=terminal)
    task = build_task("T001", EVIL, TaskState.RUNNING, lane=1)
    for event in (
        list_events.ListStarted(build_record(source=EVIL), (task,)),
        list_events.TaskStarted(task),
        list_events.TaskProgress("T001", 1, EVIL),
        list_events.TaskRunEnded(task, RunOutcome.NOT_SOLVED, EVIL),
        list_events.TaskReturned(task, EVIL),
        list_events.TaskChanged(task, TaskState.QUARANTINED, EVIL),
        list_events.ListEnded(build_record(message=EVIL), (task,), (EVIL,)),
    ):
        shown.console(event)
    assert "\x1b[2J" not in shown.text.replace("\x1b[2K", "")
    assert not any(line.startswith("T999") for line in shown.lines)


def test_a_list_for_workers_says_so() -> None:
    shown = Shown()
    record = build_record(options=ListOptions(queue=True))
    shown.console(list_events.ListStarted(record, build_tasks(), resumed=True))
    shown.console(list_events.TaskStarted(build_task("T001", "x", TaskState.RUNNING, lane=1)))
    lines = shown.text.splitlines()
    assert f"Work      {LIST} (resumed), workers" in lines
    assert "T001       starts (queue): x" in lines, "the lane is a worker's"


@pytest.mark.timeout(60)
def test_lanes_report_at_once_and_nothing_blocks() -> None:
    """The live block is drawn by a thread of its own, which holds the lock of the terminal."""
    shown = Shown(terminal=True)
    shown.console(list_events.ListStarted(build_record(), build_tasks()))

    def work(number: int) -> None:
        for step in range(30):
            shown.console(list_events.TaskProgress(f"T00{number}", number, f"step {step}"))
            shown.console(events.Notice(f"lane {number} step {step}"))
            shown.console._live.refresh()  # type: ignore[union-attr] # a terminal has one

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(7)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=50)
        assert not each.is_alive(), "deadlock"
    shown.console.close()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.text)
    assert len(re.findall(r"! lane \d step \d+", plain)) == 210


def test_the_end_of_a_long_list_is_short_and_names_first_what_needs_a_person() -> None:
    shown = Shown()
    waiting = [build_task(f"T{each:04}", "Wait", TaskState.WAITING) for each in range(2998)]
    stuck = build_task("T9999", "Cannot be done", TaskState.QUARANTINED, reason="no such API")
    record = build_record(status=ListStatus.STOPPED)
    shown.console(list_events.ListEnded(record, (*waiting, stuck), ("go on",)))
    lines = shown.text.splitlines()
    assert len(lines) < 30
    left = next(line for line in lines if "not done" in line)
    assert "T9999 Cannot be done: quarantined, no such API" in left
    assert "           (2,979 more: `orchestrator tasks status`)" in lines
