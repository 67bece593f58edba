"""Store lists and tasks: every change of a state is one transaction, so that a kill loses none.

Longer than 350 lines: it is one class, whose methods are mostly one statement each.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import UsageError
from orchestrator.models import RunOutcome
from orchestrator.platform.liveness import ProcessMark, is_running, mark_process
from orchestrator.storage.database import Database, Row
from orchestrator.storage.listing import find_list_task
from orchestrator.tasks.models import (
    FINISHED,
    ListFormat,
    ListOptions,
    ListRecord,
    ListStatus,
    TaskEnd,
    TaskItem,
    TaskRecord,
    TaskState,
    Work,
)

_LIST: Final = (
    *("id", "project", "source", "format", "options", "branch", "base", "tip", "status"),
    *("message", "started", "ended", "host", "process", "process_started"),
)
_TASK: Final = (
    *("list", "content", "state", "reason", "failures", "returns", "run", "lane", "base", "work"),
    *("landed", "hint", "after", "reserved_usd", "cost_usd", "seconds", "updated"),
)
_CHANGEABLE: Final = frozenset(each.name for each in fields(TaskRecord)) - {"list_id", "item"}
BRANCHES: Final = "orchestrator/tasks-"


class TaskStore:
    """The lists of this user, and their tasks.

    Each method raises InfrastructureError when the database fails.

    Args:
        database: the record.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    # ---- lists

    def create_list(
        self,
        identity: str,
        project: Path,
        source: str,
        form: ListFormat,
        options: ListOptions,
        config: str,
        base: str,
        items: Sequence[TaskItem],
    ) -> ListRecord:
        """Record a list that this process starts to work on, with its tasks.

        Args:
            identity: its id.
            project: the user's project.
            source: where it was read from.
            form: how it is written.
            options: how it is worked on.
            config: the configuration of its runs, as text and with secrets masked.
            base: the commit that it starts from.
            items: its tasks.
        """
        now = _now()
        with self.database.transaction():
            self.database.write(
                "INSERT INTO task_lists (id, project, source, format, options, config, branch,"
                " base, tip, status, started, host, process, process_started)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(identity, str(project), source, form, json.dumps(asdict(options)), config),
                    *(BRANCHES + identity, base, base, ListStatus.RUNNING, now, *mark_process()),
                ),
            )
            self.add_tasks(identity, items)
        return self.find_list(identity)

    def claim_list(self, identity: str, options: ListOptions | None = None) -> None:
        """Record that this process works on the list from now on; the caller holds its lock."""
        record = self.find_list(identity)
        self.database.write(
            "UPDATE task_lists SET status = ?, message = '', ended = NULL, options = ?, host = ?,"
            " process = ?, process_started = ? WHERE id = ?",
            (
                *(ListStatus.RUNNING, json.dumps(asdict(options or record.options))),
                *(*mark_process(), identity),
            ),
        )

    def end_list(self, identity: str, status: ListStatus, message: str = "") -> None:
        """Record how a list ended."""
        self.database.write(
            "UPDATE task_lists SET status = ?, message = ?, ended = ? WHERE id = ?",
            (status, message, _now(), identity),
        )

    def cancel_list(self, identity: str) -> bool:
        """Ask the process that works on a list to end it; return whether it had not ended."""
        return bool(
            self.database.write(
                "UPDATE task_lists SET status = ?, message = ?, ended = ?"
                " WHERE id = ? AND status = ?",
                (ListStatus.STOPPED, "cancelled", _now(), identity, ListStatus.RUNNING),
            )
        )

    def is_cancelled(self, identity: str) -> bool:
        """Return whether another process has asked to end a list that this one works on."""
        rows = self.database.fetch_rows("SELECT status FROM task_lists WHERE id = ?", (identity,))
        return not rows or rows[0][0] != ListStatus.RUNNING

    def list_old(self, before: datetime) -> list[str]:
        """Return the ids of the lists of this machine that ended before a time."""
        rows = self.database.fetch_rows(
            "SELECT id FROM task_lists WHERE ended < ? AND status <> ? AND host = ? ORDER BY id",
            (before.astimezone(UTC).isoformat(), ListStatus.RUNNING, mark_process().host),
        )
        return [str(identity) for (identity,) in rows]

    def forget_list(self, identity: str) -> None:
        """Delete the rows of a list, of its tasks and of their runs, unless it works again."""
        with self.database.transaction():
            if self.database.write(
                "DELETE FROM task_lists WHERE id = ? AND status <> ?",
                (identity, ListStatus.RUNNING),
            ):
                self.database.write("DELETE FROM tasks WHERE list = ?", (identity,))
                self.database.write("DELETE FROM task_runs WHERE list = ?", (identity,))

    def set_tip(self, identity: str, tip: str) -> None:
        """Record the last commit that is known to be on the list's branch."""
        self.database.write("UPDATE task_lists SET tip = ? WHERE id = ?", (tip, identity))

    def read_config(self, identity: str) -> str:
        """Return the stored configuration of a list's runs, as text."""
        rows = self.database.fetch_rows("SELECT config FROM task_lists WHERE id = ?", (identity,))
        with self.database.explain_damage():
            return str(rows[0][0])

    def find_list(self, identity: str, project: Path | None = None) -> ListRecord:
        """Find a list by its id, the beginning of its id, or `last`.

        Args:
            identity: the id, its beginning, or `last`.
            project: the folder of the project whose `last` is meant; None for all projects.

        Raises:
            UsageError: there is none, or more than one.
        """
        if identity == "last":
            found = self.list_lists(1, project)
            if not found:
                where = f" in {project}" if project else ""
                hint = "start one with `orchestrator tasks run FILE`"
                raise UsageError(f"there is no task list yet{where}", hint)
            return found[0]
        rows = self.database.fetch_rows(
            f"{_SELECT_LIST} WHERE substr(id, 1, ?) = ? ORDER BY id", (len(identity), identity)
        )
        found = self._build_lists(rows) if identity else []
        found = [each for each in found if each.id == identity] or found
        if not found:
            hint = "see `orchestrator tasks status --all`"
            raise UsageError(f"there is no task list {identity}", hint)
        if len(found) > 1:
            ids = ", ".join(each.id for each in found[:4])
            raise UsageError(f"several task lists begin with {identity}: {ids}", "give more of it")
        return found[0]

    def list_lists(self, limit: int = 50, project: Path | None = None) -> list[ListRecord]:
        """Return the newest lists first, those of a project or all."""
        where, values = ("WHERE project = ?", (str(project),)) if project else ("", ())
        rows = self.database.fetch_rows(
            f"{_SELECT_LIST} {where} ORDER BY started DESC, id DESC LIMIT ?", (*values, limit)
        )
        return self._build_lists(rows)

    def find_unfinished(self, project: Path, source: str) -> ListRecord | None:
        """Return the newest list of a source that still has work with a task, or a failed one."""
        done = (*FINISHED, TaskState.REMOVED, TaskState.PROPOSED, TaskState.HELD)
        marks = ", ".join("?" * len(done))
        rows = self.database.fetch_rows(
            f"{_SELECT_LIST} WHERE project = ? AND source = ? AND status != ? AND EXISTS (SELECT 1"  # noqa: S608 -- our own names
            f" FROM tasks WHERE list = task_lists.id AND state NOT IN ({marks}))"
            " ORDER BY started DESC LIMIT 1",
            (str(project), source, ListStatus.COMPLETE, *done),
        )
        return next(iter(self._build_lists(rows)), None)

    def _build_lists(self, rows: Iterable[Row]) -> list[ListRecord]:
        with self.database.explain_damage():
            return [_build_list(row, local=self.database.is_local) for row in rows]

    # ---- tasks

    def add_tasks(self, list_id: str, items: Sequence[TaskItem]) -> None:
        """Add tasks to a list; one that the list says is done counts as done."""
        now = _now()
        self.database.write_many(
            "INSERT INTO tasks (list, id, position, content, state, reason, updated)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (list_id, each.id, each.position, dump_item(each), *_find_first_state(each), now)
                for each in items
            ],
        )

    def load_tasks(self, list_id: str) -> list[TaskRecord]:
        """Return the tasks of a list, in its order."""
        rows = self.database.fetch_rows(
            f"{_SELECT_TASK} WHERE list = ? ORDER BY position, id", (list_id,)
        )
        with self.database.explain_damage():
            return [_build_task(row) for row in rows]

    def load_task(self, list_id: str, task: str) -> TaskRecord:
        """Return a task by its complete id.

        Raises:
            UsageError: the list has no such task.
        """
        rows = self.database.fetch_rows(
            f"{_SELECT_TASK} WHERE list = ? AND id = ?", (list_id, task)
        )
        if not rows:
            raise UsageError(
                f"the list {list_id} has no task {task}", "see `orchestrator tasks status`"
            )
        with self.database.explain_damage():
            return _build_task(rows[0])

    def change_task(self, list_id: str, task: str, **values: str | float | int) -> None:
        """Set fields of a task, by the names of `TaskRecord`, in one transaction.

        Raises:
            TypeError: there is no such field.
        """
        if unknown := values.keys() - _CHANGEABLE:
            raise TypeError(f"a task has no {', '.join(sorted(unknown))}")
        sets = ", ".join(f"{name} = ?" for name in values)
        self.database.write(
            f"UPDATE tasks SET {sets}, updated = ? WHERE list = ? AND id = ?",  # noqa: S608 -- our own names
            (*values.values(), _now(), list_id, task),
        )

    def replace_item(self, list_id: str, item: TaskItem) -> None:
        """Store what a list says about a task now."""
        self.database.write(
            "UPDATE tasks SET content = ?, position = ? WHERE list = ? AND id = ?",
            (dump_item(item), item.position, list_id, item.id),
        )

    # ---- runs of tasks

    def start_task_run(self, record: TaskRecord) -> None:
        """Record that a task runs: its state, and one row for this run; again changes nothing."""
        with self.database.transaction():
            self.change_task(
                record.list_id,
                record.item.id,
                state=TaskState.RUNNING,
                reason="",
                run=record.run,
                lane=record.lane,
                base=record.base,
                work="",
                after="",
                reserved_usd=record.reserved_usd,
            )
            self.database.write(
                "INSERT INTO task_runs (run, list, task, base, started) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (run) DO NOTHING",
                (record.run, record.list_id, record.item.id, record.base, _now()),
            )

    def end_task_run(self, run: str, end: TaskEnd) -> None:
        """Record what came of a run of a task."""
        detail = {name: value for name, value in asdict(end).items() if name not in _END_COLUMNS}
        self.database.write(
            "UPDATE task_runs SET work = ?, learned = ?, outcome = ?, detail = ?, ended = ?"
            " WHERE run = ?",
            (end.work, end.learned, end.outcome, json.dumps(detail), _now(), run),
        )

    def load_open_works(self, list_id: str) -> list[Work]:
        """Return the runs that have ended, and that the merge queue has not processed."""
        rows = self.database.fetch_rows(
            "SELECT task, run, base, outcome, work, learned, detail FROM task_runs"
            " WHERE list = ? AND ended IS NOT NULL AND processed = 0 ORDER BY ended, run",
            (list_id,),
        )
        tasks = {each.item.id: each for each in self.load_tasks(list_id)} if rows else {}
        with self.database.explain_damage():
            return [
                Work(replace(tasks[task], run=run, base=base, work=end[1]), load_end(*end), False)
                for task, run, base, *end in rows
                if task in tasks
            ]

    def mark_processed(self, runs: Sequence[str]) -> None:
        """Record that the merge queue has processed what runs have left."""
        self.database.write_many(
            "UPDATE task_runs SET processed = 1 WHERE run = ?", [(run,) for run in runs]
        )

    def find_task_of_run(self, run: str) -> str:
        """Return the id of the task that a run belongs to; empty if there is no such run."""
        return find_list_task(self.database, run)[1]


