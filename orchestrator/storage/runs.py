"""The runs of this user: begun, taken up, saved, found again."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator import codec
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.models import RunOutcome, RunRecord, RunResult, Task
from orchestrator.storage.database import Database, Row
from orchestrator.storage.event_log import EventLog
from orchestrator.storage.listing import pack_result, unpack_result
from orchestrator.storage.place import folder_of_run, locks_of, state_directory, unusable
from orchestrator.storage.result_rows import write_result_rows

_SELECT: Final = (
    "SELECT id, task, project, started, ended, outcome, process, attempts, cost_usd, pruned, token"
    " FROM runs"
)


def new_id() -> str:
    """Return an id for a run that begins now."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


class Store:
    """The runs of this user on this machine. Whoever opens one closes it, best by `with`.

    Any thread may call. Each method raises InfrastructureError when the database fails.

    Args:
        directory: the state directory; the user's if None.

    Raises:
        InfrastructureError: the state directory cannot be written, or is of a later version.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.database = Database(directory or state_directory())
        self.events = EventLog(self.database)

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
        """Where locks are kept."""
        return locks_of(self.directory)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    # ---- writing

    def create(self, task: Task, config: str, identity: str | None = None) -> RunRecord:
        """Begin the record of a run; `config` is its configuration as text."""
        started = datetime.now(UTC)
        identity = identity or new_id()
        try:
            folder_of_run(self.directory, identity).mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise unusable(self.directory, error) from error
        self.database.write(
            "INSERT INTO runs (id, task, project, config, started, outcome, process)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(identity, task.text, str(task.project), config),
                *(started.isoformat(), RunOutcome.RUNNING, os.getpid()),
            ),
        )
        return self.get(identity)

    def take_up(self, run: str) -> int:
        """Note that this process carries the run now; return the token of its owner.

        Whoever carried it before holds an older token: what it still brings does not count.

        Raises:
            UsageError: it was kept long enough, and what it needs is gone.
        """
        with self.database.transaction():
            if self.find(run).pruned:
                raise UsageError(
                    f"run {run} cannot go on: its files were removed after `state.keep_days`",
                    "start a new run",
                )
            self.database.write(
                "UPDATE runs SET token = token + 1, outcome = ?, ended = NULL, process = ?"
                " WHERE id = ?",
                (RunOutcome.RUNNING, os.getpid(), run),
            )
            return self._token(run)

    def demand_owner(self, run: str, token: int) -> None:
        """Make sure that whoever holds a token carries the run still.

        Raises:
            InfrastructureError: another process took it up since.
        """
        if token and self._token(run) != token:
            raise InfrastructureError(
                f"another process carries run {run} now, so what this one did does not count",
                f"`orchestrator runs show {run}` shows how far it is",
            )

    @contextmanager
    def owned(self, run: str, token: int) -> Iterator[None]:
        """Let the block write only as the run's owner: the check and the writes are one.

        Raises:
            InfrastructureError: another process took the run up since.
        """
        with self.database.transaction():
            self.demand_owner(run, token)
            yield

    def save(self, run: str, result: RunResult, token: int = 0) -> None:
        """Keep how far a run has come.

        Args:
            run: the run's id.
            result: how far it has come.
            token: of whoever saves; 0 asks nothing.

        Raises:
            InfrastructureError: another process carries the run now.
        """
        now = datetime.now(UTC).isoformat()
        over = None if result.outcome is RunOutcome.RUNNING else now
        usage = result.usage
        with self.owned(run, token):
            self.database.write(
                "UPDATE runs SET outcome = ?, ended = ?, message = ?, attempts = ?, cost_usd = ?,"
                " tokens = ? WHERE id = ?",
                (
                    *(result.outcome, over, result.message, len(result.attempts)),
                    *(usage.cost_usd, usage.tokens, run),
                ),
            )
            self.database.write(
                "INSERT INTO results VALUES (?, ?)"
                " ON CONFLICT (run) DO UPDATE SET result = excluded.result",
                (run, pack_result(codec.dumps(result))),
            )
            write_result_rows(self.database, run, result, now)

    def end(self, run: str, outcome: RunOutcome, message: str, token: int = 0) -> RunResult:
        """End a run that was broken off, and return how far it has come."""
        so_far = self.get(run).result or RunResult(outcome)
        result = replace(so_far, outcome=outcome, message=message)
        self.save(run, result, token)
        return result

    # ---- reading

    def get(self, run: str) -> RunRecord:
        """Find a run by its id, the beginning of its id, or `last`, with its result.

        Raises:
            UsageError: there is none, or more than one.
        """
        record = self.find(run)
        rows = self.database.rows("SELECT result FROM results WHERE run = ?", (record.id,))
        return replace(record, result=codec.loads(unpack_result(rows[0]))) if rows else record

    def find(self, run: str) -> RunRecord:
        """Find a run as `get` does, without its result.

        Raises:
            UsageError: there is none, or more than one.
        """
        if run == "last":
            found = self.list(limit=1)
        else:
            rows = self.database.rows(
                f"{_SELECT} WHERE substr(id, 1, ?) = ? ORDER BY id", (len(run), run)
            )
            found = [self._record(row) for row in rows]
            found = [record for record in found if record.id == run] or found
        if not found:
            raise UsageError(f"there is no run {run}", "`orchestrator runs` lists them")
        if len(found) > 1:
            ids = ", ".join(record.id for record in found[:4])
            raise UsageError(f"{run} is the beginning of several runs: {ids}", "give more of it")
        return found[0]

    def list(self, limit: int = 50) -> list[RunRecord]:
        """Return the newest runs first, without their results."""
        rows = self.database.rows(f"{_SELECT} ORDER BY started DESC, id DESC LIMIT ?", (limit,))
        return [self._record(row) for row in rows]

    def list_running(self, project: Path) -> Sequence[RunRecord]:
        """List the runs of a project that are at work, or whose process was killed."""
        rows = self.database.rows(
            f"{_SELECT} WHERE project = ? AND outcome = ?", (str(project), RunOutcome.RUNNING)
        )
        return [self._record(row) for row in rows]

    def config(self, run: str) -> str:
        """Return the configuration that a run began with."""
        return str(self.database.rows("SELECT config FROM runs WHERE id = ?", (run,))[0][0])

    def _token(self, run: str) -> int:
        return int(self.database.rows("SELECT token FROM runs WHERE id = ?", (run,))[0][0])

    def _record(self, row: Row) -> RunRecord:
        identity, task, project, started, ended, outcome, process, *rest = row
        attempts, cost_usd, pruned, token = rest
        return RunRecord(
            id=identity,
            task=Task(task, Path(project)),
            started=datetime.fromisoformat(started),
            ended=datetime.fromisoformat(ended) if ended else None,
            outcome=RunOutcome(outcome),
            folder=folder_of_run(self.directory, identity),
            process=process,
            attempts=attempts,
            cost_usd=cost_usd,
            pruned=datetime.fromisoformat(pruned) if pruned else None,
            token=token,
        )
