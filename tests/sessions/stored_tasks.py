"""Rows of sessions, tasks and runs, as they are stored."""

from datetime import datetime, timedelta
from typing import Any

from orchestrator.storage.database import Database


def insert(database: Database, table: str, **values: Any) -> None:
    """Insert one row."""
    marks = ", ".join("?" * len(values))
    database.write(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})",  # noqa: S608 -- the tests' own
        list(values.values()),
    )


def store_session(
    database: Database,
    project: str,
    started: datetime,
    *tasks: dict[str, Any],
    kind: str = "human",
    name: str = "",
) -> str:
    """Store a session with its tasks, which begin ten minutes after each other; return its id."""
    name = name or f"s-{project}-{started.isoformat()}-{kind}"
    times = {"started": started.isoformat(), "ended": (started + timedelta(hours=1)).isoformat()}
    row = {"family": name, "id": name, "class": kind, "project": project, "folder": project}
    insert(database, "sessions", **row, **times)
    for number, task in enumerate(tasks, 1):
        began = (started + timedelta(minutes=10 * (number - 1))).isoformat()
        values = {"tool_calls": 10, "version": "2.1.41", "model": "opus", "seconds": 60.0, **task}
        insert(
            database,
            "session_tasks",
            family=name,
            session=name,
            number=number,
            started=began,
            ended=began,
            **values,
        )
    return name


def store_run(
    database: Database, project: str, started: datetime, *solved: bool, cost: float = 0.5
) -> str:
    """Store a run with an attempt for each verdict, the baseline before them; return its id."""
    name = f"r-{project}-{started.isoformat()}"
    insert(
        database,
        "runs",
        id=name,
        task="t",
        project=project,
        config="{}",
        started=started.isoformat(),
        ended=(started + timedelta(minutes=5)).isoformat(),
        outcome="solved" if solved[-1] else "not solved",
        attempts=len(solved),
        cost_usd=cost,
        tokens=1000,
        process=1,
        process_started=0.0,
        format="1",
    )
    for number, verdict in enumerate((False, *solved)):
        insert(
            database,
            "attempts",
            run=name,
            number=number,
            at=started.isoformat(),
            model="sonnet",
            program_version="2.1.300",
            verdict="solved" if verdict else "own failure",
            solved=int(verdict),
        )
        insert(
            database,
            "suites",
            run=name,
            attempt=number,
            outcome="passed" if verdict else "failed",
            passed=1,
            failed=0,
            errors=0,
            skipped=0,
            exit_code=0,
            seconds=1.0,
        )
    return name


GREEN = {"edits": 1, "suite_runs": 1, "resolved": 1, "first_green": 1}
RED_RED_GREEN = {"edits": 2, "suite_runs": 3, "red_runs": 2, "resolved": 1, "first_green": 0}
OPEN = {"edits": 1, "suite_runs": 1, "red_runs": 1, "resolved": 0, "first_green": 0}
NO_TEST = {"edits": 1}
REJECTED = {"rejections": 1, "corrections": 1}
