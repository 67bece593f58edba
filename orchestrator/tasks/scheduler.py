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
from orchestrator.tasks.merging import MergeQueue, MergeResult
from orchestrator.tasks.models import (
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
from orchestrator.tasks.reading import TickResult, tick_item
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
_RETRYABLE: Final = (RunOutcome.NOT_SOLVED, RunOutcome.NOTHING_CHANGED, RunOutcome.PAUSED)
"""Outcomes of a run that say something about the task."""


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
        leave: paths of the list itself, which belong to no work.
        find_proposals: returns the titles of what an agent added to its copy of the list, and
            stores them.
        find_room: returns what the limit of a day leaves, in US dollars, without what runs with
            these ids have reserved; None for no limit.
        publish: brings the tip into the user's repository.
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
    leave: tuple[str, ...]
    find_proposals: Callable[[TaskRecord, TaskEnd], Sequence[str]]
    find_room: Callable[[Collection[str]], float | None]
    publish: Callable[[str], None]
    advise: Callable[[ListRecord, Sequence[TaskRecord]], tuple[str, ...]]
    _stop: str = ""
    _has_started: bool = False
    _ended: list[Work] = field(default_factory=list)
    """Runs that have ended, and that the merge queue has not processed."""
    _merging: "Future[list[MergeResult]] | None" = None
    _started: float = field(default_factory=time.monotonic)
    _known: dict[str, TaskRecord] = field(default_factory=dict)
    _reload_at: float = 0.0

    def __post_init__(self) -> None:
        """Set the breaker to the configured limit."""
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
                self.store.end_list(self.record.id, status, str(error))
                raise
        return self._end_list()

    def _step(self, thread: ThreadPoolExecutor) -> bool:
        """Do what can be done now; return whether something is still at work."""
        self._collect_ends()
        self._collect_merged()
        self._start_merging(thread)
        self._watch_lanes()
        self._stop = self._stop or self._find_stop()
        if not self._stop:
            self._start_tasks()
        is_busy = self._list(TaskState.RUNNING) or self._merging
        return bool(is_busy or self._list(TaskState.MERGING))

    def _continue_runs(self) -> None:
        """Continue where a process that was killed has left the list."""
        landed = self.queue.find_landed()
        for each in self._list(TaskState.MERGING):
            if each.run in landed:
                self._set_landed(each, landed[each.run])
        merging = {each.run for each in self._list(TaskState.MERGING)}
        for task in self._tasks():
            for run, end in self.store.load_ends(self.record.id, task.item.id).items():
                work = replace(task, run=run, base=self.store.find_base(run), work=end.work)
                self._ended.append(Work(work, end, solved=run in merging))
        for each in self._list(TaskState.LANDED):
            self._finish_task(each)
        for each in self._list(TaskState.RUNNING):
            self.emit(events.TaskStarted(each))
            self.runner.start(self._build_order(each))

    # ---- runs

    def _start_tasks(self) -> None:
        while len(self._list(TaskState.RUNNING)) < self.record.options.parallel:
            if self.record.options.once and self._has_started:
                return
            chosen = choose_next(self._tasks(), self.clash)
            if chosen is None:
                return
            reserved = self._reserve()
            if reserved is None:
                return
            self._start_task(chosen, reserved)

    def _start_task(self, chosen: TaskRecord, reserved: float) -> None:
        lanes = {each.lane for each in self._list(TaskState.RUNNING)}
        lane = next(number for number in range(1, len(lanes) + 2) if number not in lanes)
        started = replace(
            chosen, run=create_run_id(), lane=lane, base=self.queue.tip, reserved_usd=reserved
        )
        self._has_started = True
        started = replace(started, state=TaskState.RUNNING, reason="", updated=datetime.now(UTC))
        self._known[started.item.id] = started
        self.store.start_task_run(started)  # before the run: a kill in between starts it again
        self.emit(events.TaskStarted(started))
        self.runner.start(self._build_order(started))

    def _build_order(self, record: TaskRecord) -> TaskOrder:
        return TaskOrder(
            list_id=self.record.id,
            task=record.item.id,
            run=record.run,
            prompt=self.prompts.build_prompt(record, self._tasks()),
            base=record.base,
            priority=record.item.priority,
            max_cost_usd=record.reserved_usd,
            lane=record.lane,
            check=record.item.check,
            leave=self.leave,
        )

    def _reserve(self) -> float | None:
        """Return what the next run may spend, in US dollars; None if that is nothing for now.

        Each lane gets an equal share of what is left, so that all can work side by side.
        """
        cap, per_run = self.record.options.max_cost_usd, self.config.limits.max_cost_usd
        running = self._list(TaskState.RUNNING)
        spent = sum(each.cost_usd for each in self._tasks())
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
        if left < enough - _ROUNDING_USD and running:  # what they do not use is free again when they end
            return None
        if left < SMALLEST_ALLOWANCE_USD:
            self._stop = self._stop or (
                f"the cost limit {name} is used up; raise it with "
                "`tasks resume --max-cost-usd`, or `limits.max_cost_usd_per_day`"
            )
            return None
        return min(enough, left)

    def _collect_ends(self) -> None:
        for each in self._list(TaskState.RUNNING):
            end = self.runner.poll(each.run)
            if end is not None:
                proposed = self.find_proposals(each, end)
                with self.store.database.transaction():  # or a kill in here counts the cost twice
                    self._record_end(each, end)
                for title in proposed:
                    self.emit(Notice(f"{each.item.id} proposes another task: {title}"))

    def _record_end(self, record: TaskRecord, end: TaskEnd) -> None:
        self.store.end_task_run(record.run, end)
        record = self._change(
            record,
            reserved_usd=0.0,
            cost_usd=record.cost_usd + end.cost_usd,
            seconds=record.seconds + end.seconds,
            work=end.work,
            fingerprint=end.fingerprint,
        )
        self.emit(events.TaskRunEnded(record, end.outcome, end.message))
        self._ended.append(Work(record, end, solved=False))
        self._judge_end(record, end)

    def _judge_end(self, record: TaskRecord, end: TaskEnd) -> None:
        """Decide what a run that ended means for its task; only the suite's word counts."""
        if end.check_passed_before:
            reason = "its check passes already, so no agent was started: is it done?"
            self._set_state(record, TaskState.NEEDS_PERSON, reason)
            return
        if end.outcome is RunOutcome.SOLVED:
            self._judge_solved(record, end)
            return
        if record.after and end.outcome is RunOutcome.INTERRUPTED:
            reason = f"paused for {record.after}, which changed the same lines"
            hint = self.prompts.describe_work(record, end.work, reason)
            self._set_state(self._change(record, hint=hint), TaskState.WAITING, reason)
            return
        if end.outcome in _RETRYABLE:
            if end.outcome is RunOutcome.NOTHING_CHANGED and not end.changed:
                reason = "the agent changed nothing and the tests do not show it as done"
                self._count_failure(record, end, end.message or reason)
            else:
                self._count_failure(record, end, end.message or str(end.outcome))
            return
        # It says nothing about the task: no agent, no network, a limit, a suite without a verdict.
        self._set_state(record, TaskState.WAITING, end.message or str(end.outcome))
        self._stop = self._stop or end.message or f"a run ended: {end.outcome}"

    def _judge_solved(self, record: TaskRecord, end: TaskEnd) -> None:
        if end.check_failed:
            self._count_failure(record, end, f"its check fails: {end.check_failed}")
        elif not end.changed and not record.item.no_change:
            reason = "the tests pass, but nothing was changed: if that is right, mark it no-change"
            self._set_state(record, TaskState.NEEDS_PERSON, reason)
        else:
            self._breaker.observe(record.item.id, end, solved=True)
            self._ended[-1] = Work(record, end, solved=True)
            self._set_state(record, TaskState.MERGING)

    def _count_failure(self, record: TaskRecord, end: TaskEnd, reason: str) -> None:
        self._breaker.observe(record.item.id, end, solved=False)
        failures = record.failures + 1
        hint = self.prompts.describe_work(record, end.work, reason, end.failing)
        record = self._change(record, failures=failures, hint=hint)
        if failures >= self.config.tasks.max_failures:
            times = format_count(failures, "run")
            self._set_state(record, TaskState.QUARANTINED, f"{times} did not solve it: {reason}")
        else:
            self._set_state(record, TaskState.WAITING, reason)

    # ---- merging

    def _start_merging(self, thread: ThreadPoolExecutor) -> None:
        if self._merging or not self._ended:
            return
        works, self._ended = self._ended, []
        context = contextvars.copy_context()  # children of the thread belong to this run, too
        self._merging = thread.submit(context.run, self.queue.process_works, works)

    def _collect_merged(self) -> None:
        if self._merging is None or not self._merging.done():
            return
        merging, self._merging = self._merging, None
        for result in merging.result():
            record = self._known[result.work.record.item.id]
            if result.landed:
                self._set_landed(record, result.landed)
                self._finish_task(replace(record, landed=result.landed))
            else:
                self._return_task(record, result)
        self.store.set_tip(self.record.id, self.queue.tip)
        self.publish(self.queue.tip)

    def _set_landed(self, record: TaskRecord, commit: str) -> None:
        self._change(record, state=TaskState.LANDED, landed=commit, reason="", hint="")
        is_own = record.work not in ("", record.base)  # else it was done without a change
        files = self.queue.repository.list_changes(f"{commit}^", commit) if is_own else ()
        self.emit(events.TaskLanded(record, commit, len(files)))

    def _finish_task(self, record: TaskRecord) -> None:
        """Publish the branch, tick the box, and record that the task is done, in this order."""
        self.publish(self.queue.tip)
        ticked = tick_item(self.items, record.item, self.record.project)
        reason = ""
        if ticked is TickResult.LINE_MISSING:
            reason = "its line in the list is gone or changed: tick it yourself"
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
        running = self._list(TaskState.RUNNING)
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
        for each in self._list(TaskState.RUNNING):
            self.runner.interrupt(each.run)

    # ---- the end

    def _find_stop(self) -> str:
        if reason := self._breaker.find_reason():
            return f"stopped by a breaker: {reason}"
        if self.store.is_cancelled(self.record.id):
            self._interrupt_runs()
            return "cancelled"
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
        self.store.end_list(self.record.id, status, message)
        record = self.store.find_list(self.record.id)
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
        return self._known.values()

    def _list(self, *states: TaskState) -> list[TaskRecord]:
        return [each for each in self._tasks() if each.state in states]

    def _change(self, record: TaskRecord, **values: str | float | int) -> TaskRecord:
        self.store.change_task(self.record.id, record.item.id, **values)
        changed = replace(record, updated=datetime.now(UTC), **values)  # type: ignore[arg-type] # the store checks the names
        self._known[record.item.id] = changed
        return changed

    def _set_state(self, record: TaskRecord, state: TaskState, reason: str = "") -> None:
        record = self._change(record, state=state, reason=reason)
        if state is not TaskState.MERGING:
            self.emit(events.TaskChanged(record, state, reason))
