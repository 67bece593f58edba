"""Plan a list of tasks that has not started: the order, the batches, and the likely cost."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from orchestrator.config import Config, Override
from orchestrator.errors import LoopError
from orchestrator.platform import files
from orchestrator.platform.project import resolve_project
from orchestrator.services.dry_run import check_parts
from orchestrator.services.suite_choice import find_suite
from orchestrator.services.trust import load_trusted_config
from orchestrator.storage.database import Database
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import list_folder, resolve_state_directory
from orchestrator.tasks.choosing import Clash, explain_blocked, plan_batches
from orchestrator.tasks.hot_files import conflicts, is_hot
from orchestrator.tasks.models import (
    ListOptions,
    ListPreview,
    TaskItem,
    TaskList,
    TaskState,
)
from orchestrator.tasks.reading import read_list
from orchestrator.tasks.store import build_records
from orchestrator.workspace.lanes import open_lane_repository
from teacher.errors import TeacherError


def build_clash(config: Config, project: Path) -> Clash:
    """Return the function that says whether two tasks may change the same files.

    Of the project, it knows the hot files of its top, where a workspace has its lock file.
    """
    found = files.list_folder(project)
    names = tuple(sorted(each.name for each in found if is_hot(each.name)))
    return lambda one, other: conflicts(one, other, config.lanes.hot, names)


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
    state = state or resolve_state_directory()
    try:
        open_lane_repository(project, list_folder(state, "new") / "repository.git").check_base()
        loaded = load_trusted_config(project, config_file, overrides, environment, state=state)
        config = find_suite(loaded, project, environment, tries=False).loaded.config
        if not options.queue:
            check_parts(config, project, environment)
    except (LoopError, TeacherError) as error:
        problem = str(error)
    lanes = options.parallel or config.queue.fleet_lanes
    records = build_records("", tasks.items)
    waiting = [each.item for each in records if each.state is TaskState.WAITING]
    batches = plan_batches(waiting, lanes, build_clash(config, project))
    order = tuple(task for batch in batches for task in batch)
    planned, reasons = frozenset(order), explain_blocked(records)
    blocked = {
        each.item.id: reasons.get(each.item.id, "")
        for each in records
        if each.state is TaskState.WAITING and each.item.id not in planned
    }
    with Store(state) as store:
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
