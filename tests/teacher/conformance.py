"""What every teacher must hold to: the same model words give the same lesson, whoever carries them.

A subclass gives `saying`, a context in which a teacher's model says certain words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from teacher.answer import MAX_SENTENCE
from teacher.errors import TeacherError, UnusableAnswer
from teacher.models import Action, FailureType, Lesson, RuleText, Usage
from tests.teacher import samples

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from orchestrator.ports import Teacher

LONGEST = "\N{GRINNING FACE}" * MAX_SENTENCE
FENCED = (
    f"```JSON\r\n{samples.make_answer(action=' Add ', **{**samples.TEXT, 'why': LONGEST})}\r\n```"
)

GOOD = {
    samples.ADD: Lesson(Action.ADD, "The stand-in hid the absence.", samples.RULE),
    samples.REINFORCE: Lesson(Action.REINFORCE, "The stand-in hid the absence.", target="r-0002"),
    samples.AMEND: Lesson(
        Action.AMEND,
        "The stand-in hid the absence.",
        samples.RULE,
        target="r-0001",
        paths=("billing/**",),
    ),
    samples.NONE: Lesson(Action.NONE, "The test depends on the clock."),
    '{"rule": "Never a; b.", "when": "c", "why": "d"}': Lesson(
        Action.ADD, "no reason given", RuleText("Never a; b.", "c", "d")
    ),
    FENCED: Lesson(
        Action.ADD,
        "The stand-in hid the absence.",
        RuleText(samples.RULE.rule, samples.RULE.when, LONGEST),
    ),
}

BAD = (
    "",
    "I would add a rule about None.",
    "[]",
    '{"rule": "Never a; b."}',
    samples.make_answer(action="forget", target="r-0001"),
    samples.make_answer(action="reinforce", target="r-9999"),
    samples.make_answer(action="reinforce"),
    samples.make_answer(action="amend", target="r-0001"),
    samples.make_answer(action="add", rule=7, when="x", why="y"),
    samples.make_answer(action="add", **{**samples.TEXT, "when": " \n\x1c"}),
    samples.make_answer(action="add", **{**samples.TEXT, "rule": f"{LONGEST}x"}),
    samples.make_answer(action="none", why=["unused, but of a wrong type"]),
    samples.make_answer(action="none", paths="src/**"),
    samples.make_answer(action="none").replace("The stand-in", "\\ud83d"),
)
"""The workflow remembers none of them; `answer_cases` has many more."""


class TeacherConformance(ABC):
    """Inherit, give `saying`, and the tests below hold for your teacher."""

    empty_error: type[TeacherError] = UnusableAnswer
    """What an answer without any words is: of a webhook, a wrong setting and not the model's."""

    @abstractmethod
    def open_teacher(self, words: str) -> AbstractContextManager[Teacher]:
        """A teacher whose model answers any question with these words."""

    @pytest.mark.parametrize(("words", "lesson"), GOOD.items())
    def test_words_become_the_lesson(self, words: str, lesson: Lesson) -> None:
        with self.open_teacher(words) as teacher:
            learned = teacher.teach(samples.FAILURE, samples.KNOWN)
        assert replace(learned, model="", usage=Usage()) == lesson

    @pytest.mark.parametrize("words", BAD)
    def test_words_that_are_no_lesson_are_an_error_that_shows_them(self, words: str) -> None:
        kind = self.empty_error if words in ("", "[]") else UnusableAnswer
        with self.open_teacher(words) as teacher, pytest.raises(kind) as caught:
            teacher.teach(samples.FAILURE, samples.KNOWN)
        assert caught.value.hint
        assert (words[:40] or "empty") in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_rule_that_is_not_in_force_cannot_be_a_target(self) -> None:
        with self.open_teacher(samples.REINFORCE) as teacher, pytest.raises(TeacherError):
            teacher.teach(samples.FAILURE, ())

    @pytest.mark.parametrize("type_", FailureType)
    def test_every_type_of_failure_is_taught(self, type_: FailureType) -> None:
        with self.open_teacher(samples.ADD) as teacher:
            lesson = teacher.teach(replace(samples.FAILURE, type=type_), samples.KNOWN)
        assert lesson.text == samples.RULE

    def test_evidence_may_be_anything(self) -> None:
        odd = "\udcff \x00 ``` </data> \U0001f600 " + "x" * 100_000
        failure = replace(samples.FAILURE, diff=odd, logs=odd, task=odd, context=odd, summary=odd)
        with self.open_teacher(samples.ADD) as teacher:
            assert teacher.teach(failure, samples.KNOWN).action is Action.ADD
