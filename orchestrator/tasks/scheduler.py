"""Work on a list until nothing more can run. Read this module first.

    collect the runs that ended -> merge queue -> tick -> watch the lanes -> start tasks -> wait

This module defines the order of things and every change of a task's state. Each is stored before
the next thing happens, and each can be repeated: a process that is killed anywhere is followed by
one that does nothing twice. Runs are made by a `TaskRunner`; works are landed by the merge queue in
a thread of its own, so that lanes do not wait for the suite of others.

Longer than 350 lines: it is one class, so that every change of a task's state is in one place.
"""

import contextvars
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from orchestrator.budget.ledger import SMALLEST_ALLOWANCE_USD
from orchestrator.config import Config
from orchestrator.counts import format_count
from orchestrator.errors import LoopError
from orchestrator.events import Listener, Notice
from orchestrator.models import RunOutcome
from orchestrator.storage.runs import create_run_id
from orchestrator.tasks import events
from orchestrator.tasks.breakers import Breaker
from orchestrator.tasks.choosing import Clash, choose_next, explain_blocked
from orchestrator.tasks.deciding import decide_end
from orchestrator.tasks.merging import MergeQueue, MergeResult
from orchestrator.tasks.models import (
    NOT_TICKED,
    ListFormat,
    ListRecord,
    ListStatus,
    TaskEnd,
    TaskList,
    TaskOrder,
    TaskRecord,
    TaskState,
    Work,
)
from orchestrator.tasks.ports import TaskRunner
from orchestrator.tasks.prompts import PromptBuilder
from orchestrator.tasks.reading import TickResult, list_paths, tick_item
from orchestrator.tasks.store import TaskStore
from orchestrator.tasks.watching import LaneWatch, WatchedLane

_POLL_SECONDS: Final = 0.2
_QUEUE_SECONDS: Final = 1.0
"""The same where each look is a query for each job."""
_LEAST_USD: Final = 1.0
"""US dollars; with less, a run waits for what others may leave."""
_ROUNDING_USD: Final = 1e-6
"""Sums of shares differ from the whole in the last digits."""
_RELOAD_SECONDS: Final = 5.0
"""How often the tasks are read again: `tasks retry` changes one while the list is worked on."""
_WITHOUT_BOXES: Final = (ListFormat.GITHUB, ListFormat.TEXT)


