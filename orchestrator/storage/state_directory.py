"""Name what is in the state directory, and explain why it cannot be used.

<state>/state.db             runs, attempts, rules, spending, events: see `schema.py`
<state>/dbos.sqlite          finished steps of runs that can be resumed
<state>/runs/<id>/           a run's large files: patches, the suite's output, the shadow index
<state>/worktrees/<id>/      the work tree of an isolated run
<state>/lists/<id>/          a task list: its repository, its lanes, patches
<state>/workers/<n>/         a worker of this machine: its repositories and lanes, by list
<state>/pinned/<rule>/       the complete project that a rule was learned from
<state>/pending/<project>/   failures that have not been taught yet
<state>/locks/               one lock per project and per rulebook file
<state>/rulebooks/           the content last written to each rulebook file
<state>/trusted.json         settings of projects that the user has trusted
<state>/commits/             approved rules whose commit is not made yet
<state>/writes/              the content of files that are being written in place
<state>/transcripts/         copies of Claude Code's transcripts, compressed; they may hold secrets
<state>/reviews/             the reports of reviews of past sessions
<state>/masking.key          key for the tags that replace secrets in the ids of cases
"""

import os
from pathlib import Path
from typing import Final

from orchestrator.errors import ConfigError, InfrastructureError
from orchestrator.masking import mask_text
from orchestrator.platform import files
from orchestrator.platform.private_folders import restrict_to_owner
from orchestrator.storage.location import (
    LOCKS,
    STATE_VARIABLE,
    create_state_folder,
    find_state_directory,
)

URL_VARIABLE: Final = "ORCHESTRATOR_DATABASE_URL"
"""Environment variable with the URL of a Postgres database, to use instead of SQLite.

Not a key of the configuration: a repository must not choose where the runs of all of a user's
projects are stored.
"""

_POSTGRES: Final = ("postgresql://", "postgres://")
_KEY_BYTES: Final = 32
_LANE_DEPTH: Final = 3
"""Folders from that of all lists to the top of a lane."""


def resolve_state_directory() -> Path:
    """Return the state directory.

    Raises:
        InfrastructureError: it is not configured, and there is no home directory.
    """
    try:
        return Path(find_state_directory())
    except OSError as error:
        raise InfrastructureError(str(error), f"set HOME or {STATE_VARIABLE}") from error


def read_database_url() -> str:
    """Return the URL of the Postgres database; empty if SQLite is used.

    Raises:
        ConfigError: the variable names a database of another kind.
    """
    chosen = os.environ.get(URL_VARIABLE, "")
    if chosen and not chosen.startswith(_POSTGRES):
        raise ConfigError(
            f"environment {URL_VARIABLE}: "
            f"`{mask_text(chosen)}` is not the URL of a Postgres database",
            "write it as postgresql://user@host/name, or unset it to use the state directory",
        )
    return chosen


def create_state_folders(state: Path) -> None:
    """Create the state directory for its owner alone, and correct modes that let others read it.

    Those of its databases and folders are corrected, which protects what is in the folders.

    Raises:
        InfrastructureError: it cannot be created.
    """
    try:
        create_state_folder(LOCKS, state=state)
        for entry in files.list_folder(state):
            restrict_to_owner(entry)
    except OSError as error:
        raise build_state_error(state, error) from error


def create_private_file(path: Path) -> None:
    """Create a file that its owner alone can read, if it does not exist.

    SQLite gives the files that it puts beside a database the mode of the database.

    Raises:
        InfrastructureError: it cannot be created.
    """
    try:
        # O_EXCL, so that an existing database is not even opened. When a process closes any
        # descriptor of a file, it loses all its POSIX locks on that file, also those that SQLite
        # holds through another descriptor; then two writers damage the database
        # (https://sqlite.org/howtocorrupt.html, section 2.2).
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise build_state_error(path.parent, error) from error


def locks_folder(state: Path) -> Path:
    """Return the folder of the lock files."""
    return state / LOCKS


