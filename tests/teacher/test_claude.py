"""The question to the program is that of the other teachers, and every end of it is explained."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teacher.answer import ANSWER_SCHEMA
from teacher.claude import ClaudeTeacher, Question, Reply, ReplyEnd
from teacher.errors import NoKey, TeacherError, TeacherMisconfigured, UnusableAnswer
from teacher.models import UNKNOWN_USAGE, FailureType, Usage
from teacher.prompt import build_request
from teacher.second_look import SECOND_LOOK_SCHEMA, build_second_look
from tests.teacher.samples import ADD, FAILURE, KNOWN, RULE

BILL = Usage(100, 50, cost_usd=0.1)


class FakeProgram:
    """Gives one reply, and remembers what it was asked."""

    def __init__(self, reply: Reply | None = None) -> None:
        self.reply = reply or Reply(ReplyEnd.ANSWERED, ADD, BILL)
        self.asked: list[Question] = []

    def preflight(self) -> None:
        raise NoKey("no login", "log in")

    def ask(self, question: Question) -> Reply:
        self.asked.append(question)
        return self.reply


@pytest.mark.parametrize("type_", FailureType)
def test_the_question_is_that_of_the_other_teachers(type_: FailureType) -> None:
    program, failure = FakeProgram(), replace(FAILURE, type=type_)
    lesson = ClaudeTeacher(program, "opus", 77, timeout_seconds=9).teach(failure, KNOWN)
    assert (lesson.text, lesson.model, lesson.usage) == (RULE, "claude-opus-5-5", BILL)
    request = build_request(failure, KNOWN)
    assert program.asked == [Question(request, ANSWER_SCHEMA, "claude-opus-5-5", 77, 9)]


def test_the_second_look_is_that_of_the_other_teachers() -> None:
    answer = '{"about_code": false, "reason": "It is about git."}'
    program = FakeProgram(Reply(ReplyEnd.ANSWERED, answer, BILL))
    look = ClaudeTeacher(program).examine_rule(RULE)
    assert (look.about_code, look.reason, look.usage) == (False, "It is about git.", BILL)
    [question] = program.asked
    assert (question.request, question.schema) == (build_second_look(RULE), SECOND_LOOK_SCHEMA)


def test_a_prompt_that_is_missing_is_found_before_the_program_is_asked() -> None:
    with pytest.raises(TeacherMisconfigured, match="no prompt named 'none'"):
        ClaudeTeacher(FakeProgram(), prompts={FailureType.OTHER: "none"}).preflight()
    with pytest.raises(NoKey):
        ClaudeTeacher(FakeProgram()).preflight()


@given(
    st.sampled_from([end for end in ReplyEnd if end is not ReplyEnd.ANSWERED]),
    st.text(),
    st.sampled_from([BILL, Usage(), UNKNOWN_USAGE]),
    st.none() | st.integers(min_value=100, max_value=599),
)
def test_every_end_is_one_line_with_a_hint_and_the_bill(
    end: ReplyEnd, text: str, usage: Usage, status: int | None
) -> None:
    program = FakeProgram(Reply(end, text, usage, status))
    with pytest.raises(TeacherError) as caught:
        ClaudeTeacher(program).teach(FAILURE, KNOWN)
    assert caught.value.hint
    assert caught.value.usage == usage
    assert str(caught.value).isprintable()
    is_of_model = end in (ReplyEnd.CUT_OFF, ReplyEnd.REFUSED)
    assert isinstance(caught.value, UnusableAnswer) == is_of_model


@pytest.mark.parametrize("end", [ReplyEnd.NOT_LOGGED_IN])
@pytest.mark.parametrize("hint", ["", "log in again: `/opt/claude auth login`"])
def test_a_login_that_is_not_accepted_is_not_waited_for(end: ReplyEnd, hint: str) -> None:
    program = FakeProgram(Reply(end, "Invalid API key", status=401, hint=hint))
    with pytest.raises(TeacherError) as caught:
        ClaudeTeacher(program).teach(FAILURE, KNOWN)
    assert caught.value.hint == (hint or "log in with `claude auth login`")
    assert "(401)" in caught.value.message
    assert "wait" not in str(caught.value)