@dataclass
class Scheduler:
    """One process that works on one list; it holds the list's lock.

    Args:
        record: the list.
        items: the list as it was read last, for the ticks.
        config: the settings of its runs.
        store: lists and tasks.
        runner: makes the runs.
        queue: lands their works.
        watch: looks for conflicts between lanes while they work; None where they are elsewhere.
        prompts: builds what a run is asked.
        clash: whether two tasks may change the same files.
        emit: receives the events.
        find_proposals: returns the titles of what an agent added to its copy of the list, and
            stores them.
        find_room: returns what the limit of a day leaves, in US dollars, without what runs with
            these ids have reserved; None for no limit.
        find_extra_cost: returns what the list itself has cost, beside its runs, in US dollars.
        publish: brings the tip into the user's repository; returns why not, or nothing.
        advise: returns what a person can do when the list has ended, one command a line.
    """

    record: ListRecord
    items: TaskList
    config: Config
    store: TaskStore
    runner: TaskRunner
    queue: MergeQueue
    watch: LaneWatch | None
    prompts: PromptBuilder
    clash: Clash
    emit: Listener
    find_proposals: Callable[[TaskRecord, TaskEnd], Sequence[str]]
    find_room: Callable[[Collection[str]], float | None]
    find_extra_cost: Callable[[], float]
    publish: Callable[[str], str]
    advise: Callable[[ListRecord, Sequence[TaskRecord]], tuple[str, ...]]
    _stop: str = ""
    _is_cancelled: bool = False
    _has_started: bool = False
    _ended: list[Work] = field(default_factory=list)
    """Runs that have ended, and that the merge queue has not processed."""
    _batch: list[Work] = field(default_factory=list)
    """Those that it is processing."""
    _restarted: set[str] = field(default_factory=set)
    """Runs whose process ended without a result, and was started again."""
    _set_aside: set[str] = field(default_factory=set)
    """Interrupted runs, which `tasks resume` continues."""
    _is_changed: bool = True
    """Whether a task has changed since no task could start."""
    _merging: "Future[list[MergeResult]] | None" = None
    _started: float = field(default_factory=time.monotonic)
    _known: dict[str, TaskRecord] = field(default_factory=dict)
    _reload_at: float = 0.0

    def __post_init__(self) -> None:
        """Set the breaker to the configured limit, and find the list's own paths."""
        self._leave = list_paths(self.items, self.record.project)
        self._breaker = Breaker(self.config.tasks.stop_after)

    # ---- the order of things

    def run_list(self) -> ListRecord:
        """Work on the list until nothing more can run, and return it as it ended."""
        with ThreadPoolExecutor(1) as thread:
            try:
                self._continue_runs()
                while self._step(thread):
                    time.sleep(_QUEUE_SECONDS if self.record.options.queue else _POLL_SECONDS)
            except BaseException as error:
                self._interrupt_runs()
                stopped = isinstance(error, LoopError)
                status = ListStatus.STOPPED if stopped else ListStatus.INTERRUPTED
                self._report_end(status, str(error) or "interrupted")
                raise
        return self._end_list()

    def _step(self, thread: ThreadPoolExecutor) -> bool:
        """Do what can be done now; return whether something is still at work."""
        if not self._is_cancelled and self.store.is_cancelled(self.record.id):
            self._is_cancelled = True  # asked first, so that what it ends is not started again
            self._stop = self._stop or "cancelled"
            self._interrupt_runs()
        self._collect_ends()
        self._collect_merged()
        self._start_merging(thread)
        self._watch_lanes()
        self._stop = self._stop or self._find_stop()
        if not self._stop:
            self._start_tasks()
        return bool(self._list_running() or self._merging or self._ended)

    def _continue_runs(self) -> None:
        """Continue where a process that was killed has left the list."""
        landed = self.queue.find_landed()
        for each in self._list(TaskState.MERGING):
            if each.run in landed:
                self._set_landed(each, landed[each.run])
        merging = {each.run for each in self._list(TaskState.MERGING)}
        for work in self.store.load_open_works(self.record.id):
            self._ended.append(replace(work, solved=work.record.run in merging))
        self._finish_landed()
        for each in self._list(TaskState.RUNNING):
            self._has_started = True
            self.emit(events.TaskStarted(each))
            self.runner.start(self._build_order(each))

    # ---- runs

    def _start_tasks(self) -> None:
        if not self._is_changed:
            return
        while len(self._list_running()) < self.record.options.parallel:
            chosen = choose_next(self._tasks(), self.clash)
            is_over = self.record.options.once and self._has_started
            reserved = None if chosen is None or is_over else self._reserve()
            if chosen is None or reserved is None:
                self._is_changed = False  # choosing takes long with thousands of tasks
                return
            self._start_task(chosen, reserved)

    def _start_task(self, chosen: TaskRecord, reserved: float) -> None:
        lanes = {each.lane for each in self._list(TaskState.RUNNING)}
        lane = next(number for number in range(1, len(lanes) + 2) if number not in lanes)
        started = replace(
            chosen,
            state=TaskState.RUNNING,
            reason="",
            run=create_run_id(),
            lane=lane,
            base=self.queue.tip,
            work="",
            after="",
            reserved_usd=reserved,
            updated=datetime.now(UTC),
        )
        self._has_started = True
        self._known[started.item.id] = started
        self._is_changed = True
        self.store.start_task_run(started)  # before the run: a kill in between starts it again
        self.emit(events.TaskStarted(started))
        self.runner.start(self._build_order(started))

    def _build_order(self, record: TaskRecord) -> TaskOrder:
        return TaskOrder(
            list_id=self.record.id,
            task=record.item.id,
            run=record.run,
            prompt=record.item.text,
            context=self.prompts.build_context(record, self._tasks()),
            base=record.base,
            priority=record.item.priority,
            max_cost_usd=record.reserved_usd,
            lane=record.lane,
            check=record.item.check,
            leave=self._leave,
        )

    def _reserve(self) -> float | None:
        """Return what the next run may spend, in US dollars; None if that is nothing for now.

        Each lane gets an equal share of what is left, so that all can work side by side.
        """
        cap, per_run = self.record.options.max_cost_usd, self.config.limits.max_cost_usd
        running = self._list_running()
        spent = self.find_extra_cost() + sum(each.cost_usd for each in self._tasks())
        day = self.find_room([each.run for each in running])
        limits = {
            "of the list": None if cap is None else cap - spent,
            "of a day, all runs together": day,
        }
        bounds = {name: left for name, left in limits.items() if left is not None}
        if not bounds:
            return per_run or 0.0
        name = min(bounds, key=lambda each: bounds[each])
        waiting = len(self._list(TaskState.WAITING, TaskState.MERGING))
        lanes = min(self.record.options.parallel, waiting + len(running))
        share = max(bounds[name] / max(lanes, 1), _LEAST_USD)
        enough = min(per_run or share, share)
        left = bounds[name] - sum(each.reserved_usd for each in running)
        if left < enough - _ROUNDING_USD and running:
            return None  # what they do not use is free again when they end
        if left < SMALLEST_ALLOWANCE_USD:
            self._stop = self._stop or (
                f"the cost limit {name} is used up; raise it with "
                "`tasks resume --max-cost-usd`, or `limits.max_cost_usd_per_day`"
            )
            return None
        return min(enough, left)

    def _collect_ends(self) -> None:
        for each in self._list_running():
            end = self.runner.poll(each.run)
            if end is None:
                continue
            if end.outcome is RunOutcome.INTERRUPTED and not each.after:
                self._continue_interrupted(each, end)
                continue
            proposed = self.find_proposals(each, end)
            self._record_end(each, end)
            for title in proposed:
                self.emit(Notice(f"{each.item.id} proposes another task: {title}"))

    def _continue_interrupted(self, record: TaskRecord, end: TaskEnd) -> None:
        """Start a run again whose process was killed, once; its finished steps are not repeated."""
        if self._stop or self.record.options.queue or record.run in self._restarted:
            self._set_aside.add(record.run)
            self._is_changed = True
            why = end.message or "its process was ended"
            self._stop = self._stop or f"the run of {record.item.id} was interrupted: {why}"
            return
        self._restarted.add(record.run)
        self.emit(Notice(f"{record.item.id}: {end.message or 'its process ended'}; it goes on"))
        self.runner.start(self._build_order(record))

    def _record_end(self, record: TaskRecord, end: TaskEnd) -> None:
        decision = decide_end(record, end, self.config.tasks.max_failures)
        changes: dict[str, str | float | int] = {
            "state": decision.state,
            "reason": decision.reason,
            "reserved_usd": 0.0,
            "cost_usd": record.cost_usd + end.cost_usd,
            "seconds": record.seconds + end.seconds,
            "work": end.work,
            "failures": record.failures + decision.failed,
        }
        if decision.failed or record.after:
            changes["hint"] = self.prompts.describe_work(
                record, end.work, decision.reason, end.failing
            )
        with self.store.database.transaction():  # or a kill in here counts the cost twice
            self.store.end_task_run(record.run, end)
            record = self._change(record, **changes)
        if decision.failed or decision.solved:
            self._breaker.observe(record.item.id, end, solved=decision.solved)
        self._stop = self._stop or decision.stop
        self._ended.append(Work(record, end, decision.solved))
        self.emit(events.TaskRunEnded(record, end.outcome, end.message))
        if not decision.solved:
            self.emit(events.TaskChanged(record, decision.state, decision.reason))

    # ---- merging

    def _start_merging(self, thread: ThreadPoolExecutor) -> None:
        if self._merging or not self._ended:
            return
        self._batch, self._ended = self._ended, []
        context = contextvars.copy_context()  # children of the thread belong to this run, too
        self._merging = thread.submit(context.run, self.queue.process_works, self._batch)

    def _collect_merged(self) -> None:
        if self._merging is None or not self._merging.done():
            return
        merging, self._merging = self._merging, None
        for result in merging.result():
            record = self._known[result.work.record.item.id]
            if record.state is not TaskState.MERGING or record.run != result.work.record.run:
                continue  # it was collected before a kill
            if result.landed:
                self._set_landed(record, result.landed)
            else:
                self._return_task(record, result)
        self.store.mark_processed([each.record.run for each in self._batch])
        self.store.set_tip(self.record.id, self.queue.tip)
        self._finish_landed()

    def _set_landed(self, record: TaskRecord, commit: str) -> None:
        record = self._change(record, state=TaskState.LANDED, landed=commit, reason="", hint="")
        is_own = record.work not in ("", record.base)  # else it was done without a change
        files = self.queue.repository.list_changes(f"{commit}^", commit) if is_own else ()
        self.emit(events.TaskLanded(record, commit, len(files)))

    def _finish_landed(self) -> None:
        """Publish the branch, tick the boxes, and record that tasks are done, in this order.

        A task whose work is not in the user's repository stays as it is, with the reason.
        """
        obstacle = self.publish(self.queue.tip)
        for each in self._list(TaskState.LANDED):
            if obstacle:
                self._change(each, reason=f"the branch is not up to date: {obstacle}")
            else:
                self._tick_task(each)

    def _tick_task(self, record: TaskRecord) -> None:
        if record.item.proposed or self.record.format in _WITHOUT_BOXES:
            self._change(record, state=TaskState.DONE)
            return
        ticked, reason = tick_item(self.items, record.item, self.record.project), ""
        if ticked is TickResult.LINE_MISSING:
            reason = f"{NOT_TICKED} is gone or changed: tick it yourself"
        elif ticked is TickResult.NOT_POSSIBLE:
            reason = f"{NOT_TICKED} cannot be written: tick it yourself"
        if reason:
            self.emit(Notice(f"{record.item.id}: {reason}"))
        self._change(record, state=TaskState.DONE, reason=reason)

    def _return_task(self, record: TaskRecord, result: MergeResult) -> None:
        """Send a task back that conflicts with what has landed: it is done again on the new tip."""
        reason = result.reason
        output = result.verdict.output if result.verdict else ""
        hint = self.prompts.describe_work(
            record, record.work, reason, result.verdict.failing if result.verdict else (), output
        )
        returns = record.returns + 1
        record = self._change(record, returns=returns, hint=hint)
        self.emit(events.TaskReturned(record, reason))
        is_over = returns > self.config.tasks.max_returns
        self._set_state(record, TaskState.NEEDS_PERSON if is_over else TaskState.WAITING, reason)

    # ---- lanes

    def _watch_lanes(self) -> None:
        running = self._list_running()
        if self.watch is None or len(running) < 2:
            return
        lanes = {}
        for each in running:
            folder = self.runner.find_lane(each.run)
            if folder and each.updated:
                lanes[each.item.id] = WatchedLane(folder, each.base, each.updated)
        for conflict in self.watch.look(time.monotonic(), lanes):
            pauses = self.config.lanes.on_conflict == "pause"
            self.emit(events.LanesConflicted(conflict, pauses))
            if pauses:
                younger = self._known[conflict.younger]
                self._change(younger, after=conflict.older)
                self.runner.interrupt(younger.run)

    def _interrupt_runs(self) -> None:
        """End all runs; their work stays, and `tasks resume` continues them."""
        for each in self._list_running():
            self.runner.interrupt(each.run)

    # ---- the end

    def _find_stop(self) -> str:
        if reason := self._breaker.find_reason():
            return f"stopped by a breaker: {reason}"
        limit = self.config.tasks.wall_clock
        if limit is not None and time.monotonic() - self._started > limit:
            return f"the list's wall clock of {limit:g} s has run out"
        return ""

    def _end_list(self) -> ListRecord:
        self._reload_at = 0.0
        tasks = tuple(self._tasks())
        ended = (TaskState.DONE, TaskState.REMOVED, TaskState.PROPOSED, TaskState.HELD)
        left = [each for each in tasks if each.state not in ended]
        can_run = choose_next(tasks, self.clash) is not None
        if not left:
            status, message = ListStatus.COMPLETE, ""
        elif self._stop:
            status, message = ListStatus.STOPPED, self._stop
        elif self.record.options.once and can_run:
            status, message = ListStatus.ENDED, "one task, as asked"
        else:
            blocked = explain_blocked(tasks)
            status = ListStatus.ENDED
            message = f"{format_count(len(left), 'task')} left, {len(blocked)} of them blocked"
        return self._report_end(status, message)

    def _report_end(self, status: ListStatus, message: str) -> ListRecord:
        self.store.end_list(self.record.id, status, message)
        record, tasks = self.store.find_list(self.record.id), tuple(self._tasks())
        self.emit(events.ListEnded(record, tasks, self.advise(record, tasks)))
        return record

    # ---- states

    def _tasks(self) -> Collection[TaskRecord]:
        """Return the tasks in the order of the list, at most some seconds old but for own changes.

        A list may have thousands, and this is called many times a second.
        """
        if time.monotonic() >= self._reload_at:
            self._reload_at = time.monotonic() + _RELOAD_SECONDS
            self._known = {each.item.id: each for each in self.store.load_tasks(self.record.id)}
            self._is_changed = True
        return self._known.values()

    def _list(self, *states: TaskState) -> list[TaskRecord]:
        return [each for each in self._tasks() if each.state in states]

    def _list_running(self) -> list[TaskRecord]:
        """Return the tasks whose runs are at work; those set aside are not."""
        running = self._list(TaskState.RUNNING)
        return [each for each in running if each.run not in self._set_aside]

    def _change(self, record: TaskRecord, **values: str | float | int) -> TaskRecord:
        self.store.change_task(self.record.id, record.item.id, **values)
        changed = replace(record, updated=datetime.now(UTC), **values)  # type: ignore[arg-type] # the store checks the names
        self._known[record.item.id] = changed
        self._is_changed = True
        return changed

    def _set_state(self, record: TaskRecord, state: TaskState, reason: str = "") -> None:
        record = self._change(record, state=state, reason=reason)
        if state is not TaskState.MERGING:
            self.emit(events.TaskChanged(record, state, reason))
