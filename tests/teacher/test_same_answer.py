"""The local teacher and the workflow accept and refuse the same answers, and learn the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from teacher.answer import ANSWER_KEYS, MAX_SENTENCE, read_answer
from teacher.errors import TeacherError, TeacherMisconfigured, TeacherUnavailable, UnusableAnswer
from teacher.local import LocalTeacher
from teacher.models import Action, Lesson, Usage
from teacher.wrapped_answer import unwrap_answer
from tests.teacher.answer_cases import ADDED, ANSWERS, AnswerCase
from tests.teacher.loopback import Loopback, Reply, json_reply
from tests.teacher.reply_cases import REPLIES, ReplyCase
from tests.teacher.samples import ADD, FAILURE, KNOWN, TEXT, make_instant_retries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.teacher.workflow_scripts import WorkflowScripts

KNOWN_IDS = [rule.id for rule in KNOWN]
MESSAGE: Mapping[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": ADD}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 1},
}


def respond(text: str) -> dict[str, Any]:
    """Return the response to `Ask Claude` for words of the model."""
    content = [{"type": "text", "text": text}]
    return {"statusCode": 200, "headers": {}, "body": {**MESSAGE, "content": content}}


def judge_here(text: str) -> tuple[Lesson | None, str]:
    """Return the lesson of the local reader, or its words from the problem on."""
    try:
        return read_answer(text, KNOWN), ""
    except UnusableAnswer as error:
        return None, error.message.removeprefix("the teacher's answer cannot be used: ")


def judge_there(scripts: WorkflowScripts, text: str) -> tuple[Lesson | None, str]:
    """Return the lesson of a client that reads the workflow's answer, or why there is none."""
    made = scripts.read_lesson(respond(text), KNOWN_IDS, version=2)
    reply = made["reply"]
    assert reply["workflow_version"] == 2
    assert reply["usage"]["input_tokens"] == 3
    assert reply["model"] == "m"
    if made["status"] != 200:
        assert (made["status"], reply["kind"]) == (502, "unusable_answer")
        assert reply["error"].isprintable()
        json.dumps(reply, ensure_ascii=False).encode()  # every parser accepts it
        return None, reply["error"]
    unwrapped = unwrap_answer(json.dumps(reply), "https://n8n.example").text
    return read_answer(unwrapped, KNOWN), ""


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.name)
def test_an_answer_is_judged_alike(scripts: WorkflowScripts, case: AnswerCase) -> None:
    here, there = judge_here(case.text), judge_there(scripts, case.text)
    assert here[0] == there[0] == case.lesson
    assert not case.problem or here[1].startswith(f"{case.problem}; it ")
    assert there[1] == case.problem


def test_the_table_has_each_action_and_each_key() -> None:
    assert {case.lesson.action for case in ANSWERS if case.lesson} == set(Action)
    problems = " ".join(case.problem for case in ANSWERS)
    assert all(f"`{key}" in problems for key in ANSWER_KEYS)
    names = [case.name for case in ANSWERS]
    assert len(set(names)) > 90


def test_every_character_is_the_same_space_or_none(scripts: WorkflowScripts) -> None:
    # All of the first plane, many of them in one text, each between letters and at both ends.
    points = [chr(point) for point in range(0x10000) if not 0xD800 <= point < 0xE000]
    for start in range(0, len(points), 4096):
        row = points[start : start + 4096]
        reason = "".join(f"a{char}" for char in row)
        globs = [f"{char}b{char}" for char in row]
        text = json.dumps({**TEXT, "reason": reason, "paths": globs})
        here, there = judge_here(text)[0], judge_there(scripts, text)[0]
        assert here
        assert here == there


