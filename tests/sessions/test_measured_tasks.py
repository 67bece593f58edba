from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.sessions.counting.findings import fingerprint_key
from orchestrator.sessions.counting.measured_tasks import (
    Recurrence,
    RulePeriod,
    add_rules,
    find_end,
    find_session_recurrences,
    read_runs,
    read_session_tasks,
)
from orchestrator.sessions.counting.metrics import TaskSource, Week, count_weeks
from orchestrator.sessions.detectors.occurrences import Detector

AT = "2026-01-28T11:00:00.000Z"


def session_row(name: str = "s", kind: str = "human") -> dict[str, Any]:
    return {"family": name, "id": name, "class": kind, "project": "/p"}


def task_row(name: str = "s", **values: Any) -> dict[str, Any]:
    names = ("tool_calls", "edits", "suite_runs", "red_runs", "rejections", "interruptions")
    counts = dict.fromkeys((*names, "corrections", "tokens"), 0)
    known = {"family": name, "session": name, "number": 1, "started": AT, "seconds": 1.5}
    more = {"resolved": None, "first_green": None, "version": "2.1.42", "model": "m"}
    return {**counts, **known, **more, **values}


def test_a_row_becomes_a_task() -> None:
    row = task_row(tool_calls=3, resolved=1, first_green=0)
    (task,) = read_session_tasks([row], [session_row()])
    assert (task.source, task.project, task.session) == (TaskSource.PEOPLE, "/p", "s")
    assert (task.tool_calls, task.resolved, task.first_green) == (3, True, False)
    assert (task.seconds, task.version, task.cost_usd) == (1.5, "2.1.42", None)


def test_own_sessions_and_unknown_ones_are_left_out() -> None:
    rows = [task_row(name) for name in ("a", "b", "c", "d", "e")]
    sessions = [
        session_row("a"), session_row("b", "own"), session_row("c", "subagent"),
        session_row("d", "headless"),
    ]  # fmt: skip
    found = read_session_tasks(rows, sessions)
    assert [each.session for each in found] == ["a", "d"]
    assert found[1].source is TaskSource.HEADLESS
    without = [each for each in sessions if each["class"] != "own"]
    assert read_session_tasks(rows, without) == found


def test_an_unreadable_time_is_left_out() -> None:
    rows = [task_row(started=each) for each in ("", "?", "2026-01-28T11:00:00")]
    assert read_session_tasks(rows, [session_row()]) == []


def run_row(name: str, outcome: str, **values: Any) -> dict[str, Any]:
    known = {"id": name, "project": "/p", "started": AT, "ended": "2026-01-28T11:01:00+00:00"}
    return {**known, "outcome": outcome, "tokens": 5, "cost_usd": 0.25, **values}


def attempt_row(run: str, number: int, verdict: str, solved: int | None) -> dict[str, Any]:
    known = {"run": run, "number": number, "verdict": verdict, "solved": solved}
    return {**known, "program_version": "2.1.332", "model": "m"}


def test_runs_are_tasks_and_attempts_are_suite_runs() -> None:
    runs = [run_row("a", "solved"), run_row("b", "not solved"), run_row("c", "stopped")]
    attempts = [
        attempt_row("a", 0, "own failure", 0),
        attempt_row("a", 2, "solved", 1),
        attempt_row("a", 1, "own failure", 0),
        attempt_row("b", 1, "environment changed", 0),
    ]
    solved, other = read_runs(runs, attempts, [{"run": "b", "attempt": 1}])
    assert (solved.source, solved.red_runs, solved.resolved) == (TaskSource.RUNS, 1, True)
    assert (solved.first_green, solved.suite_runs, solved.seconds) == (False, 2, 60.0)
    assert (solved.cost_usd, solved.version, solved.tokens) == (0.25, "2.1.332", 5)
    # A changed environment says nothing about the code.
    assert (other.red_runs, other.resolved, other.first_green, other.suite_runs) == (
        0, None, None, 1,
    )  # fmt: skip


