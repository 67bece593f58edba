from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teacher.answer import ANSWER_SCHEMA, MAX_SENTENCE, quote_answer, read_answer
from teacher.errors import TeacherError, UnusableAnswer
from teacher.models import Action, Usage
from tests.teacher.samples import ADD, AMEND, KNOWN, RULE, TEXT, make_answer

BILL = Usage(10, 5, cost_usd=0.1)


def test_model_and_bill_are_carried() -> None:
    lesson = read_answer(ADD, KNOWN, model="m", usage=BILL)
    assert (lesson.model, lesson.usage) == ("m", BILL)
    with pytest.raises(UnusableAnswer) as caught:
        read_answer("nonsense", KNOWN, model="m", usage=BILL)
    assert caught.value.usage == BILL


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{ADD}\n```",
        f"  \n```\n{ADD}\n```\n",
        make_answer(action=" ADD ", **TEXT),
        make_answer(action="add", **{key: f" {text} \n" for key, text in TEXT.items()}),
        make_answer(action="add", **TEXT, confidence=0.9),
        make_answer(action="add", **{**TEXT, "target": "r-0001"}),
        json.dumps({**TEXT, "paths": None}),
        json.dumps({**TEXT, "paths": [" ", ""]}),
    ],
)
def test_harmless_differences_are_let_pass(text: str) -> None:
    lesson = read_answer(text, KNOWN)
    assert (lesson.action, lesson.text, lesson.target) == (Action.ADD, RULE, None)
    assert lesson.paths == ()


def test_what_an_action_has_no_use_for_is_dropped() -> None:
    for action in ("reinforce", "none"):
        lesson = read_answer(make_answer(action=action, target="r-0001", **TEXT), KNOWN)
        assert lesson.text is None
        assert lesson.target == ("r-0001" if action == "reinforce" else None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (make_answer(action="amend", target="r-7", **TEXT), "not 'r-7' (r-0001, r-0002, r-0003)"),
        (make_answer(action="add", **{**TEXT, "why": "  "}), "`add` needs `why`"),
        (make_answer(action="add", **{**TEXT, "why": "x" * (MAX_SENTENCE + 1)}), "`why` is longer"),
        (make_answer(action="learn"), "`action` is none of add, "),
        ('{"rule": 1}', "`rule` is not text"),
        (f"Here you are: {ADD}", "it is not JSON"),
        ('"add"', "it is not a JSON object"),
        ('{"rule": "\\ud800", "when": "x", "why": "y"}', "it is not JSON"),
        (make_answer(action="add", paths=[1], **TEXT), "`paths.0` is not text"),
    ],
)
def test_everything_else_is_an_error_that_names_the_place(text: str, says: str) -> None:
    with pytest.raises(UnusableAnswer) as caught:
        read_answer(text, KNOWN)
    assert says in caught.value.message


@settings(deadline=None)
@given(st.text() | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps))
def test_any_text_is_a_lesson_or_a_teacher_error(text: str) -> None:
    with pytest.raises(UnusableAnswer):
        read_answer(text, KNOWN)


@settings(deadline=None)
@given(st.text())
def test_what_came_back_is_shown_on_one_printable_line(text: str) -> None:
    assert quote_answer(text).isprintable()
    assert len(quote_answer(text)) < 350


def test_the_schema_asks_for_what_the_reader_reads() -> None:
    assert set(json.loads(AMEND)) == set(ANSWER_SCHEMA["required"])  # type: ignore[call-overload]
    assert set(ANSWER_SCHEMA["properties"]) == set(ANSWER_SCHEMA["required"])  # type: ignore[call-overload]


def test_errors_survive_a_journal() -> None:
    error = UnusableAnswer("wrong", "fix it", BILL)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(copy, TeacherError)
    assert (copy.message, copy.hint, copy.usage) == ("wrong", "fix it", BILL)
    assert str(copy) == "wrong (fix it)"
