"""Every event can be put on record and read again: short, in order, and without secrets."""

import dataclasses
import json
import types
import typing
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from orchestrator import events
from orchestrator.masking import Masker
from orchestrator.models import (
    Attempt,
    Case,
    CaseOutcome,
    EventRow,
    RunOutcome,
    RunResult,
    SuiteOutcome,
    SuiteReport,
)
from orchestrator.storage.event_record import MOST_ROWS, encode_event, record_events

SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
HUGE = f"export TOKEN={SECRET} " + "x" * 100_000
MANY = 500
MASKER = Masker()
LONGEST_ROW = 16_000
AT = datetime(2026, 11, 20, 12, 4, 31, tzinfo=UTC)


class MemoryLog:
    """Keeps rows in memory."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, EventRow]] = []

    def append_event(self, run: str, attempt: int, at: str, kind: str, values: str) -> None:
        self.rows.append((run, EventRow(len(self.rows) + 1, attempt, at, kind, values)))

    def list_events(self, run: str, after: int = 0) -> Sequence[EventRow]:
        return [row for of, row in self.rows if of == run and row.seq > after]


def huge(kind: Any) -> Any:
    """Build a value of a type with as much in it as there can be: long texts, many items."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType or origin is typing.Union:
        return huge(next(each for each in inner if each is not type(None)))
    if origin is tuple:
        count = MANY if inner[-1] is Ellipsis else 1
        return tuple(huge(each) for each in inner if each is not Ellipsis) * count
    if origin is dict:
        return {f"{index} {HUGE[:200]}": huge(inner[1]) for index in range(MANY)}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        given = {each.name: huge(hints[each.name]) for each in dataclasses.fields(kind)}
        return kind(**given)  # type: ignore[operator] # it is a class
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return next(iter(kind))
    plain = {str: HUGE, int: 2**60, float: float("inf"), bool: True, Path: Path("/p") / HUGE[:200]}
    return {**plain, datetime: AT}[kind]


