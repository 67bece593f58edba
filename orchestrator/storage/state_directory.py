"""The state directory: what is where in it, and the errors when it cannot be used.

<state>/state.db             runs, attempts, rules, spending, events: see `schema.py`
<state>/dbos.sqlite          finished steps of runs that can go on
<state>/runs/<id>/           a run's large files: patches, the suite's output, the shadow index
<state>/worktrees/<id>/      the work tree of an isolated run
<state>/pinned/<rule>/       what a rule was learned from, complete
<state>/pending/<project>/   failures that are not taught yet
<state>/locks/               one lock per project and per rulebook file
<state>/rulebooks/           what we wrote last into each rulebook file
<state>/masking.key          makes the tags of secrets in the ids of cases
"""

import os
from pathlib import Path
from typing import Final

from orchestrator.errors import ConfigError, InfrastructureError
from orchestrator.masking import mask_text
from orchestrator.platform import files
from orchestrator.storage.location import LOCKS, STATE_VARIABLE, find_state_directory

URL_VARIABLE: Final = "ORCHESTRATOR_DATABASE_URL"
"""Names a Postgres database that takes the place of the files in the state directory.

A variable, and no key of a project's configuration: a repository does not choose where the record
of all of a user's runs goes.
"""

_POSTGRES: Final = ("postgresql://", "postgres://")
_KEY_BYTES: Final = 32


def resolve_state_directory() -> Path:
    """Return the state directory.

    Raises:
        InfrastructureError: nobody says where it is.
    """
    try:
        return Path(find_state_directory())
    except OSError as error:
        raise InfrastructureError(str(error), f"set HOME or {STATE_VARIABLE}") from error


def read_database_url() -> str:
    """Return the URL of the Postgres that keeps the record; empty where files do.

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
    """Make the state directory, for its owner alone.

    Raises:
        InfrastructureError: it cannot be made.
    """
    try:
        # One after the other: a mode is not for the parents that are made on the way.
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        locks_folder(state).mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise build_state_error(state, error) from error


def create_private_file(path: Path) -> None:
    """Make a file that its owner alone can read, if there is none.

    What SQLite puts beside a database has the modes of that. One that is there is not opened:
    whoever closes a database's file gives up all locks that this process has on it, and the next
    writer damages it (https://sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        InfrastructureError: it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise build_state_error(path.parent, error) from error


def locks_folder(state: Path) -> Path:
    """Return the folder of locks."""
    return state / LOCKS


def runs_folder(state: Path) -> Path:
    """Return the folder of the folders of runs."""
    return state / "runs"


def run_folder(state: Path, run: str) -> Path:
    """Return the folder of a run's large files."""
    return runs_folder(state) / run


def pins_folder(state: Path) -> Path:
    """Return the folder of what rules were learned from, each in one by its id."""
    return state / "pinned"


def worktrees_folder(state: Path) -> Path:
    """Return the folder of the work trees of isolated runs."""
    return state / "worktrees"


def worktree_folder(state: Path, run: str) -> Path:
    """Return the folder of an isolated run's work tree."""
    return worktrees_folder(state) / run


def build_state_error(state: Path, error: BaseException) -> InfrastructureError:
    """Return the error for a state directory that cannot be read or written, with the mend."""
    return InfrastructureError(
        f"the state directory {state} cannot be used: {error}",
        f"free space there, or set {STATE_VARIABLE}",
    )


def ensure_masking_key(state: Path) -> bytes:
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
        raise build_state_error(state, error) from error