_END_COLUMNS: Final = ("outcome", "work", "learned")
_SELECT_LIST: Final = f"SELECT {', '.join(_LIST)} FROM task_lists"  # noqa: S608 -- our own names
_SELECT_TASK: Final = f"SELECT {', '.join(_TASK)} FROM tasks"  # noqa: S608 -- our own names


def build_records(list_id: str, items: Sequence[TaskItem]) -> list[TaskRecord]:
    """Return the tasks of a list as they stand before anything runs."""
    return [TaskRecord(list_id, each, *_find_first_state(each)) for each in items]


def dump_item(item: TaskItem) -> str:
    """Return a task as it is stored."""
    return json.dumps(asdict(item))


def load_item(text: str) -> TaskItem:
    """Return a stored task. Raises ValueError, TypeError or RecursionError for what is none."""
    values: dict[str, Any] = json.loads(text)
    known = values["files"]
    values |= {
        "depends": tuple(values["depends"]),
        "files": None if known is None else tuple(known),
    }
    return TaskItem(**values)


def load_end(outcome: str, work: str, learned: str, detail: str) -> TaskEnd:
    """Return a stored end. Raises ValueError, TypeError or RecursionError for what is none."""
    values: dict[str, Any] = json.loads(detail)
    values |= {name: tuple(values.get(name, ())) for name in ("changed", "failing", "unseen")}
    return TaskEnd(RunOutcome(outcome), work=work, learned=learned, **values)


