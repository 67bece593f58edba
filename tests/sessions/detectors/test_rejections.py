import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.detectors.rejections import find_rejections
from orchestrator.sessions.detectors.user_text import (
    MOST_OF_KEY,
    Intent,
    find_intent,
    normalize_text,
    strip_harness_text,
)
from orchestrator.sessions.models import Denial, SessionClass
from tests.sessions.hand_made import Script, build_session


def test_the_words_of_a_rejection_are_found_with_their_tool() -> None:
    script = Script().prompt("Fix it").reject("don't run CI, too slow.")
    (found,) = find_rejections(build_session(script))
    assert found.quote == "don't run CI, too slow."
    assert found.key == "don't run ci too slow"
    assert found.detail == {"tool": "Bash", "intent": "instruction"}
    assert found.row == "r1-result"


def test_a_rejection_without_words_is_none() -> None:
    assert not list(find_rejections(build_session(Script().prompt("Fix it").reject())))


def test_a_result_that_quotes_a_rejection_is_none() -> None:
    quoted = "To tell you how to proceed, the user said:\nuse pnpm"
    script = Script().prompt("Show the log").bash("cat log", quoted)
    assert not list(find_rejections(build_session(script)))


@pytest.mark.parametrize(
    "denial", [Denial.UNATTENDED, Denial.HOOK, Denial.RULE, Denial.INTERRUPTED]
)
def test_only_a_person_rejects(denial: Denial) -> None:
    script = Script().prompt("Fix it").call("Bash", denial=denial, words="use pnpm")
    assert not list(find_rejections(build_session(script)))


@pytest.mark.parametrize("kind", [SessionClass.HEADLESS, SessionClass.SUBAGENT])
def test_a_program_does_not_reject(kind: SessionClass) -> None:
    script = Script().prompt("Fix it").reject("use pnpm")
    assert not list(find_rejections(build_session(script, kind=kind)))


def test_parallel_calls_with_the_same_words_were_rejected_once() -> None:
    script = Script().reject("use pnpm", message="m1").reject("use pnpm", message="m1")
    assert len(list(find_rejections(build_session(script)))) == 1
    script.reject("use pnpm", message="m2")
    assert len(list(find_rejections(build_session(script)))) == 2


def test_what_claude_code_writes_in_place_of_words_is_none() -> None:
    text = "The user wants to clarify these questions.\n    This means they may have"
    assert not list(find_rejections(build_session(Script().reject(text))))
    note = "\n\nNote: The user's next message may contain a correction or preference."
    assert strip_harness_text(f"use pnpm{note}") == "use pnpm"


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("let's cut a branch first", Intent.INSTRUCTION),
        ("can you use a switch case instead of linked ifelse?", Intent.INSTRUCTION),
        ("just reset, can you reference the PR, and link the two issues?", Intent.INSTRUCTION),
        ("can't we change those funcs to take an id instead?", Intent.INSTRUCTION),
        ("can\u2019t we change those funcs?", Intent.INSTRUCTION),
        ("what is the simplest implementation?", Intent.QUESTION),
        ("are there compilation problems? is CI green?", Intent.QUESTION),
        ("is this needed? remove it", Intent.INSTRUCTION),
        ("i'll take it from here.", Intent.TAKING_OVER),
        ("wait please let's talk about this", Intent.TAKING_OVER),
        ("keep going", Intent.TAKING_OVER),
        ("hang on a sec, I'll get you a log", Intent.TAKING_OVER),
        ("kannst du bitte pnpm nehmen?", Intent.INSTRUCTION),
        ("warum?", Intent.QUESTION),
        ("main is clean", Intent.STATEMENT),
        ("too slow.", Intent.STATEMENT),
        ("lol I guess this is idiomatic then", Intent.STATEMENT),
        ("our session starts with 7a3cf82d-9284-4b61-9e6b", Intent.STATEMENT),
        ("settings.json and settings.local.json", Intent.STATEMENT),
        ("don't run CI, too slow.", Intent.INSTRUCTION),
        ("just look in the local folder", Intent.INSTRUCTION),
        ("we use pnpm here", Intent.INSTRUCTION),
        ("lol, this is wrong, we should go straight into IDLE", Intent.INSTRUCTION),
        ("tests with a real server, not with a fake one", Intent.INSTRUCTION),
        ("das ist falsch, nimm pnpm", Intent.INSTRUCTION),
        ("reply to https://github.com/a/b/pull/1#d2", Intent.ONE_OBJECT),
        ("can you link the PR on 260?", Intent.ONE_OBJECT),
        ("fix ENT-250 first", Intent.ONE_OBJECT),
        ("revert 1a2b3c4d", Intent.ONE_OBJECT),
        ("always fetch through https://proxy.example", Intent.INSTRUCTION),
        ("never encode as UTF-16", Intent.INSTRUCTION),
    ],
)
def test_the_intent_of_words(text: str, intent: Intent) -> None:
    assert find_intent(text) is intent


def test_a_key_holds_no_path_number_quotation_or_identifier() -> None:
    text = (
        'Use "x y" from /home/me/a.py, not `b c`, see https://a.b/c?d=1 at 10:30,'
        " commit 7a3cf82d or AKIAIOSFODNN7EXAMPLE; mail me@a.org"
    )
    assert normalize_text(text) == "use from not see at commit or mail"


@given(st.text(max_size=3_000))
def test_a_key_is_short_and_stays_as_it_is(text: str) -> None:
    key = normalize_text(text)
    assert len(key) <= MOST_OF_KEY
    assert not any(char.isdigit() or char in '/\\"\n' for char in key)
    assert normalize_text(f"  {text} ") == normalize_text(text) or len(text) > 1_990
    find_intent(text)


@pytest.mark.parametrize("text", ["a" * 1_000_000, "(" * 1_000_000, "1" * 1_000_000, "`" * 99_999])
@pytest.mark.timeout(20)
def test_long_words_cost_no_time(text: str) -> None:
    assert len(normalize_text(text)) <= MOST_OF_KEY
    find_intent(text)
    assert len(list(find_rejections(build_session(Script().reject(text))))) <= 1
