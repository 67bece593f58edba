"""Check SQLite databases, as a program of its own: see `sqlite_inspection`.

    python -I sqlite_inspection_program.py DATABASE...

Prints a JSON object: the version of SQLite, and for each database whether it is sound and which
runs seem to be active. Only copies are opened: even a reader writes beside a database (its shared
memory, and a checkpoint when it closes), and nothing may change.
"""

import json
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

_TRIES = 3
_PROBLEMS = 3
"""Problems of a damaged database that are reported."""
_RUNNING = "SELECT id, project, host, process, process_started FROM runs WHERE outcome = 'running'"


def main() -> None:
    """Inspect each database that is named as an argument."""
    found = {path: inspect_database(path) for path in sys.argv[1:]}
    sys.stdout.write(json.dumps({"sqlite": sqlite3.sqlite_version, "databases": found}))


def inspect_database(path: str) -> dict[str, object]:
    """Return the problems of a database, and its active runs if it has a table of runs."""
    result: dict[str, object] = {}
    for _ in range(_TRIES):
        before = _describe_files(path)
        result = _inspect_copy(path)
        # A copy that was made while another process wrote may be torn: it proves nothing.
        is_settled = before == _describe_files(path)
        if is_settled or not result["problems"]:
            return result
    return {"problems": [], "runs": [], "busy": True}


def _describe_files(path: str) -> list[tuple[int, int]]:
    found = []
    for each in (path, f"{path}-wal"):
        try:
            status = Path(each).stat()
            found.append((status.st_size, status.st_mtime_ns))
        except OSError:
            found.append((-1, -1))
    return found


def _inspect_copy(path: str) -> dict[str, object]:
    try:
        with tempfile.TemporaryDirectory(prefix="orchestrator-doctor-") as folder:
            copy = f"{folder}/copy.db"
            shutil.copyfile(path, copy)
            if Path(f"{path}-wal").exists():
                shutil.copyfile(f"{path}-wal", f"{copy}-wal")
            return _inspect_file(copy)
    except OSError as error:
        return {"problems": [f"cannot be copied: {error.strerror}"], "runs": []}


def _inspect_file(copy: str) -> dict[str, object]:
    connection = None
    try:
        connection = sqlite3.connect(copy)
        rows = connection.execute(f"PRAGMA integrity_check({_PROBLEMS})").fetchall()
        problems = [str(row[0])[:200] for row in rows if row[0] != "ok"]
        tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'runs'"
        has_runs = connection.execute(tables).fetchone()
        runs = connection.execute(_RUNNING).fetchall() if has_runs and not problems else []
    except sqlite3.Error as error:
        return {"problems": [str(error)[:200]], "runs": []}
    finally:
        if connection:
            connection.close()
    return {"problems": problems, "runs": runs}


if __name__ == "__main__":
    main()
