"""Store jobs: each change of an owner or a result is one compare-and-swap.

The record of a job says everything; the queue of `journal.queues` only says when it is whose turn.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import UsageError
from orchestrator.masking import mask_text
from orchestrator.models import RunOutcome
from orchestrator.storage.database import Database, Row
from orchestrator.tasks.fleet.models import (
    JOB_REFS,
    MOST_DEATHS,
    Job,
    JobRecord,
    JobStatus,
    Ownership,
)
from orchestrator.tasks.models import TaskEnd, TaskOrder, TaskState
from orchestrator.tasks.store import load_end

_COLUMNS: Final = (
    *("project", "repository", "content", "config", "status", "token", "worker", "deaths"),
    *("cancelled", "message", "result"),
)
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM jobs"  # noqa: S608 -- our own names
_LONGEST_TEXT: Final = 20_000
"""Characters of a text of a result that are stored."""


def build_ref(job: str, token: int, name: str) -> str:
    """Return the ref of a commit of a job: of its `work`, or of what it `learned`."""
    return f"{JOB_REFS}{job}/{token}/{name}"


def build_base_ref(job: str) -> str:
    """Return the ref of the commit that a job starts from."""
    return f"{JOB_REFS}{job}/base"


class JobStore:
    """The jobs of all lists.

    Each method raises InfrastructureError when the database fails.

    Args:
        database: the record.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def create_job(self, job: Job) -> bool:
        """Store a job; return whether it was not there."""
        order = job.order
        content = json.dumps({"order": asdict(order), "prefix": job.prefix})
        return bool(
            self.database.write(
                "INSERT INTO jobs (id, list, task, project, repository, base, content, config,"
                " status, run, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO NOTHING",
                (
                    *(job.id, order.list_id, order.task, str(job.project), job.repository),
                    *(order.base, content, job.config, JobStatus.QUEUED, "", _now()),
                ),
            )
        )

    def find_job(self, job: str) -> JobRecord | None:
        """Return a job by its complete id; None if there is none."""
        found = self._build(self.database.fetch_rows(f"{_SELECT} WHERE id = ?", (job,)))
        return found[0] if found else None

    def load_job(self, job: str) -> JobRecord:
        """Return a job by its complete id.

        Raises:
            UsageError: there is none.
        """
        if (found := self.find_job(job)) is None:
            raise UsageError(f"there is no job {job}", "see `orchestrator workers`")
        return found

    def list_unfinished(self, list_id: str) -> list[str]:
        """Return the ids of the jobs of a list that have not ended."""
        rows = self.database.fetch_rows(
            "SELECT id FROM jobs WHERE list = ? AND status <> ? ORDER BY id",
            (list_id, JobStatus.ENDED),
        )
        return [str(job) for (job,) in rows]

    def list_running(self) -> list[tuple[str, str]]:
        """Return the ids of the jobs that run, each with that of its worker."""
        rows = self.database.fetch_rows(
            "SELECT id, worker FROM jobs WHERE status = ? ORDER BY id", (JobStatus.RUNNING,)
        )
        return [(str(job), str(worker)) for job, worker in rows]

    def list_old(self, before: datetime) -> list[str]:
        """Return the ids of the jobs that ended before a time, and whose list has their result."""
        rows = self.database.fetch_rows(
            "SELECT id FROM jobs WHERE status = ? AND ended < ? AND NOT EXISTS ("
            " SELECT 1 FROM tasks t WHERE t.run = jobs.id AND t.state IN (?, ?)) ORDER BY id",
            (
                *(JobStatus.ENDED, before.astimezone(UTC).isoformat()),
                *(TaskState.RUNNING, TaskState.MERGING),
            ),
        )
        return [str(job) for (job,) in rows]

    def forget_job(self, job: str) -> None:
        """Delete the row of a job that has ended."""
        self.database.write("DELETE FROM jobs WHERE id = ? AND status = ?", (job, JobStatus.ENDED))

    # ---- owners

    def claim_job(self, job: str, worker: str) -> JobRecord | None:
        """Let a worker own a job that the queue gave it; return it, unless it has ended.

        The new token ends the ownership of any other worker.
        """
        changed = self.database.write(
            "UPDATE jobs SET token = token + 1, worker = ?, status = ?, message = '',"
            " started = COALESCE(started, ?) WHERE id = ? AND status <> ?",
            (worker, JobStatus.RUNNING, _now(), job, JobStatus.ENDED),
        )
        return self.load_job(job) if changed else None

    def check_owner(self, job: str, token: int) -> Ownership:
        """Return whether the worker with a token may go on."""
        rows = self.database.fetch_rows(
            "SELECT status, token, cancelled FROM jobs WHERE id = ?", (job,)
        )
        if not rows or rows[0][:2] != (JobStatus.RUNNING, token):
            return Ownership.LOST
        return Ownership.CANCELLED if rows[0][2] else Ownership.OWN

    def set_run(self, job: str, token: int, run: str) -> None:
        """Record the run that the worker with a token makes."""
        self.database.write("UPDATE jobs SET run = ? WHERE id = ? AND token = ?", (run, job, token))

    def save_end(self, job: str, token: int, end: TaskEnd) -> bool:
        """Store what came of a job, if the token is still the latest.

        Returns:
            Whether it is stored, also by an earlier call whose answer was lost.
        """
        result = _dump_end(end)
        with self.database.transaction():
            changed = self.database.write(
                "UPDATE jobs SET status = ?, result = ?, message = ?, ended = ?"
                " WHERE id = ? AND token = ? AND status = ?",
                (
                    *(JobStatus.ENDED, result, _mask(end.message), _now()),
                    *(job, token, JobStatus.RUNNING),
                ),
            )
            return bool(changed) or bool(
                self.database.fetch_rows(
                    "SELECT 1 FROM jobs WHERE id = ? AND token = ? AND status = ? AND result = ?",
                    (job, token, JobStatus.ENDED, result),
                )
            )

    def hand_back(self, job: str, token: int, reason: str) -> bool:
        """Give up a job for another worker, which the queue has to give it to."""
        return bool(
            self.database.write(
                "UPDATE jobs SET status = ?, token = token + 1, message = ?"
                " WHERE id = ? AND token = ? AND status = ?",
                (JobStatus.QUEUED, _mask(reason), job, token, JobStatus.RUNNING),
            )
        )

    def fence_job(self, job: str, worker: str, reason: str = "its worker has died") -> bool:
        """Take a job from a worker with which it died; at the third death, or if cancelled, end it.

        Args:
            job: the job's id.
            worker: its worker.
            reason: what has died, of the worker and of what it has started.

        Returns:
            Whether the worker owned it: if not, nothing is changed.
        """
        with self.database.transaction():
            found = self.find_job(job)
            if found is None or (found.status, found.worker) != (JobStatus.RUNNING, worker):
                return False
            deaths, message, end = found.deaths + 1, reason, None
            if deaths >= MOST_DEATHS:
                message = f"{deaths} workers or processes have died with it; the last: {reason}"
                # Not `STOPPED`, which ends the list: here it is the task that fails.
                end = TaskEnd(RunOutcome.NOT_SOLVED, f"{message}; it is not started again")
            elif found.cancelled:
                end = TaskEnd(RunOutcome.INTERRUPTED, f"it was cancelled, and {reason}")
            self.database.write(
                "UPDATE jobs SET token = token + 1, deaths = ?, status = ?, message = ?,"
                " result = ?, ended = ? WHERE id = ?",
                (
                    *(deaths, JobStatus.ENDED if end else JobStatus.QUEUED),
                    *(_mask(end.message if end else message), _dump_end(end) if end else ""),
                    *(_now() if end else None, job),
                ),
            )
            return True

    def cancel_job(self, job: str) -> None:
        """Cancel a job: at once if no worker has it, and else the worker ends it."""
        end = TaskEnd(RunOutcome.INTERRUPTED, "it was cancelled before it started")
        with self.database.transaction():
            self.database.write(
                "UPDATE jobs SET cancelled = 1 WHERE id = ? AND status <> ?",
                (job, JobStatus.ENDED),
            )
            self.database.write(
                "UPDATE jobs SET status = ?, token = token + 1, result = ?, message = ?, ended = ?"
                " WHERE id = ? AND status = ?",
                (
                    *(JobStatus.ENDED, _dump_end(end), end.message, _now()),
                    *(job, JobStatus.QUEUED),
                ),
            )

    def reopen_job(self, job: str) -> bool:
        """Let a job that was cancelled, and so ended without a result, be done from its start.

        Returns:
            Whether it is so: what a job has reached before it could be cancelled is its result.
        """
        with self.database.transaction():
            found = self.find_job(job)
            if not (found and found.end and found.cancelled):
                return False
            if found.end.outcome is not RunOutcome.INTERRUPTED:
                return False
            self.database.write(
                "UPDATE jobs SET status = ?, token = token + 1, cancelled = 0,"
                " result = '', message = '', ended = NULL WHERE id = ?",
                (JobStatus.QUEUED, job),
            )
            return True

    def _build(self, rows: Iterable[Row]) -> list[JobRecord]:
        with self.database.explain_damage():
            return [_build_record(dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def _build_record(row: dict[str, Any]) -> JobRecord:
    content: dict[str, Any] = json.loads(row["content"])
    values: dict[str, Any] = content["order"]
    order = TaskOrder(**(_drop_unknown(values, TaskOrder) | {"leave": tuple(values["leave"])}))
    return JobRecord(
        Job(order, Path(row["project"]), content["prefix"], row["repository"], row["config"]),
        JobStatus(row["status"]),
        row["token"],
        row["worker"],
        row["deaths"],
        bool(row["cancelled"]),
        row["message"],
        _load_end(row["result"]) if row["result"] else None,
    )


def _dump_end(end: TaskEnd) -> str:
    end = replace(end, message=_mask(end.message), check_failed=_mask(end.check_failed))
    return json.dumps(asdict(end))


def _load_end(text: str) -> TaskEnd:
    values = _drop_unknown(json.loads(text), TaskEnd)
    outcome, work, learned = (values.pop(name) for name in ("outcome", "work", "learned"))
    return load_end(outcome, work, learned, json.dumps(values))


def _drop_unknown(values: dict[str, Any], kind: type[TaskEnd | TaskOrder]) -> dict[str, Any]:
    """Return values without what another version of this program has added."""
    known = {each.name for each in fields(kind)}
    return {name: value for name, value in values.items() if name in known}


def _mask(text: str) -> str:
    return mask_text(text)[:_LONGEST_TEXT]


def _now() -> str:
    return datetime.now(UTC).isoformat()
