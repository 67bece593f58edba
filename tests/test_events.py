"""Events say whose they are and when, and no listener ends a run."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from orchestrator import events
from orchestrator.events import AgentSpoke, Event, Notice, RunEvents, ToolUsed, event_name, fan_out


def fails_on(kind: type[Event], error: BaseException) -> Callable[[Event], None]:
    """Return a listener that cannot bear one kind of event."""

    def listen(event: Event) -> None:
        if isinstance(event, kind):
            raise error

    return listen


def texts(heard: list[Event]) -> list[str]:
    return [event.text for event in heard if isinstance(event, Notice | AgentSpoke)]


def test_an_event_knows_its_time_and_is_equal_to_one_of_another_time_and_run() -> None:
    early = ToolUsed("Bash", "ls", at=datetime(2026, 1, 1, tzinfo=UTC), run="a", attempt=1)
    late = ToolUsed("Bash", "ls", id="call-1")
    assert late.at.tzinfo is UTC
    assert early == late
    assert hash(early) == hash(late)


def test_every_event_of_a_run_is_stamped_with_the_attempt_in_hand() -> None:
    heard: list[Event] = []
    emit = RunEvents("run-1", heard.append)
    emit(Notice("before"))
    emit.set_attempt(2)
    said = AgentSpoke("working")
    emit(said)
    emit.set_attempt(0)
    emit(Notice("after"))
    assert [(event.run, event.attempt) for event in heard] == [
        ("run-1", 0),
        ("run-1", 2),
        ("run-1", 0),
    ]
    assert heard[1].at == said.at


def test_listeners_that_come_later_hear_first() -> None:
    heard: list[str] = []
    emit = RunEvents("run-1", lambda _event: heard.append("console"))
    emit.listen_first(lambda _event: heard.append("record"), lambda _event: heard.append("log"))
    emit(Notice("x"))
    assert heard == ["record", "log", "console"]


def test_a_listener_that_raises_is_logged_and_reported_once(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    heard: list[Event] = []
    emit = fan_out([fails_on(AgentSpoke, OSError("disk full")), heard.append])
    with caplog.at_level(logging.ERROR, events.__name__):
        for text in ("one", "two"):
            emit(AgentSpoke(text, run="r", attempt=3))
    reported = "a listener failed on agent_spoke: OSError: disk full"
    assert texts(heard) == ["one", reported, "two"]
    assert (heard[1].run, heard[1].attempt) == ("r", 3)
    assert [record.getMessage() for record in caplog.records] == [
        "a listener failed on agent_spoke"
    ] * 2
    assert "Traceback" in caplog.text
    assert capfd.readouterr().err == ""


def test_a_listener_that_always_raises_cannot_end_a_run() -> None:
    heard: list[Event] = []
    emit = RunEvents("r", fails_on(Event, RuntimeError("broken")), heard.append)
    emit(Notice("one"))
    emit(Notice("two"))
    assert texts(heard) == [
        "one",
        "a listener failed on notice: RuntimeError: broken",
        "two",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_what_ends_the_program_passes_through(error: BaseException) -> None:
    with pytest.raises(type(error)):
        RunEvents("r", fails_on(Notice, error))(Notice("x"))


def test_names_of_events_are_stable() -> None:
    kinds = [kind for kind in Event.__subclasses__() if kind.__module__ == events.__name__]
    assert sorted(event_name(kind.__new__(kind)) for kind in kinds) == [
        "agent_finished",
        "agent_spoke",
        "agent_waiting",
        "attempt_finished",
        "attempt_started",
        "case_finished",
        "diff_taken",
        "files_guarded",
        "judged",
        "lesson_learned",
        "notice",
        "ready",
        "rule_written",
        "run_ended",
        "run_planned",
        "run_started",
        "step_started",
        "suite_finished",
        "suite_running",
        "tampered",
        "teaching_started",
        "tool_ended",
        "tool_used",
    ]