def test_rules_are_those_active_at_the_end_of_the_week() -> None:
    weeks = count_weeks(read_session_tasks([task_row()], [session_row()]), UTC)
    inside = datetime(2026, 1, 29, tzinfo=UTC)
    after = datetime(2026, 2, 5, tzinfo=UTC)
    rules = [
        RulePeriod("/p", inside), RulePeriod("/p", inside, after), RulePeriod("/p", inside, inside),
        RulePeriod("/p", after), RulePeriod("/q", inside),
    ]  # fmt: skip
    people, runs = TaskSource.PEOPLE, TaskSource.RUNS
    recurrences = [
        Recurrence("/p", inside, people), Recurrence("/p", after, people),
        Recurrence("/q", inside, people), Recurrence("/p", inside, runs),
    ]  # fmt: skip
    (week,) = add_rules(weeks, rules, recurrences, UTC)
    assert (week.rules_active, week.recurrences) == (2, 1)
    assert weeks[0].rules_active is None


def test_a_week_ends_where_the_next_begins_also_when_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    end = find_end(Week(2026, 13), berlin)
    assert end.isoformat() == "2026-03-30T00:00:00+02:00"


def test_a_sessions_cost_is_counted_once() -> None:
    rows = [task_row(number=2), task_row(number=1), task_row("x"), task_row("y", number=3)]
    sessions = [session_row(), session_row("x"), session_row("y")]
    sessions[0]["cost_usd"], sessions[1]["cost_usd"] = 0.5, None
    found = read_session_tasks(rows, sessions)
    assert [(each.session, each.cost_usd) for each in found] == [
        ("s", 0.5), ("x", None), ("s", 0.0), ("y", None),
    ]  # fmt: skip


def test_a_failure_comes_back_in_a_session_while_its_rule_is_active() -> None:
    failure = fingerprint_key(Detector.HIDDEN_FAILURE, "pytest")
    edits = fingerprint_key(Detector.EDIT_MISMATCH, "*.py")
    day = datetime(2026, 1, 20, tzinfo=UTC)
    rules = [
        RulePeriod("/p", day, day + timedelta(days=5), failure),
        RulePeriod("/p", day, failure=edits),
        RulePeriod("/p", day),
    ]

    def occurrence(session: str, days: int, detector: Detector, key: str) -> dict[str, Any]:
        at = (day + timedelta(days=days)).isoformat()
        return {
            "family": session, "session": session, "detector": detector.value, "key": key, "at": at
        }  # fmt: skip

    hidden = Detector.HIDDEN_FAILURE
    rows = [
        occurrence("s", 2, hidden, "pytest"), occurrence("s", 1, hidden, "pytest"),
        occurrence("s", 1, hidden, "go test"), occurrence("h", 3, hidden, "pytest"),
        occurrence("early", -1, hidden, "pytest"), occurrence("late", 6, hidden, "pytest"),
        occurrence("own", 2, hidden, "pytest"), occurrence("unknown", 2, hidden, "pytest"),
        # It needs three in a session to be found there, so it needs three to come back.
        *[occurrence("s", 9, Detector.EDIT_MISMATCH, "*.py")] * 2,
        *[occurrence("late", 9, Detector.EDIT_MISMATCH, "*.py")] * 3,
    ]  # fmt: skip
    sessions = [
        session_row(), session_row("h", "headless"), session_row("early"), session_row("late"),
        session_row("own", "own"),
    ]  # fmt: skip
    found = find_session_recurrences(rows, sessions, rules)
    assert sorted((each.source, (each.at - day).days) for each in found) == [
        (TaskSource.HEADLESS, 3), (TaskSource.PEOPLE, 1), (TaskSource.PEOPLE, 9),
    ]  # fmt: skip
    assert find_session_recurrences(rows, sessions, rules[2:]) == []
