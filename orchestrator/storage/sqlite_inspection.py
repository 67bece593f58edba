"""Check SQLite databases without changing or locking them.

Another process does it, on copies. When a process closes any descriptor of a database that it has
open elsewhere, it loses its locks on it (https://sqlite.org/howtocorrupt.html, section 2.2), so
not even a copy is made in this one.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform.liveness import ProcessMark
from orchestrator.platform.process import capture
from orchestrator.platform.watchdog import EndReason
from orchestrator.storage import sqlite_inspection_program

_PROGRAM: Final = Path(sqlite_inspection_program.__file__)


@dataclass(frozen=True)
class ActiveRun:
    """A run that is recorded as active."""

    id: str
    project: str
    process: ProcessMark


@dataclass(frozen=True)
class DatabaseState:
    """What was found about a database."""

    problems: tuple[str, ...] = ()
    """What is damaged; empty if it is sound."""
    active_runs: tuple[ActiveRun, ...] = ()
    is_busy: bool = False
    """Whether other processes wrote all the time, so that nothing is known."""


def read_sqlite_version() -> str:
    """Return the version of SQLite that this Python has."""
    return str(_run_program((), 20.0)["sqlite"])


def inspect_databases(paths: Sequence[Path], seconds: float) -> dict[Path, DatabaseState]:
    """Return the state of each database; nothing is changed.

    Args:
        paths: the files.
        seconds: the time limit for all of them.

    Raises:
        InfrastructureError: it takes too long, or the check itself fails.
    """
    found = _run_program([str(path) for path in paths], seconds)["databases"]
    return {path: _build_state(found[str(path)]) for path in paths}


def _run_program(arguments: Sequence[str], seconds: float) -> dict[str, Any]:
    argv = [sys.executable, "-I", str(_PROGRAM), *arguments]
    done = capture(argv, cwd=Path("/"), timeout=seconds)
    if done.ended_by is not EndReason.ITSELF:
        raise InfrastructureError(f"checking the databases takes longer than {seconds:g} s")
    try:
        return dict(json.loads(done.stdout))
    except (ValueError, RecursionError):
        last = done.text.strip().splitlines()[-1:] or ["no output"]
        raise InfrastructureError(f"the databases cannot be checked: {last[0][:200]}") from None


def _build_state(found: dict[str, Any]) -> DatabaseState:
    runs = tuple(
        ActiveRun(str(run), str(project), ProcessMark(str(host), int(pid), float(started)))
        for run, project, host, pid, started in found["runs"]
    )
    return DatabaseState(tuple(map(str, found["problems"])), runs, bool(found.get("busy")))