WORDS = st.sampled_from(
    (
        *("add", " ADD\n", "amend", "reinforce", "none", "r-0001", "r-0002", "r-9", "null", ""),
        *("x" * MAX_SENTENCE, "\N{GRINNING FACE}" * (MAX_SENTENCE + 1), " \x1c\x85", "\ufeff"),
        *("Straße İK", "a'b", "`x`", "\x00", "```"),
    )
)
TEXTS = WORDS | st.text(max_size=20) | st.text(alphabet="a \n\x1c\x1f\x85\ufeff\u2003", max_size=9)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from((*ANSWER_KEYS, "__proto__", "x"))
ACTIONS = st.sampled_from(("add", "amend", "reinforce", "none", "Add "))
LIKELY = st.fixed_dictionaries(
    {"action": ACTIONS},
    optional={
        "target": st.none() | st.sampled_from(("r-0001", " r-0002\n", "r-9", "")),
        "rule": st.none() | TEXTS,
        "when": TEXTS,
        "why": TEXTS,
        "reason": VALUES,
        "paths": st.none() | st.lists(TEXTS, max_size=3) | VALUES,
        "x": VALUES,
    },
)
COMPLETE = st.builds(lambda given: {**TEXT, **given}, LIKELY)
OBJECTS = LIKELY | COMPLETE | st.dictionaries(KEYS, VALUES, max_size=6)
RAW = st.sampled_from(
    (
        *(
            "\\ud800",
            "\\udc00",
            "\\ud83d\\ude00",
            "\ud800",
            "NaN",
            "-Infinity",
            "1e999",
            "01",
            "\\",
        ),
        *(
            '"rule": 1,',
            '"',
            ",",
            "[" * 60,
            "]" * 60,
            "{",
            "}",
            "\ufeff",
            "\x1c",
            "\n",
            "```",
            "/*",
        ),
        *("\\u0000", "\x00", "\\/", "-", "+", ".5", "5.", "1E+2", "9" * 5000, "\\x41", "\\u12"),
    )
)


@st.composite
def answers(draw: st.DrawFn) -> str:
    """Draw an answer that is nearly a lesson, or one."""
    text = json.dumps(draw(OBJECTS), ensure_ascii=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(RAW) + text[at + draw(st.integers(0, 2)) :]
    start, end = draw(
        st.sampled_from(
            (
                *(("", ""), ("", ""), (" \n", "\x85"), ("\ufeff", ""), ("```json\n", "\n```")),
                *(
                    ("```", "```"),
                    ("\r\n```JSON\r\n", "```\r\n"),
                    ("```J\u017fON ", " ```"),
                    ("```\x1c", ""),
                ),
            )
        )
    )
    return f"{start}{text}{end}"


@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=answers())
def test_any_answer_is_judged_alike(scripts: WorkflowScripts, text: str) -> None:
    here, there = judge_here(text), judge_there(scripts, text)
    assert here[0] == there[0]
    # Python shows a target as Python's text.
    assert here[1].startswith(there[1].partition(", not '")[0])


@pytest.fixture(scope="module")
def api() -> Iterator[Loopback]:
    with Loopback() as api:
        yield api


@pytest.fixture(scope="module")
def teacher(api: Loopback) -> LocalTeacher:
    retries, _ = make_instant_retries(tries=2)
    return LocalTeacher(api_key="key", base_url=api.url, retries=retries)


def build_reply(case: ReplyCase) -> Reply:
    body = {**MESSAGE, **case.changes} if case.body is None else case.body
    if isinstance(body, str):
        return Reply(case.status, body.encode(), {"content-type": "text/html", **case.headers})
    reply = json_reply(body, case.status)
    return replace(reply, headers={**reply.headers, **case.headers})


