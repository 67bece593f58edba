"""Check the state directory: that it can be written, its databases, and what killed runs left."""

import os
import shlex
import shutil
import stat
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError
from orchestrator.platform import files
from orchestrator.platform.liveness import is_running
from orchestrator.rulebook.files import finish_interrupted_writes
from orchestrator.services.doctor.results import (
    Check,
    Fault,
    Link,
    Repair,
    Status,
    fail,
    skip,
    succeed,
    warn,
)
from orchestrator.services.doctor.subject import Subject
from orchestrator.storage.engines import DATABASE as RECORD
from orchestrator.storage.engines import Postgres
from orchestrator.storage.location import STATE_VARIABLE
from orchestrator.storage.opening import open_database
from orchestrator.storage.sqlite_inspection import ActiveRun, DatabaseState, inspect_databases
from orchestrator.storage.state_directory import (
    URL_VARIABLE,
    create_state_folders,
    read_database_url,
    runs_folder,
    writes_folder,
)

_WORKFLOWS: Final = "dbos.sqlite"
_LEAST_BYTES: Final = 50_000_000
_FEW_BYTES: Final = 1_000_000_000
_SECONDS: Final = 60.0
_LONGEST_GIT_SECONDS: Final = 3600.0
"""Longer than any command of git may take here."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def check_state(subject: Subject) -> Iterator[Check]:
    """Check the state directory and all that is in it."""
    if subject.state is None:
        error = subject.state_error
        message, hint = (error.message, error.hint) if error else ("it is not known", "")
        yield fail(Link.STATE, message, hint, f"export {STATE_VARIABLE}=~/.orchestrator")
        return
    state = subject.state
    if not files.exists(state):
        yield _check_missing(state)
        return
    blocked = [each for each in (_check_access(state), _check_space(state)) if each]
    yield from blocked
    if any(each.status is Status.BROKEN for each in blocked):
        return
    yield from _check_database(state)
    yield from _check_leftovers(state)


def _check_missing(state: Path) -> Check:
    above = next(each for each in state.parents if files.exists(each))
    repair = Repair(f"create {state} for you alone", partial(create_state_folders, state))
    if not files.is_folder(above) or not _can_write(above):
        cause = f"{above} cannot be written"
        return fail(Link.STATE, f"{state} cannot be created", cause, _name_another_folder())
    return succeed(Link.STATE, f"{state} is created by the first run", repair)


def _check_access(state: Path) -> Check | None:
    if not files.is_folder(state):
        return fail(Link.STATE, f"{state} is not a folder", "", _name_another_folder())
    if not _can_write(state):
        owner = "the disk is read-only" if _is_read_only(state) else "it belongs to another user"
        return fail(Link.STATE, f"{state} cannot be written", owner, _name_another_folder())
    mode = stat.S_IMODE(state.stat().st_mode)
    if mode & _OTHERS:
        repair = Repair(f"take {state} from other users", partial(create_state_folders, state))
        return warn(
            Link.STATE,
            f"other users may look into {state}",
            f"its mode is {mode:o}",
            f"chmod -R go= {shlex.quote(str(state))}",
            repair,
        )
    return None


def _check_space(state: Path) -> Check | None:
    free = shutil.disk_usage(state).free
    if free >= _FEW_BYTES:
        return None
    text = f"{free // 1_000_000} MB are free for {state}"
    command = "orchestrator runs prune --older-than 30"
    if free < _LEAST_BYTES:
        return fail(Link.STATE, text, "a run stores patches and logs there", command)
    return warn(Link.STATE, text, "a run stores patches and logs there", command)


def _check_database(state: Path) -> Iterator[Check]:
    """Check the record of runs and the workflows: SQLite here, or Postgres."""
    try:
        url = read_database_url()
    except LoopError as error:
        yield fail(Link.STATE, error.message, error.hint, f"unset {URL_VARIABLE}",
                   Fault.CONFIGURATION)  # fmt: skip
        return
    if url:
        yield _check_postgres(url)
        return
    present = [state / name for name in (RECORD, _WORKFLOWS) if files.exists(state / name)]
    try:
        found = inspect_databases(present, _SECONDS)
    except LoopError as error:
        yield skip(Link.STATE, error.message)
        return
    for path, each in found.items():
        yield from _check_one_database(path, each)
    free = shutil.disk_usage(state).free / 1e9
    names = " and ".join(path.name for path in present) or "no database yet"
    if not any(each.problems or each.is_busy for each in found.values()):
        sound = f"{names} {'are' if len(present) > 1 else 'is'} sound" if present else names
        yield succeed(Link.STATE, f"{state}, {free:.0f} GB free, {sound}")


def _check_one_database(path: Path, found: DatabaseState) -> Iterator[Check]:
    if found.is_busy:
        yield skip(Link.STATE, f"{path.name} was not checked: other processes write to it")
    if found.problems:
        name = shlex.quote(str(path))
        yield fail(
            Link.STATE,
            f"{path.name} is damaged",
            "; ".join(found.problems),
            f"mv {name} {name}.damaged; rm -f {name}-wal {name}-shm",
        )
    for run in found.active_runs:
        yield _check_active_run(path.parent, run)


def _check_active_run(state: Path, run: ActiveRun) -> Check:
    if is_running(run.process, local=True):
        return succeed(Link.STATE, f"run {run.id} is active in {run.project}")

    def close_runs() -> None:
        open_database(state).close()  # whoever opens it closes the runs of dead processes

    return warn(
        Link.STATE,
        f"run {run.id} was killed",
        "its process is gone, and the record says that it is running",
        f"orchestrator resume {run.id}",
        Repair(f"record that run {run.id} was interrupted", close_runs),
    )


def _check_postgres(url: str) -> Check:
    try:
        engine = Postgres(url, durable=True)
        try:
            engine.execute("SELECT 1", ())
        finally:
            engine.close()
    except LoopError as error:
        return fail(Link.STATE, error.message, error.hint, f"unset {URL_VARIABLE}")
    return succeed(Link.STATE, f"the database of {URL_VARIABLE} answers")


def _check_leftovers(state: Path) -> Iterator[Check]:
    """Check what killed processes have left: writes that were cut short, locks of git."""
    if files.exists(writes_folder(state)) and files.list_folder(writes_folder(state)):
        yield warn(
            Link.STATE,
            "a write of an instruction file was cut short",
            "its process was killed",
            "orchestrator doctor --fix",
            Repair("complete the write", finish_interrupted_writes),
        )
    for lock in _list_git_locks(state):
        yield warn(
            Link.STATE,
            f"a lock of a dead process is left: {lock}",
            "a git command was killed",
            f"rm {shlex.quote(str(lock))}",
            Repair(f"remove {lock}", partial(lock.unlink, missing_ok=True)),
        )


def _list_git_locks(state: Path) -> list[Path]:
    """Return old locks in git's own folders of runs, if no run of this machine is active.

    Beside these, the folder of a run has copies of people's files, which may be called `uv.lock`.
    A young lock may be that of an undo, which is no run.
    """
    record = state / RECORD
    found = [lock for run in _list_runs(state) for lock in files.find_paths(run / "git", "*.lock")]
    locks = [lock for lock in found if _is_old(lock)]
    if not locks:
        return []
    if files.exists(record):
        runs = inspect_databases([record], _SECONDS)[record].active_runs
        if any(is_running(run.process, local=True) for run in runs):
            return []
    return locks


def _is_old(lock: Path) -> bool:
    try:
        return time.time() - lock.lstat().st_mtime > _LONGEST_GIT_SECONDS
    except OSError:  # it is gone
        return False


def _list_runs(state: Path) -> list[Path]:
    folder = runs_folder(state)
    return [Path(entry) for entry in files.list_folder(folder)] if files.exists(folder) else []


def _can_write(folder: Path) -> bool:
    effective = os.access in os.supports_effective_ids
    is_allowed = os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)
    return is_allowed and not _is_read_only(folder)


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _name_another_folder() -> str:
    return f"export {STATE_VARIABLE}=/path/to/a/folder"
