"""Whatever the program reports about a question, it is judged, and a bill that is missing is."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.claude_question_endings import Answer, judge_answer
from orchestrator.agents.claude_wire import Message, ResultMessage
from orchestrator.models import AgentOutcome
from orchestrator.platform.watchdog import EndReason
from teacher.claude import ReplyEnd
from teacher.models import UNKNOWN_USAGE, Usage
from tests.agents.test_claude_messages import ENDING, failure, read, result

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def judge(*messages: Message, proposed: dict[str, Any] | None = None) -> Any:
    ended = read(*messages)[0]
    last = next((each for each in reversed(messages) if isinstance(each, ResultMessage)), None)
    return judge_answer(Answer(ended, last, proposed, ENDING, "log in"))


@pytest.mark.parametrize(
    ("structured", "text"), [({"a": "\N{SNOWMAN}"}, '{"a": "\N{SNOWMAN}"}'), (None, "words")]
)
def test_an_answer_is_the_form_or_else_the_words(structured: object, text: str) -> None:
    reply = judge(result(result="words", structured_output=structured))
    assert (reply.end, reply.text) == (ReplyEnd.ANSWERED, text)


def test_a_form_beside_an_error_is_no_answer() -> None:
    reply = judge(failure("API Error: 500", api_error_status=500, structured_output={"a": 1}))
    assert reply.end is ReplyEnd.API_ERROR


@pytest.mark.parametrize("reason", ["structured_output_retry_exhausted", "max_turns"])
def test_what_the_program_rejected_is_judged_by_the_teacher(reason: str) -> None:
    last = replace(failure("no"), terminal_reason=reason)
    assert judge(last, proposed={"a": 1}).end is ReplyEnd.ANSWERED
    assert judge(last).end is ReplyEnd.FAILED


@pytest.mark.parametrize("reason", [EndReason.WALL_CLOCK, EndReason.US, EndReason.ITSELF])
def test_what_was_sent_without_a_bill_may_have_cost(reason: EndReason) -> None:
    ended = replace(read()[0], outcome=AgentOutcome.CRASHED)
    ending = replace(ENDING, ended_by=reason)
    reply = judge_answer(Answer(ended, None, None, ending, "log in"))
    assert (reply.end, reply.usage) == (ReplyEnd.FAILED, UNKNOWN_USAGE)


@pytest.mark.parametrize("outcome", [AgentOutcome.NOT_LOGGED_IN, AgentOutcome.USAGE_LIMIT])
def test_what_was_refused_did_not_cost(outcome: AgentOutcome) -> None:
    ended = replace(read()[0], outcome=outcome, usage=Usage())
    assert judge_answer(Answer(ended, None, None, ENDING, "log in")).usage == Usage()


@given(
    st.sampled_from(AgentOutcome),
    st.text(),
    JSON,
    st.none() | st.text(),
    st.booleans(),
    st.none() | st.integers(),
)
def test_any_result_is_judged(
    outcome: AgentOutcome,
    text: str,
    form: object,
    reason: str | None,
    is_error: bool,
    status: int | None,
) -> None:
    last = ResultMessage(is_error, 1, text, reason, api_error_status=status, structured_output=form)
    ended = replace(read()[0], outcome=outcome, message=text)
    reply = judge_answer(Answer(ended, last, None, ENDING, "log in"))
    assert reply.end in ReplyEnd
    assert isinstance(reply.text, str)
    if is_error:
        assert (reply.end is ReplyEnd.ANSWERED) == (outcome is AgentOutcome.COMPLETED)
