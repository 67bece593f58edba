"""`orchestrator stats`: what is counted, and how it is shown."""

import csv
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.models import Rule
from orchestrator.rulebook.history import History
from orchestrator.rulebook.records import Origin, RuleEventKind, Status
from orchestrator.sessions.counting.findings import fingerprint_key
from orchestrator.sessions.detectors.occurrences import Detector
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from teacher.models import RuleText
from tests.cli.conftest import Call
from tests.sessions.stored_tasks import (
    GREEN,
    NO_TEST,
    OPEN,
    RED_RED_GREEN,
    REJECTED,
    insert,
    store_run,
    store_session,
)

TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
NOW = TODAY - timedelta(days=TODAY.weekday() + 5)
"""The Wednesday of last week, whatever day it is: a minute more or less is the same week."""
CAUSAL = re.compile(r"\b(because|caus\w+|due to|thanks|help\w*|improv\w*|effect\w*|led to)\b", re.I)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path) -> Path:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(project)
    return tmp_path / "state"


@pytest.fixture
def database(state: Path) -> Iterator[Database]:
    with open_database(state) as database:
        yield database


def ago(weeks: int, minutes: int = 0) -> datetime:
    return NOW - timedelta(weeks=weeks, minutes=minutes)


def fill(database: Database, project: Path) -> None:
    """Store 22 tasks a week for two weeks in sessions, and three runs."""
    for number in range(11):
        store_session(database, str(project), ago(1, number), RED_RED_GREEN, OPEN)
        new = {"version": "2.1.42"}
        store_session(database, str(project), ago(0, number), {**GREEN, **new}, {**NO_TEST, **new})
    store_session(database, str(project), ago(0), {**GREEN, **REJECTED}, kind="headless")
    store_session(database, str(project), ago(0), *[RED_RED_GREEN] * 9, kind="own")
    for solved in ((True,), (False, True), (False, False)):
        store_run(database, str(project), ago(0, len(solved) * 7 + sum(solved)), *solved)
    store_session(database, "/elsewhere", ago(0), OPEN)


def test_nothing_yet_is_one_clear_line(call: Call, state: Path) -> None:
    done = call("stats")
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 1
    assert "nothing to count yet" in done.out
    data = call("stats", "--all", "--json")
    assert (data.code, data.out, len(data.err.splitlines())) == (0, "", 1)
    table = call("stats", "--all", "--csv")
    assert len(table.out.splitlines()) == 1
    assert not list(state.parent.rglob("*.svg"))


def test_old_tasks_only(call: Call, database: Database, project: Path) -> None:
    store_session(database, str(project), ago(20), GREEN)
    done = call("stats")
    assert f"no tasks in the last 8 weeks; the last one began on {ago(20):%Y-%m-}" in done.out
    assert len(call("stats", "--weeks", "25", "--json").events) == 1


def test_sessions_and_runs_are_never_mixed(call: Call, database: Database, project: Path) -> None:
    fill(database, project)
    weeks = call("stats", "--json").events
    assert {each["project"] for each in weeks} == {str(project)}
    last, now = [each for each in weeks if each["source"] == "sessions of people"]
    assert (last["tasks"], last["sessions"], last["tool_calls"]) == (22, 11, 220)
    assert (last["red_runs_until_green_median"], last["unresolved"]) == (2, 11)
    assert (last["tasks_with_red_run"], last["first_green"], last["first_green_of"]) == (22, 0, 22)
    assert (now["first_green"], now["first_green_of"], now["no_test_ran"]) == (11, 11, 11)
    assert now["other_versions"] == ["2.1.42"]
    assert now["differences"]["interventions_per_100_calls"] == "same"
    assert now["differences"]["first_green"] is None  # of 11 tasks only
    [headless] = [each for each in weeks if each["source"] == "headless sessions"]
    assert (headless["tasks"], headless["interventions_per_session"]) == (1, 2)
    [runs] = [each for each in weeks if each["source"] == "own runs"]
    assert (runs["tasks"], runs["solved"], runs["first_green"]) == (3, 2, 1)
    assert runs["cost_usd_per_solved"] == pytest.approx(0.75)
    assert runs["rules_active"] == runs["recurrences"] == 0
    everything = call("stats", "--all", "--json").events
    assert {each["project"] for each in everything} == {str(project), "/elsewhere"}


