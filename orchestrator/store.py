"""What is known of runs: one SQLite file and a folder per run, in the platform's state directory.

<state>/runs.db              runs, and the finished steps of each
<state>/runs/<id>/           its large files: patches, the suite's output, the shadow index
<state>/locks/               one lock per project and per rulebook file
<state>/rulebooks/           what we wrote last into each rulebook file
<state>/masking.key          makes the tags of secrets in the ids of cases
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import platformdirs

from orchestrator import codec, files
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.models import EventRow, RunOutcome, RunRecord, RunResult, Task

STATE_VARIABLE: Final = "ORCHESTRATOR_STATE_DIR"
_KEY_BYTES: Final = 32
_EVENTS: Final = "events.jsonl"

_MIGRATIONS: Final = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        task TEXT NOT NULL,
        project TEXT NOT NULL,
        config TEXT NOT NULL,
        started TEXT NOT NULL,
        ended TEXT,
        outcome TEXT NOT NULL,
        result TEXT,
        process INTEGER NOT NULL
    );
    """,
)
"""Applied in order; `PRAGMA user_version` counts those that were."""


def state_directory() -> Path:
    """The state directory: `ORCHESTRATOR_STATE_DIR`, or where the platform keeps such things."""
    if chosen := os.environ.get(STATE_VARIABLE):
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_state_dir("prompt-learning-loop", appauthor=False))


def read_masking_key(state: Path) -> bytes:
    """Return the key that makes a secret's tag the same in all runs of this user.

    It is made when it is missing or damaged.

    Raises:
        InfrastructureError: it cannot be read or written.
    """
    path = state / "masking.key"
    try:
        if len(files.read_bytes(path, _KEY_BYTES + 1)) != _KEY_BYTES:
            files.write_file(path, os.urandom(_KEY_BYTES), 0o600)
        return path.read_bytes()  # another process may have made it at the same moment
    except OSError as error:
        raise unusable(state, error) from error