@pytest.mark.parametrize("case", REPLIES, ids=lambda case: case.name)
def test_a_reply_means_the_same(
    scripts: WorkflowScripts, api: Loopback, teacher: LocalTeacher, case: ReplyCase
) -> None:
    reply = build_reply(case)
    body = (
        json.loads(reply.body) if case.body is None or not isinstance(case.body, str) else case.body
    )
    response = {"statusCode": case.status, "headers": dict(case.headers), "body": body}
    made = scripts.read_lesson(response, KNOWN_IDS, version=2)
    assert made["reply"]["workflow_version"] == 2
    assert made["reply"].get("kind", "") == case.kind

    api.replies.clear()
    api.replies.append(reply)
    api.asked.clear()
    if case.error is None:
        lesson = replace(teacher.teach(FAILURE, KNOWN), model="", usage=Usage())
        api.wait_until_idle()
        assert lesson == ADDED
        assert made["status"] == 200
        assert read_answer(json.dumps(made["reply"]), KNOWN) == ADDED
        return
    with pytest.raises(TeacherError) as caught:
        teacher.teach(FAILURE, KNOWN)
    api.wait_until_idle()
    assert type(caught.value) is case.error
    assert len(api.asked) == (2 if case.is_retried else 1)
    assert made["status"] == (429 if case.status == 429 else 502)
    assert case.words in str(caught.value)
    assert case.words in made["reply"]["error"]
    assert made["reply"]["error"].isprintable()


ERRORS: Mapping[str, type[TeacherError]] = {
    "try_again": TeacherUnavailable,
    "refused": TeacherUnavailable,
    "misconfigured": TeacherUnavailable,
    "unknown_model": TeacherMisconfigured,
    "unusable_answer": UnusableAnswer,
}
MESSAGES = st.builds(
    lambda changes: {**MESSAGE, **changes},
    st.fixed_dictionaries(
        {},
        optional={
            "content": VALUES | st.lists(st.fixed_dictionaries({"text": st.just(ADD) | VALUES})),
            "stop_reason": VALUES | st.sampled_from(("refusal", "max_tokens", "end_turn")),
            "usage": VALUES | st.dictionaries(st.just("input_tokens"), VALUES),
        },
    ),
)
FAULTS = VALUES | st.fixed_dictionaries(
    {"error": VALUES | st.dictionaries(st.just("message"), VALUES)}
)
REJECTIONS = st.tuples(st.sampled_from((400, 404, 409, 429, 500, 529)), FAULTS)


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(given=st.tuples(st.just(200), MESSAGES | VALUES) | REJECTIONS)
def test_any_reply_means_the_same(
    scripts: WorkflowScripts, api: Loopback, teacher: LocalTeacher, given: tuple[int, object]
) -> None:
    status, value = given
    assume("NaN" not in (text := json.dumps(value)))
    assume("Infinity" not in text)
    api.replies.clear()
    api.replies.append(json_reply(value, status))
    made = scripts.read_lesson({"statusCode": status, "headers": {}, "body": value}, KNOWN_IDS)
    here: object
    try:
        here = replace(teacher.teach(FAILURE, KNOWN), model="", usage=Usage())
    except TeacherError as error:
        here = type(error)
    finally:
        api.wait_until_idle()
    if made["status"] == 200:
        assert read_answer(json.dumps(made["reply"]), KNOWN) == here
    else:
        assert ERRORS[made["reply"]["kind"]] is here


def test_the_wait_that_the_api_asks_for_is_passed_on(scripts: WorkflowScripts) -> None:
    def wait(status: int, **headers: str) -> object:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        response = {"statusCode": status, "headers": named, "body": ""}
        return scripts.read_lesson(response)["retry_after"]

    assert wait(429, retry_after="7") == wait(529, retry_after="7") == "7"
    assert wait(429) == 10
    assert wait(500) == 0


def test_json_of_another_content_type_is_read(scripts: WorkflowScripts) -> None:
    response = {"statusCode": 200, "headers": {}, "body": json.dumps(MESSAGE)}
    assert scripts.read_lesson(response)["status"] == 200


def test_a_long_answer_is_cut_between_characters(scripts: WorkflowScripts) -> None:
    answer = "x" + "\N{GRINNING FACE}" * 3000
    shown = scripts.read_lesson(respond(answer))["reply"]["answer"]
    assert shown == answer[:2000]