def test_the_tables_fit_80_columns(database: Database, project: Path) -> None:
    fill(database, project)
    shown = show_on_terminal("stats")
    long = [line for line in shown.splitlines() if len(line) > 80 and line != str(project)]
    assert long == []
    assert "sessions of people" in shown
    assert "own runs" in shown
    assert "other than in the week before: Claude Code 2.1.42" in " ".join(shown.split())
    assert "approvals leave no trace: not visible" in shown
    header = next(line for line in shown.splitlines() if line.startswith("week"))
    assert header.split()[:3] == ["week", "n", "red"]
    assert "no test" in header
    first_green = next(line for line in shown.splitlines() if "100% 11/11" in line)
    assert first_green.split()[1] == "22"
    assert not CAUSAL.search(shown)


def show_on_terminal(*words: str) -> str:
    """Return what a command prints on a terminal of 80 columns."""
    main, other = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *words],
        stdout=other,
        env={**os.environ, "COLUMNS": "80"},
    ):
        os.close(other)
        parts = []
        while True:
            try:
                parts.append(os.read(main, 65536))
            except OSError:
                break
    os.close(main)
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_no_arrow_for_few_tasks(call: Call, database: Database, project: Path) -> None:
    for weeks, task in ((1, OPEN), (0, GREEN)):
        store_session(database, str(project), ago(weeks), *[{**task, "rejections": weeks}] * 19)
    table = call("stats").out.split("\n\n")[0].partition("people:")[2]
    assert not re.search("[↑↓=]", table)
    for weeks, task in ((1, OPEN), (0, GREEN)):
        store_session(database, str(project), ago(weeks, 3), task)
    table = call("stats").out.split("\n\n")[0].partition("people:")[2]
    assert "100% 20/20 ↑" in table
    assert "0 ↓" in table


def test_csv_has_the_same_numbers(call: Call, database: Database, project: Path) -> None:
    store_session(database, str(project), ago(0), {**GREEN, "model": "=cmd()\n\x1b[2J"})
    [row] = csv.DictReader(call("stats", "--csv").out.splitlines())
    assert (row["project"], row["tasks"], row["first_green"]) == (str(project), "1", "1")
    assert row["models"].startswith("'=cmd()")
    assert "\x1b" not in row["models"]
    assert row["red_runs_until_green_median"] == row["cost_usd_per_solved"] == ""


def test_hostile_names_reach_no_terminal(call: Call, database: Database, project: Path) -> None:
    secret = "sk-ant-api03-" + "Ab3dEf9h" * 11 + "-AAAA"
    store_session(database, str(project), ago(1), GREEN)
    version = f"\x1b]0;x\x07{secret}" + "x" * 5000
    store_session(database, str(project), ago(0), {**GREEN, "version": version})
    for words in ((), ("--json",), ("--csv",)):
        out = call("stats", *words).out
        assert not set(out) & {"\x1b", "\x07"}
        assert secret not in out
        assert "x" * 100 not in out


def test_a_picture_is_written(call: Call, database: Database, project: Path) -> None:
    fill(database, project)
    path = project / "how it went.svg"
    done = call("stats", "--svg", path, "--weeks", "4")
    assert done.code == 0
    assert f"picture written to {path}" in done.err
    picture = path.read_bytes()
    assert b"Sessions of people: " in picture
    assert b"Own runs: " in picture
    assert call("stats", "--svg", path, "--weeks", "4").code == 0
    assert path.read_bytes() == picture
    wrong = call("stats", "--svg", project / "nowhere" / "x.svg")
    assert (wrong.code, len(wrong.err.splitlines())) == (2, 1)
    assert "is not a folder" in wrong.err


def add_rule(database: Database, project: Path, at: datetime) -> None:
    rule = Rule("sort-1", RuleText("Sort the list.", "", ""), "test")
    history = History(database, project / "CLAUDE.md", lambda: at)
    history.record_rule(rule, Status.ACTIVE, Origin(), what=RuleEventKind.ADDED)


def test_before_and_after_a_rule_without_a_causal_word(
    call: Call, database: Database, project: Path
) -> None:
    fill(database, project)
    add_rule(database, project, ago(0) - timedelta(days=3))
    done = call("stats", "--rule", "sort")
    assert (done.code, done.err) == (0, "")
    assert "rule sort-1: Sort the list." in done.out
    people = done.out.split("sessions of people:")[1].split("\n\n")[0]
    assert re.search(r"tasks +22 +22", people)
    assert re.search(r"first green after the first edit +0% 0/22 +100% 11/11$", people, re.M)
    assert not CAUSAL.search(done.out)
    first, *_ = call("stats", "--rule", "sort-1", "--json").events
    assert (first["before"]["tasks"], first["after"]["tasks"]) == (22, 22)
    weeks = call("stats", "--json").events
    assert [each["rules_active"] for each in weeks if each["source"] == "own runs"] == [1]


