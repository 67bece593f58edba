"""What n8n makes of a lesson, depending on nodes and settings, and what says which to change."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teacher.errors import TeacherUnavailable
from teacher.models import Usage
from teacher.webhook import WebhookTeacher
from teacher.wrapped_answer import unwrap_answer
from tests.teacher.loopback import Loopback, Reply, json_reply
from tests.teacher.samples import ADD, FAILURE, KNOWN, RULE, TEXT

LESSON = json.loads(ADD)
FENCED = f"```json\n{ADD}\n```"
BLOCKS = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": ADD}]

WRAPPED = {
    "one item": [LESSON],
    "all incoming items": [{"json": LESSON, "pairedItem": {"item": 0}}],
    "agent node": {"output": FENCED},
    "fence on one line": {"output": f"```json {ADD}```"},
    "agent node with a parser": {"output": LESSON},
    "chain node": [{"text": ADD}],
    "chain node with a parser": [{"output": {"output": LESSON}}],
    "OpenAI node": [{"index": 0, "message": {"role": "assistant", "content": ADD}}],
    "OpenAI API": {"choices": [{"message": {"role": "assistant", "content": FENCED}}]},
    "Anthropic node": {"content": BLOCKS, "stop_reason": "end_turn"},
    "HTTP Request node": {"body": {"content": BLOCKS}, "headers": {}, "statusCode": 200},
    "aggregate": {"data": [LESSON]},
    "wrapped as text": {"data": json.dumps({"output": ADD})},
    "body": {"body": LESSON},
    "text of text": ADD,
}


@pytest.mark.parametrize("value", WRAPPED.values(), ids=WRAPPED)
def test_a_lesson_is_found_where_nodes_put_it(value: object) -> None:
    with Loopback(json_reply(value)) as workflow:
        assert WebhookTeacher(workflow.url).teach(FAILURE, KNOWN).text == RULE


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"\xef\xbb\xbf" + ADD.encode(), headers={"content-type": "text/plain"}),
        Reply(body=gzip.compress(ADD.encode()), headers={"content-encoding": "gzip"}),
        Reply(body=f"\r\n {FENCED} \r\n".encode(), headers={"content-type": "text/html"}),
        Reply(201, ADD.encode()),
    ],
    ids=["byte order mark", "gzip", "fence", "created"],
)
def test_a_lesson_is_read_however_it_is_sent(reply: Reply) -> None:
    with Loopback(reply) as workflow:
        assert WebhookTeacher(workflow.url).teach(FAILURE, KNOWN).text == RULE


def test_the_bill_is_found_around_the_lesson() -> None:
    bill = {"input_tokens": 1000, "output_tokens": 50, "cache_read_input_tokens": 7}
    answer = {"model": "claude-sonnet-5-5", "content": BLOCKS, "usage": bill}
    with Loopback(json_reply([answer])) as workflow:
        lesson = WebhookTeacher(workflow.url).teach(FAILURE, KNOWN)
    assert lesson.model == "claude-sonnet-5-5"
    assert (lesson.usage.tokens, lesson.usage.cost_usd > 0) == (1057, True)
    assert lesson.usage != Usage()


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b'{"message":"Workflow was started"}', "set Respond of the node Webhook from"),
        (b"", "connect that node"),
        (b" \n ", "connect that node"),
        (b"[]", "connect that node"),
        (b"{}", "connect that node"),
        (b'""', "connect that node"),
        (b"<!DOCTYPE html><title>Sign in</title>", "Production URL"),
        (b"\xef\xbb\xbf <html><body>n8n</body></html>", "Production URL"),
        (json.dumps([TEXT, TEXT]).encode(), "First Incoming Item"),
        (json.dumps([{"output": ADD}, {"output": ADD}]).encode(), "First Incoming Item"),
    ],
)
def test_what_only_a_setting_explains_names_the_setting(body: bytes, hint: str) -> None:
    with Loopback(Reply(body=body)) as workflow, pytest.raises(TeacherUnavailable) as caught:
        WebhookTeacher(workflow.url).teach(FAILURE, KNOWN)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.floats(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["output", "text", "content", "data", "x"]), inner)
        ),
    )
)
def test_what_has_no_lesson_is_left_as_it_is_or_explained(value: object) -> None:
    text = json.dumps(value)
    with suppress(TeacherUnavailable):  # a setting explains it
        assert unwrap_answer(text, "x").text == text
