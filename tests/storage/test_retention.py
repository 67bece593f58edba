"""What is kept long enough goes, what is needed stays, and a kill on the way loses neither."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.budget.ledger import Caps, Ledger
from orchestrator.errors import InfrastructureError, LostRunError, UsageError
from orchestrator.models import RunOutcome, RunRecord, RunResult, Task
from orchestrator.platform.locking import FileLock
from orchestrator.storage.listing import describe_outcome, list_summaries
from orchestrator.storage.retention import find_prunable, prune_database
from orchestrator.storage.runs import Store
from teacher.models import Usage
from tests.storage.results import make_result

LONG_AGO = datetime.now(UTC) - timedelta(days=100)
BEFORE = datetime.now(UTC) - timedelta(days=90)


@pytest.fixture
def store(tmp_path: Path, each_database: str) -> Iterator[Store]:
    with Store(tmp_path / "state") as store:
        yield store


def make_run(
    store: Store, ended: datetime | None = LONG_AGO, outcome: RunOutcome = RunOutcome.SOLVED
) -> RunRecord:
    record = store.create_run(Task("task", Path("/p")), "{}")
    (record.folder / "big.patch").write_bytes(b"x" * 5000)
    store.save_result(record.id, make_result(outcome), 0)
    store.events.append_event(record.id, 1, LONG_AGO.isoformat(), "notice", "{}")
    at = ended.isoformat() if ended else None
    store.database.write(
        "UPDATE runs SET started = ?, ended = ?, process = 0 WHERE id = ?",
        (LONG_AGO.isoformat(), at, record.id),
    )
    return record


TABLES = ("results", "events", "suites", "changed_paths", "failed_cases", "findings")


def rows_of(store: Store, run: str) -> list[int]:
    return [
        store.database.fetch_rows(f"SELECT count(*) FROM {table} WHERE run = ?", (run,))[0][0]  # noqa: S608
        for table in TABLES
    ]


def test_an_old_run_goes_and_its_short_story_stays(store: Store) -> None:
    old, new = make_run(store), make_run(store, datetime.now(UTC))
    assert all(rows_of(store, old.id))
    ledger = Ledger(store.database)
    ledger.close_entry(ledger.open_entry(old.id, Caps()), Usage(10, cost_usd=0.5))
    found = find_prunable(store.database, BEFORE)
    assert (found.runs, found.size) == ((old.id,), 5000)
    assert old.folder.exists()
    assert prune_database(store.database, BEFORE) == found
    assert not old.folder.exists()
    assert rows_of(store, old.id) == [0] * len(TABLES)
    assert all(rows_of(store, new.id))
    assert (new.folder / "big.patch").exists()
    left = store.load_run(old.id)
    assert (left.outcome, left.attempts, left.result) == (RunOutcome.SOLVED, 1, None)
    assert left.cost_usd == pytest.approx(0.5), "what the ledger has"
    assert left.pruned is not None
    numbers = store.database.fetch_rows(
        "SELECT number, agent FROM attempts WHERE run = ?", (old.id,)
    )
    assert numbers == [(1, "claude_code")]
    assert ledger.sum_spending() == pytest.approx(0.5)
    assert prune_database(store.database, BEFORE).runs == ()


def test_a_run_that_is_at_work_or_has_a_work_tree_stays(store: Store) -> None:
    at_work = make_run(store, None, RunOutcome.RUNNING)
    store.database.write("UPDATE runs SET process = ? WHERE id = ?", (os.getpid(), at_work.id))
    isolated = make_run(store, LONG_AGO, RunOutcome.PAUSED)
    (store.directory / "worktrees" / isolated.id).mkdir(parents=True)
    assert prune_database(store.database, BEFORE).runs == ()
    assert at_work.folder.exists()
    assert isolated.folder.exists()


def test_one_that_was_killed_long_ago_goes_and_is_resumed_no_more(store: Store) -> None:
    killed = make_run(store, None, RunOutcome.RUNNING)
    assert prune_database(store.database, BEFORE).runs == (killed.id,)
    with pytest.raises(UsageError, match="its files were removed"):
        store.claim_run(killed.id)


@pytest.mark.parametrize("moment", [0.0, 0.001, 0.003, 0.006, 0.012, 0.025])
def test_a_kill_on_the_way_leaves_no_half(tmp_path: Path, moment: float) -> None:
    state = tmp_path / "state"
    with Store(state) as store:
        old = [make_run(store) for _ in range(8)]
        new = make_run(store, datetime.now(UTC))
    script = (
        "from datetime import datetime\nfrom pathlib import Path\n"
        "from orchestrator.storage.opening import open_database\n"
        "from orchestrator.storage.retention import prune_database\n"
        f"database = open_database(Path({str(state)!r}))\n"
        f"before = datetime.fromisoformat({BEFORE.isoformat()!r})\n"
        "print('ready', flush=True)\nprune(database, before)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=-1, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        time.sleep(moment)
        os.kill(child.pid, signal.SIGKILL)
    with Store(state) as store:
        for run in old:
            record = store.load_run(run.id)
            # Either it is whole, or it is marked: never a run that seems whole and is not.
            whole = record.result is not None and (run.folder / "big.patch").exists()
            assert whole or record.pruned is not None
            assert whole == all(rows_of(store, run.id)) or record.pruned is not None
        prune_database(store.database, BEFORE)
        assert [run.id for run in old if run.folder.exists()] == []
        assert all(rows_of(store, new.id))
        assert store.load_run(new.id).result == RunResult(
            RunOutcome.SOLVED, make_result(RunOutcome.SOLVED).attempts, make_result().baseline
        )


def test_what_a_rule_was_learned_from_goes_with_the_rule(store: Store) -> None:
    for rule, status, mattered in (
        ("kept", "active", LONG_AGO),
        ("young", "archived", datetime.now(UTC)),
        ("gone", "archived", LONG_AGO),
    ):
        store.database.write(
            "INSERT INTO rules (book, id, rule, whenever, why, source, status, reason, origin,"
            " proposal, learned, mattered, suggestion)"
            " VALUES ('', ?, '', '', '', '', ?, '', '{}', '{}', ?, ?, '')",
            (rule, status, LONG_AGO.isoformat(), mattered.isoformat()),
        )
    for name in ("kept", "young", "gone", "unknown"):
        folder = store.directory / "pinned" / name
        folder.mkdir(parents=True)
        os.utime(folder, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    (store.directory / "pinned" / "just now").mkdir()
    prune_database(store.database, BEFORE, ("archived",))
    left = {path.name for path in (store.directory / "pinned").iterdir()}
    assert left == {"kept", "young", "unknown", "just now"}


def test_who_prunes_beside_another_does_nothing(store: Store) -> None:
    run = make_run(store)
    with FileLock(store.locks / "prune.lock"):
        assert prune_database(store.database, BEFORE).runs == ()
    assert run.folder.exists()
    assert prune_database(store.database, BEFORE).runs == (run.id,)


def test_a_folder_that_cannot_be_removed_keeps_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_run(store), make_run(store)
    remove = shutil.rmtree

    def fail_once(folder: Path) -> None:
        if folder.name == min(first.id, second.id):
            raise PermissionError(13, "Permission denied", str(folder))
        remove(folder)

    monkeypatch.setattr(shutil, "rmtree", fail_once)
    with pytest.raises(InfrastructureError, match="Permission denied"):
        prune_database(store.database, BEFORE)
    assert [run.folder.exists() for run in (first, second)].count(True) == 1
    monkeypatch.undo()
    prune_database(store.database, BEFORE)
    assert not first.folder.exists()
    assert not second.folder.exists()


def test_a_process_that_has_the_number_since_is_another(store: Store) -> None:
    killed = make_run(store, None, RunOutcome.RUNNING)
    store.database.write(
        "UPDATE runs SET process = ?, process_started = 1 WHERE id = ?", (os.getpid(), killed.id)
    )
    assert not store.find_run(killed.id).carried
    assert prune_database(store.database, BEFORE).runs == (killed.id,)


def test_who_is_at_work_on_another_machine_is_not_taken_for_dead(
    store: Store, each_database: str
) -> None:
    far = make_run(store, None, RunOutcome.RUNNING)
    store.database.write("UPDATE runs SET host = 'far away' WHERE id = ?", (far.id,))
    shared = each_database == "postgres"
    assert store.find_run(far.id).carried is shared
    (listed,) = list_summaries(store.database, 10)
    assert describe_outcome(listed) == ("running on far away" if shared else "interrupted")
    assert prune_database(store.database, BEFORE).runs == (() if shared else (far.id,))


def test_what_is_removed_is_no_longer_its_processs(store: Store) -> None:
    run = make_run(store, None, RunOutcome.RUNNING)
    token = store.claim_run(run.id)
    store.database.write("UPDATE runs SET process_started = 1, host = '' WHERE id = ?", (run.id,))
    store.database.write("UPDATE runs SET outcome = 'paused' WHERE id = ?", (run.id,))
    prune_database(store.database, BEFORE)
    with pytest.raises(LostRunError):
        store.save_result(run.id, make_result(), token)


def test_no_link_leads_out(store: Store, tmp_path: Path) -> None:
    run = make_run(store)
    shutil.rmtree(run.folder)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"x")
    run.folder.symlink_to(tmp_path / "precious")
    prune_database(store.database, BEFORE)
    assert (tmp_path / "precious" / "file").exists()
