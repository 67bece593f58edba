from orchestrator.sessions.detectors.interruptions import find_interruptions
from orchestrator.sessions.models import Denial
from tests.sessions.hand_made import Script, build_session


def count(script: Script) -> int:
    return len(list(find_interruptions(build_session(script))))


def test_an_interruption_is_found() -> None:
    (found,) = find_interruptions(build_session(Script().prompt("Go").answer().interrupt()))
    assert (found.row, found.detail) == ("r2", {"tool": ""})


def test_an_interruption_right_after_a_rejection_is_the_rejection() -> None:
    assert count(Script().prompt("Go").answer().reject().interrupt()) == 0


def test_it_is_another_event_once_the_model_has_answered() -> None:
    assert count(Script().prompt("Go").reject("use pnpm").answer().interrupt()) == 1


def test_an_interrupted_call_and_its_row_are_one_event() -> None:
    script = Script().prompt("Go").call("Bash", denial=Denial.INTERRUPTED).interrupt()
    (found,) = find_interruptions(build_session(script))
    assert found.detail == {"tool": "Bash"}


def test_parallel_calls_are_interrupted_once() -> None:
    script = Script().prompt("Go")
    for _ in range(3):
        script.call("Bash", message="m1", denial=Denial.INTERRUPTED)
    assert count(script.interrupt()) == 1


def test_each_prompt_can_be_interrupted() -> None:
    script = Script().prompt("Go").interrupt().prompt("Go on").interrupt()
    assert count(script) == 2


def test_an_ordinary_session_has_none() -> None:
    assert count(Script().prompt("Go").answer().bash("ls").call("Read", denial=Denial.HOOK)) == 0