def runs_folder(state: Path) -> Path:
    """Return the folder that contains a folder for each run."""
    return state / "runs"


def run_folder(state: Path, run: str) -> Path:
    """Return the folder of a run's large files."""
    return runs_folder(state) / run


def pins_folder(state: Path) -> Path:
    """Return the folder that contains, by a rule's id, the project that it was learned from."""
    return state / "pinned"


def worktrees_folder(state: Path) -> Path:
    """Return the folder of the work trees of isolated runs."""
    return state / "worktrees"


def commits_folder(state: Path) -> Path:
    """Return the folder of the notes about commits of approved rules."""
    return state / "commits"


def writes_folder(state: Path) -> Path:
    """Return the folder of the notes about files that are being written in place."""
    return state / "writes"


def transcripts_folder(state: Path) -> Path:
    """Return the folder of the copies of transcripts."""
    return state / "transcripts"


def reviews_folder(state: Path) -> Path:
    """Return the folder of the reports of reviews."""
    return state / "reviews"


def worktree_folder(state: Path, run: str) -> Path:
    """Return the folder of an isolated run's work tree."""
    return worktrees_folder(state) / run


def lists_folder(state: Path) -> Path:
    """Return the folder that contains a folder for each task list."""
    return state / "lists"


def list_folder(state: Path, identity: str) -> Path:
    """Return the folder of a task list: `repository.git`, `lanes/<number>`, `judge`, `patches`."""
    return lists_folder(state) / identity


def workers_folder(state: Path) -> Path:
    """Return the folder that contains a folder for each worker of this machine."""
    return state / "workers"


def find_list_of_lane(state: Path, lane: Path) -> str:
    """Return the id of the task list that a lane belongs to; empty if the folder is no lane."""
    above, parts = _split_lane(state, lane)
    return parts[0] if above else ""


def find_lane_top(state: Path, lane: Path) -> Path:
    """Return the top of a lane's work tree, from its project's folder, which may lie below it.

    `<list>/lanes/<number>`; a folder that is no lane is returned as it is.
    """
    above, parts = _split_lane(state, lane)
    return above.joinpath(*parts[:_LANE_DEPTH]) if above and len(parts) >= _LANE_DEPTH else lane


def _split_lane(state: Path, lane: Path) -> tuple[Path | None, tuple[str, ...]]:
    """Split the folder of a lane: what has the folders of lists, and the path from there.

    That is `<state>/lists`, or `<state>/workers/<number>`.
    """
    for above, depth in ((lists_folder(state), 0), (workers_folder(state), 1)):
        if above in lane.parents and len(parts := lane.relative_to(above).parts) > depth:
            return above.joinpath(*parts[:depth]), parts[depth:]
    return None, ()


def build_state_error(state: Path, error: BaseException) -> InfrastructureError:
    """Return the error for a state directory that cannot be read or written."""
    return InfrastructureError(
        f"the state directory {state} cannot be used: {error}",
        f"free space there, or set {STATE_VARIABLE}",
    )


def build_damage_error(database: Path, error: BaseException) -> InfrastructureError:
    """Return the error for a SQLite database that is damaged, or is not one of this program."""
    return InfrastructureError(
        f"{database} cannot be used: {' '.join(str(error).split())}",
        # With the log: SQLite would apply it to the database that is created next.
        f"restore it from a backup, or move {database.name} and {database.name}-* away",
    )


def ensure_masking_key(state: Path) -> bytes:
    """Return the key by which a secret gets the same tag in all runs of this user.

    A missing or damaged key is replaced by a new one.

    Raises:
        InfrastructureError: it cannot be read or written.
    """
    path = state / "masking.key"
    try:
        if len(files.read_bytes(path, _KEY_BYTES + 1)) != _KEY_BYTES:
            files.write_file(path, os.urandom(_KEY_BYTES), 0o600)
        return path.read_bytes()  # another process may have written a key at the same moment
    except OSError as error:
        raise build_state_error(state, error) from error
