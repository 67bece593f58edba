"""Print the work on a task list as it happens: a line for each event, and a live line per lane."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import singledispatchmethod
from typing import Final

from rich.console import Console as Screen
from rich.console import Group
from rich.live import Live
from rich.text import Text

from orchestrator import events
from orchestrator.cli.screen import MIN_TEXT_WIDTH, create_screen, print_labelled_line
from orchestrator.cli.task_lines import (
    LONGEST_LINE,
    MOST_SHOWN,
    clean_line,
    count_done,
    describe_lanes,
    describe_location,
    describe_reason,
    format_source,
)
from orchestrator.cli.values import format_dollars, format_duration
from orchestrator.counts import format_count, name_first
from orchestrator.models import RunOutcome
from orchestrator.tasks import events as list_events
from orchestrator.tasks.models import (
    GIVEN_UP,
    ListOptions,
    ListStatus,
    TaskRecord,
    TaskState,
)

_ID_WIDTH: Final = 10
_QUIET_SECONDS: Final = 60.0
"""Without a terminal, what a task does is printed once in this time."""
_HEADING: Final = "{:<9} "
_ENDS: Final = {ListStatus.COMPLETE: "bold green", ListStatus.INTERRUPTED: "bold yellow"}
_STATE_STYLES: Final = {
    TaskState.DONE: "green",
    TaskState.QUARANTINED: "bold red",
    TaskState.NEEDS_PERSON: "bold red",
    TaskState.PROPOSED: "yellow",
}


class TaskConsole:
    """A listener that prints. Events may come from several threads.

    Args:
        screen: where to print; standard output if None.
        clock: seconds since any moment.
    """

    def __init__(
        self, screen: Screen | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen or create_screen()
        self._clock = clock
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._started = clock()
        self._options = ListOptions()
        self._tasks: dict[str, TaskRecord] = {}
        self._doing: dict[str, str] = {}
        """What each running task does, by its id."""
        self._since: dict[str, float] = {}
        """When each running task was started, by its id."""
        self._why: dict[str, str] = {}
        """What was last said about a task, by its id: a change of state often repeats it."""
        self._printed: dict[str, float] = {}
        """When a line about what a task does was last printed, by its id."""

    def __call__(self, event: events.Event) -> None:
        """Show one event."""
        with self._lock:
            self._show_event(event)

    def close(self) -> None:
        """Remove the live lines, which are still there if the work was interrupted."""
        with self._lock:
            if self._live:
                self._live.stop()
                self._live = None

    # Events without a handler below are for programs, not for people.
    @singledispatchmethod
    def _show_event(self, event: events.Event) -> None:
        del event

    @_show_event.register
    def _show_notice(self, event: events.Notice) -> None:
        self._print("! ", event.text, "yellow")

    @_show_event.register
    def _show_list_start(self, event: list_events.ListStarted) -> None:
        self._tasks = {each.item.id: each for each in event.tasks}
        record, again = event.record, " (resumed)" if event.resumed else ""
        self._options = record.options
        done, count = count_done(event.tasks)
        for label, text in (
            ("List", f"{format_source(record)}: {done} of {format_count(count, 'task')} done"),
            ("Project", str(record.project)),
            ("Branch", record.branch),
            ("Work", f"{record.id}{again}, {describe_lanes(record.options)}"),
        ):
            self._print(_HEADING.format(label), text, "bold" if label == "List" else "")
        if self._screen.is_interactive:
            self._live = Live(
                get_renderable=self._render_block,
                console=self._screen,
                transient=True,
                refresh_per_second=4,
            )
            self._live.start()

    @_show_event.register
    def _show_task_start(self, event: list_events.TaskStarted) -> None:
        record = self._store(event.record, TaskState.RUNNING)
        name, where = record.item.id, describe_location(record, self._options)
        self._since[name] = self._printed[name] = self._clock()
        self._doing.pop(name, None)
        failed = f", after {format_count(record.failures, 'failure')}" if record.failures else ""
        self._say(name, f"starts ({where}{failed}): {record.item.title}", "bold")

    @_show_event.register
    def _show_progress(self, event: list_events.TaskProgress) -> None:
        self._doing[event.task] = clean_line(event.text)  # not each time that it is drawn
        now = self._clock()
        if self._screen.is_interactive or now < self._printed.get(event.task, 0) + _QUIET_SECONDS:
            return
        self._printed[event.task] = now
        since = format_duration(now - self._since.get(event.task, now))
        self._say(event.task, f"works for {since}: {event.text}", "dim")

    @_show_event.register
    def _show_run_end(self, event: list_events.TaskRunEnded) -> None:
        is_solved = event.outcome is RunOutcome.SOLVED
        # What it means for the task is another event, unless its work goes to the merge queue.
        state = TaskState.MERGING if is_solved else TaskState.WAITING
        record = self._store(event.record, state)
        self._doing.pop(record.item.id, None)
        self._since[record.item.id] = self._clock()
        facts = f"{format_dollars(record.cost_usd)}, {format_duration(record.seconds)} so far"
        self._why[record.item.id] = event.message
        why = f": {event.message}" if event.message and not is_solved else ""
        text = f"run {event.outcome} ({facts}){why}"
        self._say(record.item.id, text, "" if is_solved else "red")

    @_show_event.register
    def _show_combined_suite(self, event: list_events.CombinedSuiteStarted) -> None:
        for name in event.tasks:
            self._doing[name] = "the whole suite on the combined tree"
        beside = f", with {name_first(event.tasks[1:])}" if event.tasks[1:] else ""
        if event.tasks:
            self._say(event.tasks[0], f"the whole suite runs on the combined tree{beside}")

    @_show_event.register
    def _show_landing(self, event: list_events.TaskLanded) -> None:
        record = self._store(event.record, TaskState.LANDED)
        files = format_count(event.files, "file")
        self._say(record.item.id, f"landed: commit {event.commit[:9]}, {files}", "green")

    @_show_event.register
    def _show_return(self, event: list_events.TaskReturned) -> None:
        record = self._store(event.record, TaskState.WAITING)
        self._why[record.item.id] = event.reason
        self._say(record.item.id, f"goes back: {event.reason}", "yellow")

    @_show_event.register
    def _show_change(self, event: list_events.TaskChanged) -> None:
        record = self._store(event.record, event.state)
        is_new = event.reason and event.reason != self._why.pop(record.item.id, "")
        if event.state is TaskState.WAITING and not is_new:
            return
        why = f": {event.reason}" if is_new else ""
        title = f" ({record.item.title})" if event.state is TaskState.PROPOSED else ""
        self._say(record.item.id, f"{event.state}{title}{why}", _STATE_STYLES.get(event.state, ""))

    @_show_event.register
    def _show_conflict(self, event: list_events.LanesConflicted) -> None:
        older, younger = event.conflict.older, event.conflict.younger
        paths = name_first(event.conflict.paths)
        end = f"; it waits until {older} has landed" if event.paused else ""
        self._say(younger, f"changes the same lines as {older}: {paths}{end}", "yellow")

    @_show_event.register
    def _show_list_end(self, event: list_events.ListEnded) -> None:
        self.close()
        record = event.record
        done, count = count_done(event.tasks)
        message = f"; {record.message}" if record.message else ""
        heading = f"List {record.status}: {done} of {format_count(count, 'task')} done{message}"
        self._print("\n", heading, _ENDS.get(record.status, "bold red"))
        self._print_not_done(event.tasks)
        cost = format_dollars(sum(each.cost_usd for each in event.tasks))
        seconds = format_duration(self._clock() - self._started)
        self._print("  cost     ", f"{cost}, {seconds}")
        if not event.next_steps:
            self._print("  branch   ", record.branch)
        for number, step in enumerate(event.next_steps):
            if step.endswith(":"):
                self._print("  next     " if number == 0 else "           ", step)
            else:  # a command stays in one line, or it could not be pasted
                self._screen.print(Text(f"             {clean_line(step, 2000)}"), soft_wrap=True)

    def _print_not_done(self, tasks: Sequence[TaskRecord]) -> None:
        left = [
            each for each in tasks
            if not each.is_done and each.state is not TaskState.REMOVED
        ]  # fmt: skip
        left.sort(key=lambda each: each.state is TaskState.WAITING)  # first what needs a person
        for number, each in enumerate(left[:MOST_SHOWN]):
            why = describe_reason(each, tasks)
            text = f"{each.item.id} {each.item.title}: {each.state}{f', {why}' if why else ''}"
            label = "  not done " if number == 0 else "           "
            self._print(label, text, limit=LONGEST_LINE)
        if (more := len(left) - MOST_SHOWN) > 0:
            self._print("           ", f"({more:,} more: `orchestrator tasks status`)")

    def _store(self, record: TaskRecord, state: TaskState) -> TaskRecord:
        self._tasks[record.item.id] = found = replace(record, state=state)
        return found

    def _say(self, name: str, text: str, style: str = "") -> None:
        label = f"{clean_line(name, _ID_WIDTH):<{_ID_WIDTH}} "
        self._print(label, text, style, LONGEST_LINE)

    def _print(self, label: str, text: str, style: str = "", limit: int = 2000) -> None:
        print_labelled_line(self._screen, label, clean_line(text, limit), style)

    # ---- the live block

    def _render_block(self) -> Group:
        """Return a line for each running or merging task, and one for the list."""
        # Without the lock: rich holds its own while it draws, and wants it for each line as well.
        tasks = list(self._tasks.values())
        active = [each for each in tasks if each.state in (TaskState.RUNNING, TaskState.MERGING)]
        lines = [self._render_lane(each) for each in sorted(active, key=_get_lane)]
        return Group(*lines, self._render_total(tasks))

    def _render_lane(self, record: TaskRecord) -> Text:
        now, name = self._clock(), record.item.id
        is_merging = record.state is TaskState.MERGING
        where = "merge " if is_merging else f"{describe_location(record, self._options):<6}"
        since = format_duration(now - self._since.get(name, now))
        doing = self._doing.get(name) or ("waits for its turn" if is_merging else "starts")
        # What is last is cut first: the title is in the line that the task was started with.
        parts = (where, clean_line(name, _ID_WIDTH), since, doing)
        return self._fit(" · ".join(parts))

    def _render_total(self, tasks: Sequence[TaskRecord]) -> Text:
        done, count = count_done(tasks)
        parts = [f"{done} of {format_count(count, 'task')} done"]
        states = [each.state for each in tasks]
        for state in (TaskState.RUNNING, TaskState.WAITING):
            parts += [f"{number} {state}"] if (number := states.count(state)) else []
        parts.append(format_dollars(sum(each.cost_usd for each in tasks)))
        parts.append(format_duration(self._clock() - self._started))
        if stuck := sum(state in GIVEN_UP for state in states):
            parts.append(f"{stuck} need a person" if stuck > 1 else "1 needs a person")
        return self._fit(" · ".join(parts))

    def _fit(self, text: str) -> Text:
        line = Text(text, style="dim", no_wrap=True)
        line.truncate(max(self._screen.width - 1, MIN_TEXT_WIDTH), overflow="ellipsis")
        return line


def _get_lane(record: TaskRecord) -> tuple[bool, int, int]:
    return record.state is TaskState.MERGING, record.lane, record.item.position
