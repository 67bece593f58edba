"""The state of earlier versions: a real folder is imported completely, once, and never in part."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from orchestrator.budget.ledger import DAY, Caps, Ledger
from orchestrator.cli.main import main
from orchestrator.errors import InfrastructureError
from orchestrator.models import RunOutcome, RunRecord
from orchestrator.rulebook.history import History
from orchestrator.storage.opening import open_database
from orchestrator.storage.retention import prune_database
from orchestrator.storage.runs import Store

FOLDER = Path(__file__).with_name("earlier.tar.xz")
"""The state that the version before left: a demo that learned, runs that ended in other ways, one
that was killed, and rules that were added, learned and rejected; with what that version printed of
it as `runs.json` and `rules.json`."""
OLD = ("runs.db", "rules.db", "ledger.db", "webhook.jsonl")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    unpack(state)
    return state


def unpack(state: Path) -> None:
    """Lay the folder of the version before out."""
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in 3.11.2
    with tarfile.open(FOLDER) as folder:
        folder.extractall(state, **safely)  # type: ignore[arg-type] # noqa: S202 -- ours
    # Only requests of the last day are imported.
    recent = {"at": time.time() - 60, "cost_usd": 0.0, "requests": 1}
    (state / "webhook.jsonl").write_text(json.dumps(recent) + "\n", "utf-8")


def printed(state: Path, name: str) -> list[dict[str, Any]]:
    text = (state / name).read_text(encoding="utf-8").replace("STATE", str(state))
    return [json.loads(line) for line in text.splitlines()]


def test_every_run_is_printed_as_the_earlier_version_printed_it(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(state))
    with pytest.raises(SystemExit):
        main(["runs", "--json"])
    now = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    then = printed(state, "runs.json")
    assert len(then) == 4
    for old in then:  # its process is gone, which was not looked at then
        old["outcome"] = old["outcome"].replace("running", "interrupted")
    for new, old in zip(now, then, strict=True):
        assert_holds(new, old)


def assert_holds(new: Any, old: Any) -> None:
    """Check that all that was there is there still; more may be."""
    if isinstance(old, dict):
        for name, value in old.items():
            assert_holds(new[name], value)
    elif isinstance(old, list):
        assert len(new) == len(old)
        for ours, theirs in zip(new, old, strict=True):
            assert_holds(ours, theirs)
    else:
        assert new == old


def test_every_rule_has_its_history(state: Path) -> None:
    then = printed(state, "rules.json")
    assert len(then) == 3
    book = sorted({book for (book,) in old_rows(state, "rules.db", "SELECT book FROM rules")})
    events = old_rows(state, "rules.db", "SELECT rule, what FROM events ORDER BY rowid")
    with open_database(state) as database:
        history = History(database, Path(book[0]))
        found = {record.rule.id: record for record in history.list_records()}
        assert list(found) == [each["id"] for each in then]
        for each in then:
            record = found[each["id"]]
            assert vars(record.counters) == each["counters"]
            assert record.status == each["status"]
            assert record.origin.run == each["origin"]["run"]
            told = [event.what for event in history.list_events(record.rule.id)]
            assert told == [what for rule, what in events if rule == record.rule.id]
        assert [refusal.rule for refusal in history.list_refusals()] == [
            each["id"] for each in then if each["status"] == "rejected"
        ]
        texts = database.fetch_rows(
            "SELECT rule, version, length(hash) FROM rule_texts ORDER BY rule"
        )
        assert texts == sorted((rule, 1, 64) for rule in found)


def old_rows(state: Path, name: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(state / name)) as database:
        return database.execute(statement).fetchall()


def test_what_runs_did_can_be_asked(state: Path) -> None:
    with open_database(state) as database:
        rows = database.fetch_rows(
            "SELECT a.number, a.outcome, a.verdict, a.solved, s.passed, s.failed,"
            " (SELECT count(*) FROM changed_paths c WHERE c.run = a.run AND c.attempt = a.number),"
            " (SELECT count(*) FROM failed_cases f WHERE f.run = a.run AND f.attempt = a.number)"
            " FROM attempts a JOIN suites s ON s.run = a.run AND s.attempt = a.number"
            " JOIN runs r ON r.id = a.run WHERE r.task LIKE 'Repair%' ORDER BY a.number"
        )
        assert [row[:4] for row in rows] == [
            (1, "completed", "own failure", 0),
            (2, "completed", "solved", 1),
        ]
        assert rows[0][5] == rows[0][7] > 0
        assert rows[1][5] == rows[1][7] == 0
        assert all(changed for *_, changed, _ in rows)
        baseline = database.fetch_rows("SELECT count(*) FROM suites WHERE attempt = 0")
        assert baseline[0][0] >= 3


def test_the_money_is_counted_once(state: Path) -> None:
    lines = [
        {"at": time.time() - 60, "cost_usd": 0.0, "requests": 1},
        {"at": time.time() - 50, "cost_usd": 0.02, "requests": 0},
        {"at": time.time() - 90_000, "cost_usd": 0.0, "requests": 10**9},
        {"at": "1e400", "requests": 1},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (state / "webhook.jsonl").write_text(text + '{"at": 1e400, "requests": 1}\n{"at":', "utf-8")
    ((then,),) = old_rows(state, "ledger.db", "SELECT sum(cost_usd) FROM spending")
    with open_database(state) as database:
        ledger = Ledger(database, lambda: 1_795_753_000.0)
        assert ledger.sum_spending(within=30 * DAY) == pytest.approx(then)
        kinds = database.fetch_rows(
            "SELECT kind, count(*) FROM spending GROUP BY kind ORDER BY kind"
        )
        assert [kind for kind, _ in kinds] == ["agent", "lesson", "webhook"]
        assert kinds[2] == ("webhook", 1)
        ledger.open_entry("next", Caps(cost_usd_per_day=50))


def test_the_old_files_are_put_aside_and_asked_no_more(state: Path) -> None:
    open_database(state).close()
    assert [name for name in OLD if (state / name).exists()] == []
    assert {path.name for path in (state / "earlier").iterdir()} == set(OLD)
    with Store(state) as store:
        assert len(store.list_runs()) == 4
        record = store.load_run("last")
        assert record.outcome is RunOutcome.INTERRUPTED
        TypeAdapter(RunRecord).dump_json(record)


def test_a_run_of_the_earlier_version_is_not_carried_on(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(state))
    with Store(state) as store:
        run = store.find_run("last").id
    with pytest.raises(SystemExit) as ended:
        main(["resume", run])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert (
        "cannot be resumed: it was started by a version that stores runs in another format" in said
    )
    assert said.count("\n") == 1


def test_a_run_of_the_earlier_version_that_is_at_work_is_waited_for(state: Path) -> None:
    words = [sys.executable, "-c", "import time; time.sleep(60)  # orchestrator run"]
    with subprocess.Popen(words) as worker:
        with closing(sqlite3.connect(state / "runs.db")) as runs, runs:
            runs.execute(
                "UPDATE runs SET process = ?, started = ? WHERE outcome = 'running'",
                (worker.pid, (datetime.now(UTC) + timedelta(seconds=5)).isoformat()),
            )
        with pytest.raises(InfrastructureError, match="of an earlier version is still active"):
            open_database(state)
        assert (state / "runs.db").exists()
        worker.kill()
    with Store(state) as store:
        assert len(store.list_runs()) == 4


@pytest.mark.parametrize("name", ["runs.db", "rules.db"])
def test_a_version_that_is_not_known_is_left_alone(state: Path, name: str) -> None:
    with closing(sqlite3.connect(state / name)) as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(
        InfrastructureError, match=f"{name} was written by an unknown version"
    ) as caught:
        open_database(state)
    assert "\n" not in str(caught.value)
    assert {path.name for path in state.iterdir()} >= set(OLD)


@pytest.mark.parametrize("name", ["runs.db", "rules.db", "ledger.db"])
def test_a_damaged_file_is_named_and_takes_nothing_with_it(state: Path, name: str) -> None:
    (state / name).write_bytes(b"this is no database, and never was one" * 99)
    with pytest.raises(InfrastructureError, match=f"{name} of an earlier version") as caught:
        open_database(state)
    assert f"move {name} away" in str(caught.value)
    (state / name).unlink()
    with open_database(state) as database:
        assert database.fetch_rows("SELECT count(*) FROM spending")[0][0] >= 1


def test_the_first_version_of_rules_is_known_too(state: Path) -> None:
    with closing(sqlite3.connect(state / "rules.db")) as rules, rules:
        rules.execute("ALTER TABLE rules DROP COLUMN paths")
        rules.execute("DROP TABLE agreed")
        rules.execute("DROP TABLE refusals")
        rules.execute(
            "UPDATE rules SET origin = json_set(origin, '$.cases', json_extract(origin,"
            " '$.summary')), proposal = json_set(proposal, '$.diff', 'x')"
        )
        rules.execute("UPDATE rules SET origin = json_remove(origin, '$.summary')")
        rules.execute("PRAGMA user_version = 1")
    ((book,), *_) = old_rows(state, "rules.db", "SELECT book FROM rules")
    with open_database(state) as database:
        learned = History(database, Path(book)).list_records()[0]
        assert learned.origin.summary.startswith("tests/test_arithmetic.py")
        assert learned.origin.cases == ()


MOMENTS = [0.0, 0.002, 0.005, 0.01, 0.02, 0.04]


@pytest.mark.parametrize("moment", MOMENTS)
def test_whoever_is_killed_on_the_way_has_lost_nothing(state: Path, moment: float) -> None:
    script = (
        "import sys, orchestrator.storage.earlier_versions\n"
        "from pathlib import Path\n"
        "from orchestrator.storage.opening import open_database\n"
        "print('ready', flush=True)\n"
        f"open_database(Path({str(state)!r})).close()\n"
    )
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        time.sleep(moment)
        os.kill(child.pid, signal.SIGKILL)
    with Store(state) as store:
        assert len(store.list_runs()) == 4
        assert store.database.fetch_rows("SELECT count(*) FROM rules") == [(3,)]
        assert store.database.fetch_rows("SELECT count(*) FROM spending")[0][0] >= 4


def test_what_an_earlier_version_writes_later_is_left_where_it_is(state: Path) -> None:
    open_database(state).close()
    first = (state / "earlier" / "runs.db").read_bytes()
    (state / "runs.db").write_bytes(b"written by a program of the earlier version")
    os.utime(state / "runs.db", (time.time() + 60, time.time() + 60))
    with open_database(state) as database:
        prune_database(database, datetime(2020, 1, 1, tzinfo=UTC))
    assert (state / "earlier" / "runs.db").read_bytes() == first
    assert (state / "runs.db").exists()


def test_a_run_of_the_earlier_version_with_our_own_number_is_not_at_work(state: Path) -> None:
    with closing(sqlite3.connect(state / "runs.db")) as runs, runs:
        runs.execute("UPDATE runs SET process = ? WHERE outcome = 'running'", (os.getpid(),))
    open_database(state).close()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("runs.db", "UPDATE runs SET started = 'no date'"),
        ("runs.db", "UPDATE runs SET outcome = 'weird'"),
        ("runs.db", "UPDATE runs SET process = 'abc' WHERE outcome = 'running'"),
        ("runs.db", "ALTER TABLE runs DROP COLUMN config"),
        ("rules.db", "UPDATE rules SET origin = '{bad'"),
    ],
)
def test_what_cannot_be_understood_is_one_line_and_stays(
    state: Path, name: str, change: str
) -> None:
    with closing(sqlite3.connect(state / name)) as database, database:
        database.execute(change)
    with pytest.raises(InfrastructureError, match=f"move .*{name}") as caught:
        open_database(state)
    assert "\n" not in str(caught.value)
    assert {path.name for path in state.iterdir()} >= set(OLD)