def _find_first_state(item: TaskItem) -> tuple[TaskState, str]:
    if item.done:
        return TaskState.DONE, "the list says so"
    return (TaskState.HELD, item.hold) if item.hold else (TaskState.WAITING, "")


def _build_list(row: Row, *, local: bool) -> ListRecord:
    identity, project, source, form, options, branch, base, tip, status, message, *rest = row
    started, ended, *process = rest
    found, mark = ListStatus(status), ProcessMark(*process)
    if found is ListStatus.RUNNING and not is_running(mark, local=local):
        found, message = ListStatus.INTERRUPTED, "its process was killed"
    return ListRecord(
        identity,
        Path(project),
        source,
        ListFormat(form),
        ListOptions(**json.loads(options)),
        branch,
        base,
        tip,
        found,
        message,
        datetime.fromisoformat(started),
        datetime.fromisoformat(ended) if ended else None,
    )


def _build_task(row: Row) -> TaskRecord:
    values = dict(zip(_TASK, row, strict=True))
    list_id, item = values.pop("list"), load_item(values.pop("content"))
    state, updated = TaskState(values.pop("state")), values.pop("updated")
    return TaskRecord(list_id, item, state, **values, updated=datetime.fromisoformat(updated))


def _now() -> str:
    return datetime.now(UTC).isoformat()
