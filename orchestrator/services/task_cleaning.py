"""Remove what ended lists have left in the state directory, and nothing that is nowhere else."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.counts import name_first
from orchestrator.errors import LoopError
from orchestrator.platform.project import resolve_project
from orchestrator.platform.project_commands import format_git_command
from orchestrator.services.lane_states import LaneStates
from orchestrator.services.list_locks import try_lock_list
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import list_folder, resolve_state_directory
from orchestrator.tasks.merging import TIP
from orchestrator.tasks.models import (
    FINISHED,
    UNFINISHED,
    Leftover,
    LeftoverKind,
    ListRecord,
    TaskRecord,
    TaskState,
)
from orchestrator.tasks.store import TaskStore
from orchestrator.workspace.lanes import LaneRepository, open_lane_repository

_REFS: Final = "refs/orchestrator/"
_KINDS: Final = ("work/", "learned/", "left/")
"""Below it, what a run has left; then comes its id."""


@dataclass(frozen=True)
class _Work:
    """What a run has left, and what is not on the branch of the list by itself."""

    task: TaskRecord | None
    run: str
    ref: str
    base: str
    superseded: str
    """The commit of a later run of the same task that has landed; empty if none has."""

    @property
    def name(self) -> str:
        """The id of the task, or that of the run where there is none any more."""
        return self.task.item.id if self.task else self.run

    def describe(self) -> str:
        """Return why it is kept, in one line."""
        if self.task is None:
            return f"run {self.run} has left it"
        return f"{self.name} {self.task.state}: {self.task.reason}".removesuffix(": ")


def list_leftovers(project: Path | None = None, state: Path | None = None) -> list[Leftover]:
    """Return what ended lists have left, of a project or of all; those at work are missing."""
    state = state or resolve_state_directory()
    folder = resolve_project(project) if project else None
    found = list[Leftover]()
    with Store(state) as store:
        lists = TaskStore(store.database)
        for record in lists.list_lists(limit=10_000, project=folder):
            with try_lock_list(record.id, store) as is_locked:
                if is_locked and list_folder(state, record.id).is_dir():
                    found += _examine_list(record, lists, store)
    return found


def remove_leftovers(leftovers: Sequence[Leftover], state: Path | None = None) -> list[Leftover]:
    """Remove what can be removed, and return it.

    Each list is examined again under its lock: what has changed since it was shown stays.

    Raises:
        LoopError: something cannot be removed.
    """
    state, removed = state or resolve_state_directory(), list[Leftover]()
    with Store(state) as store:
        lists = TaskStore(store.database)
        for identity in dict.fromkeys(each.list_id for each in leftovers):
            record = lists.find_list(identity)
            shown = {each.path for each in leftovers if each.list_id == identity}
            with try_lock_list(record.id, store) as is_locked:
                for each in _examine_list(record, lists, store) if is_locked else ():
                    if each.removable and each.path in shown:
                        _remove_folder(each)
                        removed.append(each)
    return removed


def _examine_list(record: ListRecord, lists: TaskStore, store: Store) -> list[Leftover]:
    folder = list_folder(store.directory, record.id)
    tasks = lists.load_tasks(record.id)
    try:
        repository = open_lane_repository(record.project, folder / "repository.git")
        runs = _load_runs(record, lists)
        lanes = _list_lanes(folder)
        for lane in lanes:
            LaneStates(repository).store_left_state(lane, record.base)
        works = list(_iter_works(record, tasks, runs, repository))
        retained = list(_iter_retained(record, tasks, works, repository))
    except LoopError as error:
        return [_keep(record, folder, str(error))]
    if not retained:
        reason = _explain_removal([each for each in works if each.superseded])
        size = _measure_folder(folder)
        return [Leftover(record.id, LeftoverKind.REPOSITORY, folder, size, reason, removable=True)]
    at_work = {each.lane for each in tasks if each.state is TaskState.RUNNING}
    return retained + [
        Leftover(
            record.id,
            LeftoverKind.LANE,
            lane,
            _measure_folder(lane),
            "what its runs have left is in the repository of the list",
            removable=True,
        )
        for lane in lanes
        if int(lane.name) not in at_work
    ]


def _list_lanes(folder: Path) -> list[Path]:
    lanes = sorted((folder / "lanes").glob("*"))
    return [lane for lane in lanes if lane.is_dir() and lane.name.isdecimal()]


def _load_runs(record: ListRecord, lists: TaskStore) -> dict[str, tuple[str, str]]:
    """Return the task and the base of each run of a list, by its id."""
    rows = lists.database.fetch_rows(
        "SELECT run, task, base FROM task_runs WHERE list = ?", (record.id,)
    )
    return {run: (task, base) for run, task, base in rows}


def _iter_works(
    record: ListRecord,
    tasks: Sequence[TaskRecord],
    runs: Mapping[str, tuple[str, str]],
    repository: LaneRepository,
) -> Iterator[_Work]:
    """Yield what runs have left that is not on the branch of the list, the oldest run first."""
    by_id = {each.item.id: each for each in tasks}
    refs = {
        name.removeprefix(_REFS): commit for name, commit in repository.list_refs(_REFS).items()
    }
    names = {name.partition("/")[2] for name in refs if name.startswith(_KINDS)}
    for run in sorted(names):
        task, base = runs.get(run, ("", record.base))
        owner = by_id.get(task)
        landed = owner.landed if owner and owner.state in FINISHED else ""
        if owner and landed and owner.run == run:
            continue
        work, learned, left = (refs.get(f"{kind}{run}", base) for kind in _KINDS)
        # What is learned has the work in it.
        name, commit = (_KINDS[0], work) if work != base else (_KINDS[1], learned)
        if commit != base:
            yield _Work(owner, run, f"{_REFS}{name}{run}", base, landed)
        if left not in (base, commit, learned):
            yield _Work(owner, run, f"{_REFS}{_KINDS[2]}{run}", base, landed)


def _iter_retained(
    record: ListRecord,
    tasks: Sequence[TaskRecord],
    works: Iterable[_Work],
    repository: LaneRepository,
) -> Iterator[Leftover]:
    """Yield why the repository of a list is kept: work that is nowhere else, or still to do.

    Raises:
        LoopError: the repository of the list cannot be read.
    """
    path = repository.folder
    for each in works:
        if not each.superseded:
            command = format_git_command(f"diff {each.base} {each.ref}", path)
            yield _keep(record, path, each.describe(), each.ref, command)
    left = [each.item.id for each in tasks if each.state in UNFINISHED]
    if left:
        reason = f"not done: {name_first(left)}; `orchestrator tasks resume {record.id}` goes on"
        yield _keep(record, path, reason)
    if not repository.is_published(repository.read_ref(TIP) or record.tip):
        yield _keep(record, path, f"your repository does not have all of {record.branch}")


def _keep(
    record: ListRecord, path: Path, reason: str, ref: str = "", command: str = ""
) -> Leftover:
    kind = LeftoverKind.REPOSITORY
    return Leftover(record.id, kind, path, 0, reason, removable=False, ref=ref, command=command)


def _explain_removal(superseded: Sequence[_Work]) -> str:
    if not superseded:
        return "all of its work is in your repository"
    named = dict.fromkeys(f"{each.name} by {each.superseded[:9]}" for each in superseded)
    return f"its work is in your repository; earlier runs are superseded: {name_first([*named])}"


def _remove_folder(leftover: Leftover) -> None:
    """Remove a folder, and of a lane also the notes and the TMPDIR beside it."""
    shutil.rmtree(leftover.path)
    if leftover.kind is LeftoverKind.LANE:
        for beside in leftover.path.parent.glob(f"{leftover.path.name}.*"):
            # `.done` in particular: a new lane of that number would count as prepared.
            if beside.is_dir() and not beside.is_symlink():
                shutil.rmtree(beside)
            else:
                beside.unlink()


def _measure_folder(folder: Path) -> int:
    return sum(each.lstat().st_size for each in folder.rglob("*") if not each.is_dir())