def test_a_rule_that_was_withdrawn_has_an_end(
    call: Call, database: Database, project: Path
) -> None:
    fill(database, project)
    add_rule(database, project, ago(1) - timedelta(days=3))
    ended = ago(0) - timedelta(days=3)
    history = History(database, project / "CLAUDE.md", lambda: ended)
    history.change_status("sort-1", Status.REJECTED, RuleEventKind.REJECTED)
    out = call("stats", "--rule", "sort").out
    assert f" to {ended.astimezone():%Y-%m-%d %H:%M} in {project}" in " ".join(out.split())
    assert "active since" not in out
    assert "8 weeks after, up to its end" in out
    assert re.search(r"tasks +0 +22", out.split("sessions of people:")[1])
    first, *_ = call("stats", "--rule", "sort-1", "--json").events
    assert first["until"] == ended.isoformat()


def test_sessions_have_time_cost_and_rules(call: Call, database: Database, project: Path) -> None:
    learned = ago(2)
    failure = fingerprint_key(Detector.HIDDEN_FAILURE, "pytest")
    rule = Rule("sort-1", RuleText("Sort the list.", "", ""), "test")
    history = History(database, project / "CLAUDE.md", lambda: learned)
    origin = Origin(failure=failure)
    history.record_rule(rule, Status.ACTIVE, origin, what=RuleEventKind.ADDED)
    for weeks, costs in ((1, (0.5, 1.0)), (0, (0.5, None))):
        for minutes, cost in enumerate(costs):
            name = store_session(
                database, str(project), ago(weeks, minutes), {**GREEN, "seconds": 120.0}, OPEN
            )
            database.write("UPDATE sessions SET cost_usd = ? WHERE id = ?", (cost, name))
    insert(
        database, "occurrences", family=name, session=name, position=0, row_id="r", quote="",
        detector=Detector.HIDDEN_FAILURE.value, key="pytest", at=ago(0).isoformat(), detail="{}",
    )  # fmt: skip

    out = call("stats").out
    rows = [line.split() for line in out.splitlines() if re.match(r"\d{4}-W", line)]
    assert [each[1:] for each in rows[2:4]] == [
        ["2", "2", "$0.75", "1", "0"],
        ["2", "2", "not", "recorded", "1", "1"],
    ]
    last, now = call("stats", "--json").events
    assert (last["cost_usd_per_solved"], last["seconds_per_solved"]) == (0.75, 120)
    assert (now["cost_usd_per_solved"], now["recurrences"]) == (None, 1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--rule", "nothing"), "there is no rule `nothing`"),
        (("--rule", ""), "there is no rule ``"),
        (("--rule", "x", "--all"), "--rule is about one project"),
        (("--project", "/", "--all"), "exclude each other"),
        (("--json", "--csv"), "exclude each other"),
        (("--project", "/no/such/folder"), "does not exist"),
    ],
)
def test_wrong_usage_is_one_line(
    call: Call, state: Path, words: tuple[str, ...], expected: str
) -> None:
    done = call("stats", *words)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert expected in done.err


def test_a_rule_that_waits_has_no_date(call: Call, database: Database, project: Path) -> None:
    rule = Rule("wait-1", RuleText("Sort.", "", ""), "test")
    history = History(database, project / "CLAUDE.md")
    history.record_rule(rule, Status.WAITING, Origin(), what=RuleEventKind.WAITS_FOR_APPROVAL)
    done = call("stats", "--rule", "wait-1")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "has never been active" in done.err


def test_a_damaged_row_is_one_line(call: Call, database: Database, project: Path) -> None:
    store_session(database, str(project), ago(0), GREEN)
    database.write("UPDATE sessions SET class = 'alien'")
    done = call("stats")
    assert (done.code, len(done.err.splitlines())) == (3, 1)


def test_json_is_what_python_reads(call: Call, database: Database, project: Path) -> None:
    fill(database, project)
    for line in call("stats", "--all", "--json").out.splitlines():
        assert json.loads(line)["tasks"] > 0
