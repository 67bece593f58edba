"""Every command, on a database that is damaged: one line, exit code 3, CLAUDE.md as it was."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.journal.database import DATABASE as WORKFLOWS
from orchestrator.storage.engines import DATABASE
from orchestrator.storage.state_directory import resolve_state_directory
from tests.cli.conftest import (
    TASK,
    Call,
    CommandResult,
    Shop,
    start_command,
    wait_for_result,
)

pytestmark = pytest.mark.usefixtures("teacher")

PAGE = 4096

READING = (
    ("runs",),
    ("runs", "--json"),
    ("runs", "show", "last"),
    ("runs", "events", "last"),
    ("runs", "prune", "--older-than", "1"),
    ("rules", "list"),
    ("rules", "why", "r-1"),
    ("rules", "pending"),
    ("resume", "last"),
)
WRITING = (
    ("rules", "add", "--rule", "Name tests by behaviour.", "--when", "a test is new"),
    ("rules", "retire", "r-1"),
    ("run", TASK),
    ("report-failure", "--failure-type", "other", "--description", "It broke."),
)
PROJECT_COMMANDS = ("run", "report-failure", "rules")


def replace_bytes(path: Path, start: int, end: int | None = None) -> None:
    """Overwrite a part of a file with bytes that mean nothing."""
    data = bytearray(path.read_bytes())
    last = len(data) if end is None else min(end, len(data))
    data[start:last] = b"\xa5" * (last - start)
    path.write_bytes(data)


def execute(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def put_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def tables_of_another_program(path: Path) -> None:
    path.unlink()
    execute(path, "CREATE TABLE runs (a); CREATE TABLE rules (a)")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "all but the header": lambda path: replace_bytes(path, 100),
    "all but the first page": lambda path: replace_bytes(path, PAGE),
    "cut in two": lambda path: os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE),
    "no database": lambda path: path.write_text("hello " * 2_000),
    "a folder": put_folder,
    "another program's": tables_of_another_program,
    "a later version": lambda path: execute(path, "UPDATE schema_version SET version = 999"),
    "no version": lambda path: execute(path, "UPDATE schema_version SET version = NULL"),
    "a wrong version": lambda path: execute(path, "UPDATE schema_version SET version = 'x'"),
    "tables are missing": lambda path: execute(path, "DROP TABLE runs; DROP TABLE rules"),
}
"""What nobody can work with; each leaves the first page or the name as it is."""

VALUES = {
    "started": "UPDATE runs SET started = 'yesterday'",
    "ended": "UPDATE runs SET ended = 'soon'",
    "cost": "DELETE FROM spending; UPDATE runs SET cost_usd = 'much'",
    "attempts": "UPDATE runs SET attempts = 'some'",
    "outcome": "UPDATE runs SET outcome = 'fine'",
    "a result's bytes": "UPDATE results SET result = x'00ff'",
    "a result's text": "UPDATE results SET result = 'none'",
    "an event's time": "UPDATE events SET at = 'noon'",
    "origin": "UPDATE rules SET origin = '{'",
    "proposal": "UPDATE rules SET proposal = '[1]'",
    "paths": "UPDATE rules SET paths = 7",
    "status": "UPDATE rules SET status = 'nice'",
    "learned": "UPDATE rules SET learned = ''",
    "config": "UPDATE runs SET config = '{', outcome = 'stopped'",
    "text that is not UTF-8": "UPDATE runs SET task = CAST(x'ff41fe' AS TEXT)",
    "bytes": "UPDATE runs SET task = x'00', project = x'ff'",
}
"""Values that SQLite returns as they are: it checks no types."""
HARMLESS = ("text that is not UTF-8",)
"""Those that every command may be able to show."""


@pytest.fixture
def state(call: Call, shop: Shop, tmp_path: Path) -> Path:
    """A state directory after a run that learned a rule, with a copy of it beside."""
    assert call("run", TASK, "--project-dir", shop.project).code == 0
    folder = resolve_state_directory()
    execute(folder / DATABASE, "UPDATE rules SET id = 'r-1'; PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(folder, tmp_path / "whole")
    return folder


def restore_state(state: Path, tmp_path: Path) -> None:
    shutil.rmtree(state)
    shutil.copytree(tmp_path / "whole", state)


def call_in(call: Call, shop: Shop, command: tuple[str, ...]) -> CommandResult:
    """Call a command for the project, and check that an error is one line."""
    own = ("--project-dir", shop.project) if command[0] in PROJECT_COMMANDS else ()
    done = call(*command, *own)
    assert done.code in (0, 1, 2, 3), (command, done.output)
    if done.code == 3:
        assert done.err.startswith("orchestrator: ")
        assert len(done.err.splitlines()) == 1
    return done


def test_damaged_database_is_one_line(call: Call, shop: Shop, state: Path, tmp_path: Path) -> None:
    """No command works without the record, and none changes CLAUDE.md."""
    instructions = shop.rulebook
    for name, damage in DAMAGES.items():
        for command in (*READING, *WRITING):
            restore_state(state, tmp_path)
            damage(state / DATABASE)
            assert call_in(call, shop, command).code == 3, (name, command)
            assert shop.rulebook == instructions, (name, command)


def test_damaged_value_is_one_line(call: Call, shop: Shop, state: Path, tmp_path: Path) -> None:
    """At least one command reads the value and ends with 3; the others work."""
    for name, statement in VALUES.items():
        restore_state(state, tmp_path)
        execute(state / DATABASE, statement)
        codes = {call_in(call, shop, command).code for command in READING}
        assert 3 in codes or name in HARMLESS, name


def test_damaged_log_is_one_line_or_ignored(
    call: Call, shop: Shop, state: Path, tmp_path: Path
) -> None:
    """SQLite ignores a log that is not the database's, unless it is a folder."""
    for name in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
        for damage in (lambda path: path.write_bytes(b"\xa5" * 40_000), put_folder):
            restore_state(state, tmp_path)
            damage(state / name)
            for command in READING:
                call_in(call, shop, command)


@pytest.mark.parametrize("damage", ["no database", "a folder", "all but the first page"])
def test_damaged_workflows_are_one_line(call: Call, shop: Shop, state: Path, damage: str) -> None:
    """Only what runs or resumes needs the database of workflows."""
    execute(state / WORKFLOWS, "PRAGMA wal_checkpoint(TRUNCATE)")
    for end in ("-wal", "-shm"):  # DBOS in this process still has it open
        state.joinpath(WORKFLOWS + end).unlink(missing_ok=True)
    DAMAGES[damage](state / WORKFLOWS)
    instructions = shop.rulebook
    done = wait_for_result(start_command("run", TASK, "--project-dir", shop.project))
    assert done.code == 3
    assert len([line for line in done.err.splitlines() if line.startswith("orchestrator: ")]) == 1
    assert "Traceback" not in done.err
    assert str(state) in done.err
    assert shop.rulebook == instructions
    assert call("runs").code == 0
    assert call("rules", "list", "--project-dir", shop.project).code == 0


def test_empty_database_is_a_new_one(call: Call, shop: Shop, state: Path) -> None:
    """A file of no bytes is what SQLite creates before the first table."""
    (state / DATABASE).write_bytes(b"")
    assert call("runs").code == 0
    assert call("rules", "list", "--project-dir", shop.project).code == 0