def new_id() -> str:
    """An id for a run that begins now."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def unusable(directory: Path, error: BaseException) -> InfrastructureError:
    """The error for a state directory that cannot be read or written, with the mend."""
    return InfrastructureError(
        f"the state directory {directory} cannot be used: {error}",
        f"free space there, or set {STATE_VARIABLE}",
    )


@contextmanager
def close_on_error(database: sqlite3.Connection) -> Iterator[None]:
    """Close a database that is being opened if the block raises: nobody owns it yet."""
    try:
        yield
    except BaseException:
        database.close()
        raise


class Store:
    """The runs of this user on this machine. Whoever opens one closes it, best by `with`.

    Raises:
        InfrastructureError: the state directory cannot be written, or is of a later version.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or state_directory()
        try:
            # One after the other: a mode is not for the parents that are made on the way.
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.locks.mkdir(exist_ok=True, mode=0o700)
            self._database = sqlite3.connect(
                self.directory / "runs.db", timeout=30, isolation_level=None
            )
            with close_on_error(self._database):
                self._migrate()
        except (OSError, sqlite3.Error) as error:
            raise unusable(self.directory, error) from error

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def locks(self) -> Path:
        """Where locks are kept."""
        return self.directory / "locks"

    def create(self, task: Task, config: str, identity: str | None = None) -> RunRecord:
        """Begin the record of a run; `config` is its configuration as text."""
        started = datetime.now(UTC)
        identity = identity or new_id()
        try:
            self._folder(identity).mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise unusable(self.directory, error) from error
        with self._transaction() as database:
            database.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, NULL, ?, NULL, ?)",
                (
                    identity,
                    task.text,
                    str(task.project),
                    config,
                    started.isoformat(),
                    RunOutcome.RUNNING,
                    os.getpid(),
                ),
            )
        return self.get(identity)

    def take_up(self, run: str) -> None:
        """Note that this process carries the run now."""
        self._update(run, outcome=RunOutcome.RUNNING, ended=None, process=os.getpid())

    def save(self, run: str, result: RunResult) -> None:
        """Keep how far a run has come."""
        over = None if result.outcome is RunOutcome.RUNNING else datetime.now(UTC).isoformat()
        self._update(run, outcome=result.outcome, ended=over, result=codec.dumps(result))

    def end(self, run: str, outcome: RunOutcome, message: str) -> RunResult:
        """End a run that was broken off, and give how far it has come."""
        so_far = self.get(run).result or RunResult(outcome)
        result = replace(so_far, outcome=outcome, message=message)
        self.save(run, result)
        return result

    def get(self, run: str) -> RunRecord:
        """Find a run by its id, the beginning of its id, or `last`.

        Raises:
            UsageError: there is none, or more than one.
        """
        if run == "last":
            found = self.list(limit=1)
        else:
            rows = self._database.execute(
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
        """The newest runs first."""
        rows = self._database.execute(
            f"{_SELECT} ORDER BY started DESC, rowid DESC LIMIT ?", (limit,)
        )
        return [self._record(row) for row in rows]

    def list_running(self, project: Path) -> Sequence[RunRecord]:
        """List the runs of a project that are at work, or whose process was killed."""
        rows = self._database.execute(
            f"{_SELECT} WHERE project = ? AND outcome = ?", (str(project), RunOutcome.RUNNING)
        )
        return [self._record(row) for row in rows]

    def config(self, run: str) -> str:
        """The configuration that a run began with."""
        row = self._database.execute("SELECT config FROM runs WHERE id = ?", (run,)).fetchone()
        return str(row[0])

    def append_event(self, run: str, attempt: int, at: str, kind: str, values: str) -> None:
        """Add an event at the end of a run's. May be called from several threads."""
        line = json.dumps([attempt, at, kind, values]) + "\n"
        try:
            with (self._folder(run) / _EVENTS).open("ab") as file:
                file.write(line.encode("ascii"))
        except OSError as error:
            raise unusable(self.directory, error) from error

    def list_events(self, run: str, after: int = 0) -> Sequence[EventRow]:
        """List a run's events with a number above `after`, in order."""
        try:
            lines = (self._folder(run) / _EVENTS).read_bytes().splitlines()
        except FileNotFoundError:
            return []  # a run of an earlier version
        except OSError as error:
            raise unusable(self.directory, error) from error
        rows = []
        for seq, line in enumerate(lines, 1):
            with suppress(ValueError):  # a full disk may have left half a line
                rows.append(EventRow(seq, *json.loads(line)))
        return [row for row in rows if row.seq > after]

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _folder(self, run: str) -> Path:
        return self.directory / "runs" / run

    def _record(
        self, row: tuple[str, str, str, str, str | None, str, str | None, int]
    ) -> RunRecord:
        identity, task, project, started, ended, outcome, result, process = row
        record = RunRecord(
            id=identity,
            task=Task(task, Path(project)),
            started=datetime.fromisoformat(started),
            ended=datetime.fromisoformat(ended) if ended else None,
            outcome=RunOutcome(outcome),
            folder=self._folder(identity),
            process=process,
        )
        return replace(record, result=codec.loads(result)) if result else record

    def _update(self, run: str, **values: str | int | None) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        with self._transaction() as database:
            sql = f"UPDATE runs SET {columns} WHERE id = :run"  # noqa: S608 -- our own names
            database.execute(sql, {**values, "run": run})

    def _migrate(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        with self._transaction() as database:
            done = int(database.execute("PRAGMA user_version").fetchone()[0])
            if done > len(_MIGRATIONS):
                raise InfrastructureError(
                    f"{self.directory} was written by a later version", "upgrade, or set another"
                )
            for script in _MIGRATIONS[done:]:
                for statement in filter(str.strip, script.split(";")):
                    database.execute(statement)
            database.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database
            self._database.commit()
        except BaseException as error:
            self._database.rollback()
            if isinstance(error, sqlite3.Error):
                raise unusable(self.directory, error) from error
            raise


_SELECT: Final = "SELECT id, task, project, started, ended, outcome, result, process FROM runs"
