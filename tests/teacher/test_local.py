"""The local teacher with the real SDK against a Messages API on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.replay import Answer, Fault, FaultKind, ReplayServer, Scenario, Tokens
from orchestrator.replay import Reply as Says
from teacher.answer import ANSWER_SCHEMA
from teacher.catalog import DEFAULT_MODEL
from teacher.errors import TeacherMisconfigured, TeacherUnavailable, UnusableAnswer
from teacher.local import LocalTeacher
from teacher.models import UNKNOWN_USAGE, Action, FailureType, Usage
from teacher.prices import calculate_cost
from tests.growing_limits import iter_growing_limits
from tests.teacher.loopback import Loopback, Reply, json_reply
from tests.teacher.samples import ADD, FAILURE, KNOWN, RULE, make_instant_retries, message_saying

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = Tokens(input=1000, output=100, cache_read=2000, cache_write=400)
BILL = Usage(1000, 100, 2000, 400, calculate_cost(DEFAULT_MODEL, Usage(1000, 100, 2000, 400)))


def scenario(*replies: Says) -> Scenario:
    *firsts, last = replies
    return Scenario((*(Answer(reply, times=1) for reply in firsts), Answer(last)))


def refusing(status: int, **keys: object) -> Says:
    return Says(fault=Fault(FaultKind.STATUS, status, **keys))  # type: ignore[arg-type]


def error_body(status: int, message: str = "because") -> Reply:
    return json_reply({"type": "error", "error": {"type": "e", "message": message}}, status)


# ---- what is sent --------------------------------------------------------------------------


def test_the_request_carries_prompt_schema_cache_mark_and_rules() -> None:
    with ReplayServer(scenario(Says(say=ADD))) as model:
        LocalTeacher(max_tokens=321, api_key="key", base_url=model.url).teach(FAILURE, KNOWN)
        [request] = model.requests
    assert request.body["max_tokens"] == 321
    assert request.model == "claude-sonnet-5-5"
    [system] = request.body["system"]
    assert system["cache_control"] == {"type": "ephemeral"}
    assert "the repository's tests failed" in system["text"]
    assert request.schema == ANSWER_SCHEMA
    for rule in KNOWN:
        assert f"[{rule.id}]\nRule: {rule.text.rule}" in request.last_text
    for text in (FAILURE.diff, FAILURE.logs, FAILURE.task, FAILURE.summary, FAILURE.context):
        assert text in request.last_text


def test_the_prompt_of_a_type_can_be_chosen(tmp_path: Path) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text("Look at the moon.", encoding="utf-8")
    prompts = {FailureType.TEST_FAILURE: str(mine)}
    with ReplayServer(scenario(Says(say=ADD))) as model:
        LocalTeacher(prompts=prompts, api_key="key", base_url=model.url).teach(FAILURE, ())
        assert model.requests[0].body["system"][0]["text"].endswith("Look at the moon.")


@pytest.mark.parametrize("variable", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "the second choice")
    monkeypatch.setenv(variable, "a-secret\n")
    with Loopback(message_saying(ADD)) as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        LocalTeacher().teach(FAILURE, ())
        assert api.asked[0].headers["authorization"] == "Bearer a-secret"


def test_a_retired_model_is_replaced_with_a_notice() -> None:
    with ReplayServer(scenario(Says(say=ADD))) as model:
        teacher = LocalTeacher("claude-3-5-sonnet-20241022", api_key="key", base_url=model.url)
        lesson = teacher.teach(FAILURE, ())
        assert model.requests[0].model == lesson.model == teacher.model == "claude-sonnet-5-5"
    assert teacher.notice == (
        "claude-3-5-sonnet-20241022 was retired; using claude-sonnet-5-5 instead; "
        "set teacher.model to silence this"
    )


# ---- what it costs -------------------------------------------------------------------------


def test_a_lesson_carries_its_bill() -> None:
    with ReplayServer(scenario(Says(say=ADD, usage=TOKENS))) as model:
        lesson = LocalTeacher(api_key="key", base_url=model.url).teach(FAILURE, KNOWN)
    assert lesson.action is Action.ADD
    assert lesson.usage == BILL


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Says(say="no idea", usage=TOKENS), "it is not JSON; it said: no idea"),
        (Says(say='{"action": "add"}', usage=TOKENS), "`add` needs `rule`, `when`, `why`"),
        (Says(usage=TOKENS), "it was empty"),
        (
            Says(say='{"reason": "Bec', stop_reason="max_tokens", usage=TOKENS),
            'it was cut off; it said: {"reason": "Bec (raise teacher.max_tokens (now 1024))',
        ),
        (Says(say="", stop_reason="refusal", usage=TOKENS), "the model refused to answer"),
        (Says(stop_reason="model_context_window_exceeded", usage=TOKENS), "it was cut off"),
    ],
)
def test_an_unusable_answer_carries_its_bill(reply: Says, says: str) -> None:
    with ReplayServer(scenario(reply)) as model, pytest.raises(UnusableAnswer) as caught:
        LocalTeacher(api_key="key", base_url=model.url).teach(FAILURE, KNOWN)
    assert says in str(caught.value)
    assert caught.value.usage == BILL


def test_only_billed_tries_are_counted() -> None:
    replies = (refusing(529), refusing(500), Says(say=ADD, usage=TOKENS))
    retries, waits = make_instant_retries()
    with ReplayServer(scenario(*replies)) as model:
        teacher = LocalTeacher(api_key="key", base_url=model.url, retries=retries)
        assert teacher.teach(FAILURE, KNOWN).usage == BILL
        assert len(model.requests) == 3
    assert len(waits) == 2


# ---- what passes if one waits --------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_passing_trouble_is_waited_out(status: int) -> None:
    retries, waits = make_instant_retries()
    with Loopback(error_body(status), message_saying(ADD)) as api:
        teacher = LocalTeacher(api_key="key", base_url=api.url, retries=retries)
        assert teacher.teach(FAILURE, ()).action is Action.ADD
        assert len(api.asked) == 2
    assert len(waits) == 1


def test_retry_after_is_honoured() -> None:
    retries, waits = make_instant_retries()
    with ReplayServer(scenario(refusing(429, retry_after=37), Says(say=ADD))) as model:
        LocalTeacher(api_key="key", base_url=model.url, retries=retries).teach(FAILURE, ())
    assert waits == [37]


def test_retry_after_beyond_the_bound_is_not_waited_for() -> None:
    retries, waits = make_instant_retries(seconds=60)
    with ReplayServer(scenario(refusing(429, retry_after=3600))) as model:
        teacher = LocalTeacher(api_key="key", base_url=model.url, retries=retries)
        with pytest.raises(TeacherUnavailable, match=r"429.*wait until the rate limit") as caught:
            teacher.teach(FAILURE, ())
        assert len(model.requests) == 1
    assert waits == []
    assert caught.value.usage == Usage()


def test_tries_are_bounded() -> None:
    retries, waits = make_instant_retries(tries=3)
    with ReplayServer(scenario(refusing(529))) as model:
        teacher = LocalTeacher(api_key="key", base_url=model.url, retries=retries)
        with pytest.raises(TeacherUnavailable, match=r"529.*Overloaded.*try again later"):
            teacher.teach(FAILURE, ())
        assert len(model.requests) == 3
    assert len(waits) == 2


def test_the_api_can_forbid_a_retry() -> None:
    with Loopback(replace(error_body(500), headers={"x-should-retry": "false"})) as api:
        with pytest.raises(TeacherUnavailable):
            LocalTeacher(api_key="key", base_url=api.url, retries=make_instant_retries()[0]).teach(
                FAILURE, ()
            )
        assert len(api.asked) == 1


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.HANG])
def test_a_broken_connection_is_tried_again(kind: FaultKind) -> None:
    broken = Says(say="x" * 1000, fault=Fault(kind))
    for seconds in iter_growing_limits(0.2 if kind is FaultKind.HANG else 60):
        retries, waits = make_instant_retries()
        with (
            suppress(TeacherUnavailable),  # not even the good answer came within these seconds
            ReplayServer(scenario(broken, Says(say=ADD))) as model,
        ):
            teacher = LocalTeacher(
                api_key="key", base_url=model.url, timeout_seconds=seconds, retries=retries
            )
            assert teacher.teach(FAILURE, ()).action is Action.ADD
            if len(waits) == 1:
                break


def test_requests_to_this_machine_bypass_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name)  # what is left are proxies that nobody answers for
    with ReplayServer(scenario(Says(say=ADD))) as model:
        teacher = LocalTeacher(
            api_key="key", base_url=model.url, retries=make_instant_retries(tries=1)[0]
        )
        assert teacher.teach(FAILURE, ()).action is Action.ADD
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        teacher = LocalTeacher(api_key="key", retries=make_instant_retries(tries=1)[0])
        assert teacher.teach(FAILURE, ()).action is Action.ADD


def test_nobody_there_is_one_clear_line() -> None:
    retries, waits = make_instant_retries(tries=3)
    teacher = LocalTeacher(api_key="key", base_url="http://127.0.0.1:9", retries=retries)
    with pytest.raises(
        TeacherUnavailable, match=r"127\.0\.0\.1:9.*could not be reached.*refused.*network"
    ):
        teacher.teach(FAILURE, ())
    assert len(waits) == 2


# ---- what does not pass --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "check what the API reported"),
        (401, "does not accept this key: correct ANTHROPIC_API_KEY"),
        (403, "check ANTHROPIC_API_KEY and teacher.model"),
        (413, "too large"),
    ],
)
def test_a_refusal_is_not_tried_again(status: int, hint: str) -> None:
    with ReplayServer(scenario(refusing(status, message="so it is"))) as model:
        teacher = LocalTeacher(api_key="key", base_url=model.url, retries=make_instant_retries()[0])
        with pytest.raises(TeacherUnavailable, match=f"{status}.*so it is") as caught:
            teacher.teach(FAILURE, ())
        assert len(model.requests) == 1
    assert hint in caught.value.hint


def test_an_unknown_model_is_a_matter_of_configuration() -> None:
    with ReplayServer(scenario(refusing(404, message="model: nope-1"))) as model:
        teacher = LocalTeacher("nope-1", api_key="key", base_url=model.url)
        with pytest.raises(TeacherMisconfigured, match="does not know the model nope-1") as caught:
            teacher.teach(FAILURE, ())
    assert "claude-sonnet-5-5" in caught.value.hint


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>sign in</html>", {"content-type": "text/html"}),
        Reply(200, b'{"type": "mess', {"content-type": "application/json"}),
        Reply(200, b"[1, 2]", {"content-type": "application/json"}),
        Reply(200, b'"hello"', {"content-type": "application/json"}),
        Reply(200, b"null", {"content-type": "application/json"}),
        json_reply({"hello": "world"}),
        message_saying(ADD, usage=None),
    ],
    ids=lambda reply: reply.body.decode()[-40:],
)
def test_what_is_not_the_messages_api_is_said_to_be_not(reply: Reply) -> None:
    with Loopback(reply) as api:
        teacher = LocalTeacher(api_key="key", base_url=api.url, retries=make_instant_retries()[0])
        with pytest.raises(TeacherUnavailable, match="does not speak the Messages API"):
            teacher.teach(FAILURE, ())


@pytest.mark.parametrize(
    "usage",
    [{}, {"input_tokens": "many"}, {"input_tokens": -5}, {"input_tokens": 10**15}, {"x": 1e308}],
    ids=str,
)
def test_a_bill_that_says_nothing_does_not_cost_the_lesson(usage: dict[str, object]) -> None:
    with Loopback(message_saying(ADD, usage=usage)) as api:
        lesson = LocalTeacher(api_key="key", base_url=api.url).teach(FAILURE, ())
    assert lesson.text == RULE
    assert lesson.usage in (UNKNOWN_USAGE, Usage())


@pytest.mark.parametrize(
    "content", [None, [], "text", [{"type": "thinking", "thinking": "x"}], [{"type": "text"}], [3]]
)
def test_odd_content_is_an_unusable_answer_that_was_billed(content: object) -> None:
    with (
        Loopback(message_saying(ADD, content=content)) as api,
        pytest.raises(UnusableAnswer) as caught,
    ):
        LocalTeacher(api_key="key", base_url=api.url).teach(FAILURE, ())
    assert caught.value.usage.tokens == 2


# ---- before anything is spent --------------------------------------------------------------


def test_preflight_without_a_key_says_what_to_set() -> None:
    with pytest.raises(
        TeacherMisconfigured, match=r"set ORCHESTRATOR_TEACHER_API_KEY.*with ANTHROPIC_API_KEY"
    ):
        LocalTeacher().preflight()


def test_preflight_finds_a_missing_prompt() -> None:
    teacher = LocalTeacher(api_key="key", prompts={FailureType.OTHER: "nope"})
    with pytest.raises(TeacherMisconfigured, match=r"failure_prompts\.other.*'nope'.*default"):
        teacher.preflight()


@pytest.mark.parametrize("key", ["a key", "k\u00e9y", "key\x00", "one\ntwo"])
def test_preflight_refuses_a_key_that_no_header_can_carry(key: str) -> None:
    with pytest.raises(TeacherMisconfigured, match="ANTHROPIC_API_KEY") as caught:
        LocalTeacher(api_key=key).preflight()
    assert key not in str(caught.value)


def test_preflight_is_content_and_sends_nothing() -> None:
    with ReplayServer(scenario(Says(say=ADD))) as model:
        LocalTeacher(api_key="key", base_url=model.url).preflight()
        assert model.requests == ()


def test_a_preflight_takes_no_import_of_the_sdk() -> None:
    code = (
        "import json, sys; from teacher.local import LocalTeacher; t = LocalTeacher(api_key='k');"
        "t.preflight(); print(json.dumps(sorted({'anthropic', 'httpx'} & sys.modules.keys())))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(done.stdout) == []
