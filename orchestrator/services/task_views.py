"""Show lists of tasks: the plan of one that has not started, and the board of one that has."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from orchestrator.config import Config, Override
from orchestrator.errors import LoopError, UsageError
from orchestrator.platform.project import resolve_project
from orchestrator.platform.project_commands import format_git_command
from orchestrator.services.dry_run import check_parts
from orchestrator.services.suite_choice import find_suite
from orchestrator.services.trust import load_trusted_config
from orchestrator.storage.database import Database
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.tasks.choosing import Clash, explain_blocked, plan_batches
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.hot_files import conflicts
from orchestrator.tasks.models import (
    UNFINISHED,
    ListOptions,
    ListPreview,
    ListRecord,
    ListStatus,
    ListSummary,
    TaskItem,
    TaskList,
    TaskRecord,
    TaskState,
)
from orchestrator.tasks.reading import read_list
from orchestrator.tasks.store import TaskStore, build_records
from teacher.errors import TeacherError

_RETRYABLE: Final = (TaskState.QUARANTINED, TaskState.NEEDS_PERSON, TaskState.PROPOSED)


def build_clash(config: Config) -> Clash:
    """Return the function that says whether two tasks may change the same files."""
    return lambda one, other: conflicts(one, other, config.lanes.hot)


def preview_list(
    source: str,
    project: Path,
    config_file: Path | None = None,
    overrides: Sequence[Override] = (),
    options: ListOptions | None = None,
    *,
    tasks: TaskList | None = None,
    environment: Mapping[str, str] | None = None,
    state: Path | None = None,
) -> ListPreview:
    """Return what a list would do, without starting or storing anything.

    Raises:
        LoopError: the list or the configuration cannot be read.
    """
    project, options = resolve_project(project), options or ListOptions()
    tasks = tasks or read_list(source, project)
    environment, problem, config = environment or os.environ, "", Config()
    try:
        loaded = load_trusted_config(project, config_file, overrides, environment, state=state)
        config = find_suite(loaded, project, environment, tries=False).loaded.config
        if not options.queue:
            check_parts(config, project, environment)
    except (LoopError, TeacherError) as error:
        problem = str(error)
    lanes = options.parallel or config.queue.fleet_lanes
    records = build_records("", tasks.items)
    waiting = [each.item for each in records if each.state is TaskState.WAITING]
    batches = plan_batches(waiting, lanes, build_clash(config))
    planned = {task for batch in batches for task in batch}
    order = tuple(task for batch in batches for task in batch)
    reasons = explain_blocked(records)
    blocked = {
        each.item.id: reasons.get(each.item.id, "")
        for each in records
        if each.state is TaskState.WAITING and each.item.id not in planned
    }
    with Store(state or resolve_state_directory()) as store:
        past = _read_past_tasks(store.database, project)
    cost, seconds = ([each[place] for each in past] for place in (0, 1))
    return ListPreview(
        tuple(records),
        order,
        batches,
        blocked,
        median(cost) * len(order) if past else None,
        median(seconds) * len(batches) if past else None,
        lanes,
        problem,
        _explain_apart(waiting) if lanes > 1 else {},
        len(past),
    )


def summarize_list(
    identity: str, project: Path | None = None, state: Path | None = None
) -> ListSummary:
    """Return a list with its tasks as they stand.

    Args:
        identity: the list's id, the beginning of it, or `last`.
        project: the directory of the project whose `last` is meant; None for all projects.
        state: the state directory; the user's if None.

    Raises:
        LoopError: there is no such list.
    """
    folder = resolve_project(project) if project else None
    with Store(state or resolve_state_directory()) as store:
        lists = TaskStore(store.database)
        return summarize_record(lists.find_list(identity, folder), lists)


def summarize_record(record: ListRecord, lists: TaskStore) -> ListSummary:
    """Return a list with its tasks, why some are blocked, and how long it may still take."""
    tasks = tuple(lists.load_tasks(record.id))
    ended = [each.seconds for each in tasks if each.state is TaskState.DONE and each.run]
    left = sum(each.state in UNFINISHED for each in tasks)
    seconds = median(ended) * left / record.options.parallel if ended else None
    return ListSummary(record, tasks, explain_blocked(tasks), seconds)


def list_lists(project: Path | None = None, state: Path | None = None) -> list[ListRecord]:
    """Return the newest lists first, those of a project or all."""
    folder = resolve_project(project) if project else None
    with Store(state or resolve_state_directory()) as store:
        return TaskStore(store.database).list_lists(project=folder)


def retry_task(
    identity: str, task: str, project: Path | None = None, state: Path | None = None
) -> TaskRecord:
    """Let a task that was given up run again, with its counts at zero; `tasks resume` starts it.

    A proposed task becomes one of the list.

    Raises:
        UsageError: there is no such task, or it was not given up.
    """
    folder = resolve_project(project) if project else None
    with Store(state or resolve_state_directory()) as store:
        lists = TaskStore(store.database)
        record = lists.find_list(identity, folder)
        found = lists.load_task(record.id, task)
        if found.state not in _RETRYABLE:
            raise UsageError(
                f"the task {task} was not given up: {found.state}",
                "only one that is quarantined or needs a person can be tried again",
            )
        lists.change_task(
            record.id, task, state=TaskState.WAITING, failures=0, returns=0, after="", reason=""
        )
        return lists.load_task(record.id, task)


def cancel_list(
    identity: str, project: Path | None = None, state: Path | None = None
) -> ListRecord:
    """Ask the process that works on a list to end its runs; `tasks resume` goes on with it.

    Its jobs are cancelled here: that process may be gone, and workers would go on.

    Raises:
        LoopError: there is no such list, or it has ended.
    """
    folder = resolve_project(project) if project else None
    with Store(state or resolve_state_directory()) as store:
        lists = TaskStore(store.database)
        record = lists.find_list(identity, folder)
        is_cancelled, jobs = lists.cancel_list(record.id), 0
        if JobStore(store.database).list_unfinished(record.id):
            from orchestrator.services.queue_runner import cancel_jobs  # DBOS takes a second

            jobs = cancel_jobs(store.database, record.id)
        if not is_cancelled and not jobs:
            raise UsageError(f"the list {record.id} has ended already: {record.status}")
        return lists.find_list(record.id)


def _explain_apart(items: Sequence[TaskItem]) -> dict[str, str]:
    """Return why a task does not run beside others, by its id."""
    return {
        each.id: "its files are not known: name them with `files:`, or mark it [P]"
        for each in items
        if each.files is None and not each.parallel
    }


def _read_past_tasks(database: Database, project: Path) -> list[tuple[float, float]]:
    """Return the cost and the seconds of the tasks of a project that are done."""
    rows = database.fetch_rows(
        "SELECT t.cost_usd, t.seconds FROM tasks t JOIN task_lists l ON l.id = t.list"
        " WHERE l.project = ? AND t.run != '' AND t.state = ? ORDER BY t.updated DESC LIMIT 200",
        (str(project), TaskState.DONE),
    )
    return [(float(cost), float(seconds)) for cost, seconds in rows]


def advise_next_steps(record: ListRecord, tasks: Sequence[TaskRecord]) -> tuple[str, ...]:
    """Return what a person can do when a list has ended, one command a line."""
    lines = []
    if any(each.landed for each in tasks):
        top = record.project
        # Not a merge: the base has what was not committed, such as the list itself, and git would
        # not bring that over the user's own file.
        commits = f"{record.base[:12]}..{record.branch}"
        show = format_git_command(f"log --patch {commits}", top)
        take = format_git_command(f"cherry-pick {commits}", top)
        lines.append(f"the work is on the branch {record.branch}: `{show}` shows it")
        lines.append(f"`{take}` brings it into your branch")
    stuck = [
        each.item.id
        for each in tasks
        if each.state in (TaskState.QUARANTINED, TaskState.NEEDS_PERSON)
    ]
    if stuck:
        lines.append(f"`orchestrator tasks retry {record.id} {stuck[0]}` tries it again")
    waiting = record.options.once and any(each.state is TaskState.WAITING for each in tasks)
    if waiting or record.status in (ListStatus.STOPPED, ListStatus.INTERRUPTED):
        lines.append(f"`orchestrator tasks resume {record.id}` goes on")
    return tuple(lines)
