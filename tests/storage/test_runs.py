"""The store: runs are found again, steps are done once, and versions are told apart."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from orchestrator.errors import InfrastructureError, LostRunError, UsageError
from orchestrator.models import RunOutcome, RunResult, Task
from orchestrator.models.fingerprints import compute_fingerprint
from orchestrator.storage import schema
from orchestrator.storage.listing import list_summaries
from orchestrator.storage.opening import open_database
from orchestrator.storage.runs import RUN_FORMAT, Store
from orchestrator.storage.state_directory import resolve_state_directory
from tests.storage.results import make_result


@pytest.fixture
def store(tmp_path: Path, each_database: str) -> Iterator[Store]:
    with Store(tmp_path / "state") as store:
        yield store


def test_a_run_is_found_by_id_by_its_beginning_and_as_the_last(store: Store) -> None:
    first = store.create_run(Task("one", Path("/p")), "{}")
    second = store.create_run(Task("two", Path("/p")), "{}")
    assert store.load_run(first.id) == first
    assert store.load_run(first.id[:-1]).id == first.id or first.id[:-1] == second.id[:-1]
    assert store.load_run("last").id == second.id
    assert [record.id for record in store.list_runs()] == [second.id, first.id]
    assert first.folder.is_dir()


def test_the_last_run_of_a_person_is_none_of_a_task_list(store: Store, tmp_path: Path) -> None:
    project = tmp_path.resolve()
    lane = store.create_run(Task("in a lane", project), "{}", lane=tmp_path / "lanes/1")
    with pytest.raises(UsageError, match="there is no run yet"):
        store.find_run("last", project, in_lanes=False)
    own = store.create_run(Task("own", project), "{}")
    later = store.create_run(Task("in a lane", project), "{}", lane=tmp_path / "lanes/1")
    assert store.find_run("last", project).id == later.id
    assert store.find_run("last", project, in_lanes=False).id == own.id
    assert store.find_run("last", in_lanes=False).id == own.id
    assert store.find_run(lane.id, project, in_lanes=False).id == lane.id, "it is named"
    assert [each.id for each in store.list_runs(in_lanes=False)] == [own.id]


def test_what_is_not_there_or_not_clear_is_said(store: Store) -> None:
    with pytest.raises(UsageError, match="there is no run yet"):
        store.load_run("last")
    store.create_run(Task("one", Path("/p")), "{}")
    store.create_run(Task("two", Path("/p")), "{}")
    with pytest.raises(UsageError, match="several run ids begin with"):
        store.load_run("2")
    with pytest.raises(UsageError, match="no run %"):
        store.load_run("%")


def test_a_result_comes_back_as_it_was(store: Store) -> None:
    run = store.create_run(Task("täsk", Path("/p")), "{}").id
    result = RunResult(RunOutcome.STOPPED, message="why")
    store.save_result(run, result, store.claim_run(run))
    with Store(store.directory) as again:
        record = again.load_run(run)
    assert record.result == result
    assert record.outcome is RunOutcome.STOPPED
    assert record.ended is not None


def test_a_later_version_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as database, database:
        database.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(InfrastructureError, match="later version"):
        Store(tmp_path)


def test_the_first_tables_get_the_later_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        with open_database(tmp_path) as database:
            database.write(
                "INSERT INTO runs (id, task, project, config, started, outcome, process,"
                " process_started, format) VALUES ('r', 't', '/p', '{}', ?, 'paused', 1, 0, ?)",
                (datetime.now(UTC).isoformat(), RUN_FORMAT),
            )
    with Store(tmp_path) as store:
        assert store.load_run("r").is_resumable
        assert store.list_resumable() == {"r"}


def test_an_undone_run_cannot_be_resumed(store: Store) -> None:
    run = store.create_run(Task("one", Path("/p")), "{}").id
    store.save_result(run, RunResult(RunOutcome.PAUSED), store.claim_run(run))
    assert store.load_run(run).is_resumable
    store.record_undo(run)
    record = store.load_run(run)
    assert record.undone
    assert not record.is_resumable
    assert store.list_resumable() == set()
    for resume in (store.require_resumable, store.claim_run):
        with pytest.raises(UsageError, match=f"run {run} was undone \\(start a new run\\)"):
            resume(run)


def test_a_state_directory_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InfrastructureError, match="cannot be used"):
        Store(tmp_path / "file" / "state")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "state.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(InfrastructureError, match="cannot be used"):
        Store(tmp_path / "broken")


def test_the_state_directory_is_private_and_can_be_chosen(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home in resolve_state_directory().parents
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "here"))
    assert resolve_state_directory() == tmp_path / "here"
    with Store() as store:
        run = store.create_run(Task("secret", Path("/p")), "{}")
    assert run.folder.stat().st_mode & 0o077 == 0
    assert run.process == os.getpid()


def test_nobody_else_can_look_into_the_state_directory(tmp_path: Path) -> None:
    Store(tmp_path / "made" / "state").close()
    assert (tmp_path / "made" / "state").stat().st_mode & 0o077 == 0


def test_what_an_attempt_did_can_be_asked(store: Store) -> None:
    run = store.create_run(Task("one", Path("/p")), "{}").id
    for _ in range(2):  # saving again replaces
        store.save_result(run, make_result(RunOutcome.NOT_SOLVED), 0)
    database = store.database
    assert database.fetch_rows("SELECT outcome, attempts, cost_usd, tokens FROM runs") == [
        ("not solved", 1, 0.25, 120)
    ]
    assert database.fetch_rows(
        "SELECT number, agent, model, program_version, outcome, verdict, turns, tokens, seconds,"
        " tree_before, tree_after FROM attempts"
    ) == [
        (
            *(1, "claude_code", "claude-opus-5-5", "2.1.332", "completed", "own failure", 3),
            *(120, 2.0, "a" * 40, "b" * 40),
        )
    ]
    assert database.fetch_rows(
        "SELECT attempt, outcome, passed, failed, errors, skipped, exit_code FROM suites"
        " ORDER BY attempt"
    ) == [(0, "failed", 1, 1, 0, 0, 1), (1, "failed", 1, 0, 1, 1, 1)]
    assert database.fetch_rows(
        "SELECT path, status, added, removed FROM changed_paths ORDER BY path"
    ) == [("a.py", "M", 3, 1), ("b.bin", "A", None, None)]
    ((case, verdict, mark, message),) = database.fetch_rows(
        "SELECT id, verdict, fingerprint, message FROM failed_cases"
    )
    assert (case, verdict, message) == ("t::b", "own failure", "  ValueError: 7 of 9")
    assert mark == compute_fingerprint("pytest", [("t::b", "  ValueError: 7 of 9")])
    assert database.fetch_rows("SELECT kind, place, decisive FROM findings") == [
        ("test edited", "tests/test_a.py", 0)
    ]


def test_threads_write_side_by_side(store: Store) -> None:
    runs = [store.create_run(Task(str(number), Path("/p")), "{}").id for number in range(4)]

    def work(run: str) -> None:
        for _ in range(10):
            store.save_result(run, make_result(), 0)
            store.events.append_event(run, 1, "2026-11-27T00:00:00+00:00", "notice", "{}")
            assert store.load_run(run).result == make_result()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, runs))
    for run in runs:
        positions = [event.seq for event in store.events.list_events(run)]
        assert positions == list(range(1, 11))


def test_only_the_present_owner_of_a_run_writes_its_record(store: Store) -> None:
    run = store.create_run(Task("one", Path("/p")), "{}").id
    assert store.read_token(run) == 0
    first = store.claim_run(run)
    store.require_owner(run, first)
    with Store(store.directory) as elsewhere:
        second = elsewhere.claim_run(run)
    assert (first, second) == (1, 2)
    for write in (
        lambda: store.require_owner(run, first),
        lambda: store.save_result(run, RunResult(RunOutcome.SOLVED), first),
        lambda: store.end_run(run, RunOutcome.STOPPED, "late", first),
    ):
        with pytest.raises(LostRunError, match=f"another process has taken over run {run}"):
            write()
    assert store.load_run(run).outcome is RunOutcome.RUNNING
    store.save_result(run, RunResult(RunOutcome.SOLVED), second)
    assert store.load_run(run).outcome is RunOutcome.SOLVED


def test_a_run_that_nobody_took_up_is_forgotten_and_another_is_not(store: Store) -> None:
    forgotten, kept = (store.create_run(Task(name, Path("/p")), "{}") for name in "ab")
    store.claim_run(kept.id)
    for record in (forgotten, kept):
        store.discard_run(record.id)
    assert [record.id for record in store.list_runs()] == [kept.id]
    assert (forgotten.folder.exists(), kept.folder.exists()) == (False, True)


def test_what_is_no_text_is_stored_all_the_same(store: Store) -> None:
    run = store.create_run(Task("a\udcffb\0c", Path("/p")), "{}").id
    assert store.load_run(run).task.text == "a\ufffdbc"


def test_a_block_that_fails_writes_nothing_and_the_next_one_does(store: Store) -> None:
    run = store.create_run(Task("one", Path("/p")), "{}").id

    def save_and_fail() -> None:
        with store.database.transaction():
            store.save_result(run, make_result(), 0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        save_and_fail()
    assert store.load_run(run).result is None
    store.save_result(run, make_result(), 0)
    assert store.load_run(run).result == make_result()


def test_every_failure_of_the_database_is_one_line(store: Store, each_database: str) -> None:
    store.create_run(Task("one", Path("/p")), "{}")
    for table in ("events", "results", "runs"):
        store.database.write(f"DROP TABLE {table}")
    calls: list[Callable[[], object]] = [
        lambda: store.create_run(Task("two", Path("/p")), "{}"),
        lambda: store.save_result("x", make_result(), 0),
        lambda: store.load_run("last"),
        lambda: store.find_run("2"),
        store.list_runs,
        lambda: store.read_config("x"),
        lambda: store.claim_run("x"),
        lambda: store.events.list_events("x"),
        lambda: store.events.append_event("x", 1, "", "", ""),
    ]
    for call in calls:
        with pytest.raises(InfrastructureError, match="cannot be used") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_list_reads_no_result(store: Store) -> None:
    run = store.create_run(Task("one", Path("/p")), "{}").id
    store.save_result(run, make_result(), 0)
    store.database.write("UPDATE results SET result = ?", (b"no result",))
    (summary,) = list_summaries(store.database, 10)
    assert (summary.id, summary.attempts, summary.cost_usd) == (run, 1, 0.25)
    assert [record.result for record in store.list_runs()] == [None]


def test_a_later_version_is_left_alone_in_any_database(store: Store) -> None:
    store.database.write("UPDATE schema_version SET version = 99")
    with pytest.raises(InfrastructureError, match="later version"):
        Store(store.directory)


def test_a_server_that_is_not_there_is_said_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql://me:hunter2@/none?host={tmp_path}"
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", url)
    with pytest.raises(InfrastructureError, match="ORCHESTRATOR_DATABASE_URL") as caught:
        Store(tmp_path / "state")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_signal_that_comes_with_the_lock_leaves_it_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path) as store:
        engine = store.database._engine
        begin = engine.begin

        def interrupted() -> None:
            begin()
            raise KeyboardInterrupt

        monkeypatch.setattr(engine, "begin", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.create_run(Task("one", Path("/p")), "{}")
        monkeypatch.undo()
        run = store.create_run(Task("two", Path("/p")), "{}")
        with Store(tmp_path) as other:
            assert other.claim_run(run.id) == 1


def test_many_processes_may_be_the_first(tmp_path: Path, each_database: str) -> None:
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from orchestrator.storage.opening import open_database\n"
        "sys.stdin.read()\n"
        f"open_database(Path({str(tmp_path / 'state')!r})).close()\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", script], stdin=-1, stderr=-1, text=True)
        for _ in range(6)
    ]
    for child in children:
        assert child.stdin
        child.stdin.close()
    for child in children:
        assert child.stderr
        said = child.stderr.read()
        child.stderr.close()
        assert child.wait(60) == 0, said[-600:]


def test_databases_are_for_their_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with Store(tmp_path) as store:
        store.create_run(Task("one", Path("/p")), "{}")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("state.db*")}
    assert set(modes.values()) == {0o600}


def test_no_part_of_a_password_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://me:S3cretPart@OtherPart@nowhere/none"

    def connect(*_arguments: object, **_named: object) -> None:
        raise psycopg.OperationalError(f"cannot find OtherPart@nowhere of {url}\nand more")

    monkeypatch.setattr(psycopg, "connect", connect)
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", url)
    with pytest.raises(InfrastructureError, match="cannot find") as caught:
        Store(tmp_path)
    assert "S3cretPart" not in str(caught.value)
    assert "OtherPart" not in str(caught.value)


def test_a_second_connection_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    with Store(tmp_path) as store, store.database.transaction():
        open_database(tmp_path).close()  # as the log of events opens one
        script = (
            "import sqlite3, sys\n"
            f"other = sqlite3.connect({str(tmp_path / 'state.db')!r}, timeout=0)\n"
            "other.execute('BEGIN IMMEDIATE')\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
        assert b"database is locked" in done.stderr
