"""Start, claim, save and find the runs of this user.

Longer than 350 lines: it is one class, whose methods are mostly one statement each on one table.
"""

import json
import secrets
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from orchestrator.errors import LostRunError, UsageError
from orchestrator.models import RESUMABLE, RunOutcome, RunRecord, RunResult, Task
from orchestrator.platform.liveness import ProcessMark, is_running, mark_process
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.platform.project import resolve_project
from orchestrator.storage import codec
from orchestrator.storage.database import Row
from orchestrator.storage.event_log import EventLog
from orchestrator.storage.killed_runs import find_outcome
from orchestrator.storage.opening import open_database
from orchestrator.storage.packing import pack_result, unpack_result
from orchestrator.storage.result_rows import write_result_rows
from orchestrator.storage.run_costs import ATTEMPTS_COLUMN, COST_COLUMN, TOKENS_COLUMN
from orchestrator.storage.state_directory import (
    build_state_error,
    locks_folder,
    resolve_state_directory,
    run_folder,
)

RUN_FORMAT: Final = "2"
"""Changed when a step's name, its result or a file in a run's folder changes its meaning: a run
with another format cannot be resumed. It is also DBOS's application version."""

_COLUMNS: Final = (
    *("id", "task", "project", "started", "ended", "outcome", "host", "process"),
    *("process_started", ATTEMPTS_COLUMN, COST_COLUMN, TOKENS_COLUMN, "pruned", "undone", "token"),
    *("lane", "context"),
)
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM runs"  # noqa: S608 -- our own names


