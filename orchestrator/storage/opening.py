"""Open the database of all runs: create or migrate its tables, import what older versions stored.

Whoever opens it also ends what killed runs have left running.

Above `database` and `earlier_versions`, which know nothing of each other's callers: everybody who
needs the database opens it here.
"""

import time
from pathlib import Path

from orchestrator.errors import InfrastructureError
from orchestrator.storage import schema
from orchestrator.storage.database import Database


def open_database(directory: Path, url: str | None = None, *, durable: bool = True) -> Database:
    """Open the database with its tables up to date. The caller closes it, best by `with`.

    Args:
        directory: the state directory.
        url: the URL of a Postgres database; the value of `ORCHESTRATOR_DATABASE_URL` if None, and
            SQLite in the state directory if that is empty.
        durable: whether a commit survives a power failure, and not only the end of the process.

    Raises:
        InfrastructureError: it cannot be used, or was written by a later version.
    """
    database = Database(directory, url, durable=durable)
    try:
        _migrate_schema(database)
        if durable:  # the other connection is a second one of the same process
            _close_killed_runs(database)
    except BaseException:
        database.close()  # the caller never gets it
        raise
    return database


def _migrate_schema(database: Database) -> None:
    # Without a transaction first: a process that only reads must not wait for a writer.
    if _read_version(database) == len(schema.MIGRATIONS):
        return
    is_new = _run_migrations(database)
    if is_new and database.is_local:
        # pydantic, which this imports, is loaded only where it is needed: once per installation.
        from orchestrator.storage.earlier_versions import archive_earlier_files

        archive_earlier_files(database)


def _close_killed_runs(database: Database) -> None:
    # The string of RunOutcome.RUNNING: its module is slow to import, and mostly no run is active.
    # With a condition on `project` the index `runs_of_a_project` answers: 0.4 instead of 15 ms
    # with 5,000 runs.
    query = "SELECT id FROM runs WHERE project >= '' AND outcome = 'running' LIMIT 1"
    if database.fetch_rows(query):
        from orchestrator.storage.killed_runs import close_killed_runs

        close_killed_runs(database)


def _run_migrations(database: Database) -> bool:
    """Run the missing migrations in one transaction; return whether the database was empty.

    Data of earlier versions is imported in the same transaction that creates the tables: a process
    that is killed on the way leaves no tables, and so the next one imports everything.
    """
    with database.transaction():
        done = _read_version(database)  # again: another process may have migrated it by now
        if done > len(schema.MIGRATIONS):
            raise InfrastructureError(
                f"{database.directory} was written by a later version of orchestrator",
                "upgrade orchestrator, or set another state directory",
            )
        database.run_script(
            "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER, at {real})"
        )
        for script in schema.MIGRATIONS[done:]:
            database.run_script(script)
        if not done and database.is_local:
            from orchestrator.storage.earlier_versions import import_earlier_data

            import_earlier_data(database)
        database.write("DELETE FROM schema_version")
        database.write(
            "INSERT INTO schema_version VALUES (?, ?)", (len(schema.MIGRATIONS), time.time())
        )
    return not done


def _read_version(database: Database) -> int:
    """Return how many migrations the database has had; 0 for a new one."""
    if not database.has_table("schema_version"):
        return 0
    rows = database.fetch_rows("SELECT version FROM schema_version")
    with database.explain_damage():
        return int(rows[0][0]) if rows else 0