# Those of a task list are in a module of their own: they are no part of the record of a run.
KINDS = [kind for kind in events.Event.__subclasses__() if kind.__module__ == events.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_can_be_recorded_however_much_it_carries(kind: type[events.Event]) -> None:
    event = dataclasses.replace(huge(kind), attempt=3, run="run-1")
    if isinstance(event, events.CaseFinished):
        event = events.CaseFinished(
            dataclasses.replace(event.case, outcome=CaseOutcome.FAILED), attempt=3
        )
    log = MemoryLog()
    listen = record_events(log, "run-1", MASKER)
    listen(event)
    if isinstance(event, events.SuiteRunning):
        assert not log.list_events("run-1")
        return
    listen(events.Notice("next"))
    row, _ = log.list_events("run-1")
    assert (row.attempt, row.at, row.kind) == (3, event.at.isoformat(), events.event_name(event))
    assert len(row.values) <= LONGEST_ROW
    assert "ghp_0123" not in row.values
    values = json.loads(row.values, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert isinstance(values, dict)
    assert not values.keys() & {"run", "attempt", "at"}


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    kind, values = encode_event(events.AgentSpoke("y" * 5000), MASKER)
    assert kind == "agent_spoke"
    assert values == {"text": "y" * 2000 + "... (5000 characters)"}


def test_a_secret_at_the_cut_is_masked_whole() -> None:
    _, values = encode_event(events.Notice("z" * 1980 + f" {SECRET}"), MASKER)
    assert "ghp" not in values["text"]


def test_a_report_comes_down_to_its_counts_and_the_cases_that_fail() -> None:
    cases = [Case(f"t::{index}", CaseOutcome.PASSED, detail=HUGE) for index in range(3)]
    cases.append(Case("t::bad", CaseOutcome.FAILED, detail=HUGE))
    report = SuiteReport(SuiteOutcome.FAILED, 1, tuple(cases), 1.5, HUGE)
    _, values = encode_event(events.SuiteFinished(report, baseline=True), MASKER)
    assert values == {
        "outcome": "failed",
        "goal": "",
        "summary": "3 passed, 1 failed",
        "counts": {"passed": 3, "failed": 1},
        "failing": ["t::bad"],
        "exit_code": 1,
        "seconds": 1.5,
        "baseline": True,
        "before_attempt": False,
    }


def test_of_the_cases_only_those_that_fail_are_recorded_and_not_all_of_many() -> None:
    log = MemoryLog()
    listen = record_events(log, "r", MASKER)
    for index in range(400):
        for outcome in (CaseOutcome.PASSED, CaseOutcome.FAILED):
            listen(events.CaseFinished(Case(f"t::{index}", outcome), attempt=1))
    rows = log.list_events("r")
    assert len(rows) == 101
    assert all(json.loads(row.values)["outcome"] == "failed" for row in rows[:100])
    assert json.loads(rows[-1].values) == {
        "text": "further events of this attempt are not recorded: case_finished"
    }


def test_a_tool_that_is_called_without_end_does_not_fill_the_record() -> None:
    log = MemoryLog()
    listen = record_events(log, "r", MASKER)
    for index in range(MOST_ROWS + 50):
        listen(events.ToolUsed("Bash", f"ls {index}", attempt=1))
    listen(events.ToolUsed("Bash", "the next attempt", attempt=2))
    rows = log.list_events("r")
    assert len(rows) == MOST_ROWS + 2
    assert rows[-1].attempt == 2


def test_what_an_agent_says_without_a_pause_is_one_row_and_masked_as_one() -> None:
    log = MemoryLog()
    listen = record_events(log, "r", MASKER)
    body = ["--b8f1d2c7", 'Content-Disposition: form-data; name="password"', "", "Mosa1c;Tile"]
    for line in (*body, "--b8f1d2c7--"):
        listen(events.AgentSpoke(line, attempt=1, at=AT))
    listen(events.ToolUsed("Bash", "ls", attempt=1))
    listen(events.AgentSpoke("more", attempt=1))
    listen(events.RunEnded("r", RunResult(RunOutcome.SOLVED), Path(), 1.0))
    rows = log.list_events("r")
    kinds = [row.kind for row in rows]
    assert kinds == ["agent_spoke", "tool_used", "agent_spoke", "run_ended"]
    assert (rows[0].at, "Mosa1c" in rows[0].values) == (AT.isoformat(), False)
    assert json.loads(rows[0].values)["text"].startswith("--b8f1d2c7\nContent-Disposition")


def test_an_agent_that_never_stops_talking_takes_a_bounded_row() -> None:
    log = MemoryLog()
    listen = record_events(log, "r", MASKER)
    for index in range(20_000):
        listen(events.AgentSpoke(f"line {index}", attempt=1))
    listen(events.StepStarted("next", attempt=1))
    spoke, _ = log.list_events("r")
    assert len(spoke.values) < LONGEST_ROW


def finished(number: int) -> events.AttemptFinished:
    return events.AttemptFinished(RunResult(RunOutcome.RUNNING), attempt=number, at=AT)


def test_a_run_that_goes_on_does_not_record_its_finished_attempts_again() -> None:
    log = MemoryLog()
    record_events(log, "r", MASKER)(finished(1))
    resumed = record_events(log, "r", MASKER)
    resumed(finished(1))
    resumed(finished(2))
    assert [row.attempt for row in log.list_events("r")] == [1, 2]
    assert [row.seq for row in log.list_events("r", after=1)] == [2]


def test_runs_do_not_mix() -> None:
    log = MemoryLog()
    record_events(log, "a", MASKER)(events.Notice("one"))
    record_events(log, "b", MASKER)(events.Notice("two"))
    assert [json.loads(row.values) for row in log.list_events("b")] == [{"text": "two"}]


def test_the_biggest_result_can_be_built_by_this_test() -> None:
    built = huge(Attempt)
    assert len(built.findings) == MANY
    assert SECRET in built.agent.message