def create_run_id() -> str:
    """Return an id for a run, or for a list of tasks, that starts now."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


class Store:
    """The runs of this user. The caller closes it, best by `with`.

    Any thread may call. Each method raises InfrastructureError when the database fails.

    Args:
        directory: the state directory; the user's if None.

    Raises:
        InfrastructureError: the state directory cannot be written, or was written by a later
            version.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.database = open_database(directory or resolve_state_directory())
        self._opened = ExitStack()
        self._opened.enter_context(self.database)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def directory(self) -> Path:
        """The state directory."""
        return self.database.directory

    @property
    def locks(self) -> Path:
        """The folder of the lock files."""
        return locks_folder(self.directory)

    def close(self) -> None:
        """Close the database."""
        self._opened.close()

    @cached_property
    def events(self) -> EventLog:
        """The events of runs, in a connection of their own whose commits do not wait for the disk.

        There can be many in a second.
        """
        database = open_database(self.directory, durable=False)
        return EventLog(self._opened.enter_context(database))

    # ---- writing

    def create_run(
        self, task: Task, config: str, identity: str | None = None, lane: Path | None = None
    ) -> RunRecord:
        """Create the record of a run that starts now.

        Args:
            task: its task, with secrets masked.
            config: its configuration as text, with secrets masked.
            identity: its id; a new one if None.
            lane: the folder that it works in, if it is one of a task list.

        Returns:
            The record. The run's folder exists.
        """
        started = datetime.now(UTC)
        identity = identity or create_run_id()
        self.database.write(
            "INSERT INTO runs (id, task, project, config, started, outcome, host, process,"
            " process_started, format, lane, context) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(identity, task.text, str(task.project), config),
                *(started.isoformat(), RunOutcome.RUNNING, *mark_process(), RUN_FORMAT),
                *(str(lane) if lane else "", task.context),
            ),
        )
        try:
            make_private_folder(run_folder(self.directory, identity))
        except OSError as error:
            self.discard_run(identity)
            raise build_state_error(self.directory, error) from error
        return self.load_run(identity)

    def discard_run(self, run: str) -> None:
        """Delete a run that no process has claimed; a run that was claimed is retained."""
        deleted = self.database.write("DELETE FROM runs WHERE id = ? AND token = 0", (run,))
        if deleted:
            shutil.rmtree(run_folder(self.directory, run), ignore_errors=True)

    def require_resumable(self, run: str) -> None:
        """Check that the record of a run allows it to be resumed.

        Raises:
            UsageError: it was undone, it was started by a version with another format, or what it
                needs was removed after the retention period.
        """
        ((form, pruned, undone),) = self.database.fetch_rows(
            "SELECT format, pruned, undone FROM runs WHERE id = ?", (run,)
        )
        if undone:  # the files are no longer those that its finished steps have left
            raise UsageError(f"run {run} was undone", "start a new run")
        reason = ""
        if pruned:
            reason = "its files were removed after `state.keep_days`"
        elif form != RUN_FORMAT:
            reason = "it was started by a version that stores runs in another format"
        if reason:
            raise UsageError(f"run {run} cannot be resumed: {reason}", "start a new run")

    def claim_run(self, run: str, config: str = "") -> int:
        """Record that this process executes the run from now on.

        Args:
            run: the run's id.
            config: its configuration from now on; unchanged if empty.

        Returns:
            The token that identifies this process as the run's owner, until another process claims
            the run.

        Raises:
            UsageError: it cannot be resumed, see `require_resumable`.
        """
        with self.database.transaction():
            self.require_resumable(run)
            self.database.write(
                "UPDATE runs SET token = token + 1, outcome = ?, ended = NULL, host = ?,"
                " process = ?, process_started = ?,"
                " config = CASE WHEN ? = '' THEN config ELSE ? END WHERE id = ?",
                (RunOutcome.RUNNING, *mark_process(), config, config, run),
            )
            return self.read_token(run)

    def record_undo(self, run: str) -> None:
        """Record that files of a run are restored, so that it cannot be resumed any more.

        The caller holds the lock of the folder that the run worked in.
        """
        now = datetime.now(UTC).isoformat()
        self.database.write("UPDATE runs SET undone = ? WHERE id = ?", (now, run))

    def require_owner(self, run: str, token: int) -> None:
        """Check that no other process has claimed the run since.

        Raises:
            LostRunError: another process has.
        """
        if self.read_token(run) != token:
            raise LostRunError(run)

    def save_result(self, run: str, result: RunResult, token: int) -> None:
        """Save the result of a run so far, or at its end.

        Raises:
            LostRunError: another process has claimed it; nothing is changed.
        """
        now = datetime.now(UTC).isoformat()
        ended = None if result.outcome is RunOutcome.RUNNING else now
        usage = result.usage
        with self.database.transaction():
            self.require_owner(run, token)
            self.database.write(
                "UPDATE runs SET outcome = ?, ended = ?, message = ?, attempts = ?, cost_usd = ?,"
                " tokens = ? WHERE id = ?",
                (
                    *(result.outcome, ended, result.message, len(result.attempts)),
                    *(usage.cost_usd, usage.tokens, run),
                ),
            )
            self.database.write(
                "INSERT INTO results VALUES (?, ?)"
                " ON CONFLICT (run) DO UPDATE SET result = excluded.result",
                (run, pack_result(codec.dumps(result))),
            )
            write_result_rows(self.database, run, result, now)

    def end_run(self, run: str, outcome: RunOutcome, message: str, token: int) -> RunResult:
        """End an incomplete run with an outcome, and return its result so far.

        Raises:
            LostRunError: another process has claimed it; nothing is changed.
        """
        so_far = self.load_run(run).result or RunResult(outcome)
        result = replace(so_far, outcome=outcome, message=message)
        self.save_result(run, result, token)
        return result

    # ---- reading

    def load_run(self, run: str) -> RunRecord:
        """Find a run by its id, the beginning of its id, or `last`, with its result.

        Raises:
            UsageError: there is none, or more than one.
        """
        record = self.find_run(run)
        rows = self.database.fetch_rows(
            "SELECT result, message FROM results JOIN runs ON id = run WHERE run = ?", (record.id,)
        )
        if not rows:
            return record
        ((packed, message),) = rows
        with self.database.explain_damage():
            result: RunResult = codec.loads(unpack_result((packed,)))
        if result.outcome is RunOutcome.RUNNING:  # it was saved before its process was killed
            result = replace(result, outcome=record.outcome, message=message)
        return replace(record, result=result)

    def find_run(
        self, run: str, project: Path | None = None, *, in_lanes: bool = True
    ) -> RunRecord:
        """Find a run by its id, the beginning of its id, or `last`, without its result.

        Args:
            run: the id, its beginning, or `last`.
            project: the directory of the project whose `last` is meant; None for all projects.
            in_lanes: whether `last` may be a run of a task list, which changes no file of a user.

        Raises:
            UsageError: there is none, or more than one; the project does not exist.
        """
        if run == "last":
            return self._find_last_run(project, in_lanes)
        if not run:
            raise UsageError("the run's id is empty", "list the runs with `orchestrator runs`")
        rows = self.database.fetch_rows(
            f"{_SELECT} WHERE substr(id, 1, ?) = ? ORDER BY id", (len(run), run)
        )
        found = self._build_records(rows)
        found = [record for record in found if record.id == run] or found
        if not found:
            raise UsageError(f"there is no run {run}", "list the runs with `orchestrator runs`")
        if len(found) > 1:
            ids = ", ".join(record.id for record in found[:4])
            raise UsageError(f"several run ids begin with {run}: {ids}", "give more of the id")
        return found[0]

    def _find_last_run(self, project: Path | None, in_lanes: bool) -> RunRecord:
        folder = project and resolve_project(project)
        own = self.list_runs(1, folder, in_lanes=in_lanes)
        if found := own or (folder and self.list_runs(1, in_lanes=in_lanes)):
            last = found[0]
            if folder in (None, last.task.project):
                return last
            hint = f"the last run is {last.id}, in {last.task.project}"
            raise UsageError(f"no run has worked in {folder}", hint)
        raise UsageError("there is no run yet", 'start one with `orchestrator run "TASK"`')

    def list_runs(
        self, limit: int = 50, project: Path | None = None, *, in_lanes: bool = True
    ) -> list[RunRecord]:
        """Return the newest runs first, those of a project or all, without their results.

        Args:
            limit: how many at most.
            project: the folder of a project, for its runs alone.
            in_lanes: whether to return those of task lists, too.
        """
        lanes = "" if in_lanes else " AND lane = ''"
        where, values = ("project = ?", (str(project),)) if project else ("1 = 1", ())
        rows = self.database.fetch_rows(
            f"{_SELECT} WHERE {where}{lanes} ORDER BY started DESC, id DESC LIMIT ?",
            (*values, limit),
        )
        return self._build_records(rows)

    def list_active_runs(self) -> list[RunRecord]:
        """Return the runs that a process executes, the newest first, without their results."""
        rows = self.database.fetch_rows(
            f"{_SELECT} WHERE outcome = ? ORDER BY started DESC", (RunOutcome.RUNNING,)
        )
        return [record for record in self._build_records(rows) if record.carried]

    def list_resumable(self) -> set[str]:
        """Return the ids of all runs that can be resumed, or are active."""
        ended = tuple(outcome for outcome in RunOutcome if outcome not in RESUMABLE)
        marks = ", ".join("?" * len(ended))
        rows = self.database.fetch_rows(
            f"SELECT id FROM runs WHERE coalesce(pruned, undone) IS NULL AND outcome NOT IN ({marks})",  # noqa: S608, E501
            ended,
        )
        return {run for (run,) in rows}

    def find_latest_start(self, excluded: str) -> datetime | None:
        """Return when the latest run but one was started; None if there is no other."""
        rows = self.database.fetch_rows("SELECT max(started) FROM runs WHERE id != ?", (excluded,))
        with self.database.explain_damage():
            return datetime.fromisoformat(rows[0][0]) if rows[0][0] else None

    def list_pruned(self) -> set[str]:
        """Return the ids of all runs whose files were removed."""
        return {
            run
            for (run,) in self.database.fetch_rows("SELECT id FROM runs WHERE pruned IS NOT NULL")
        }

    def read_config(self, run: str) -> str:
        """Return the stored configuration of a run, as text."""
        rows = self.database.fetch_rows("SELECT config FROM runs WHERE id = ?", (run,))
        with self.database.explain_damage():
            text = str(rows[0][0])
            dict(json.loads(text))
            return text

    def read_token(self, run: str) -> int:
        """Return how often a process has claimed the run."""
        return int(self.database.fetch_rows("SELECT token FROM runs WHERE id = ?", (run,))[0][0])

    def _build_records(self, rows: Sequence[Row]) -> list[RunRecord]:
        with self.database.explain_damage():
            return [self._build_record(row) for row in rows]

    def _build_record(self, row: Row) -> RunRecord:
        identity, task, project, started, ended, outcome, host, process, *rest = row
        process_started, attempts, cost_usd, tokens, pruned, undone, token, lane, context = rest
        mark, local = ProcessMark(host, process, process_started), self.database.is_local
        return RunRecord(
            id=identity,
            task=Task(task, Path(project), context),
            started=datetime.fromisoformat(started),
            ended=datetime.fromisoformat(ended) if ended else None,
            outcome=find_outcome(RunOutcome(outcome), mark, local=local),
            folder=run_folder(self.directory, identity),
            host=host,
            process=process,
            carried=is_running(mark, local=local),
            attempts=int(attempts),
            cost_usd=float(cost_usd),
            tokens=int(tokens),
            pruned=datetime.fromisoformat(pruned) if pruned else None,
            undone=datetime.fromisoformat(undone) if undone else None,
            token=token,
            lane=Path(lane) if lane else None,
        )
