import pytest

from teacher.errors import TeacherUnavailable
from teacher.fake import ScriptedTeacher
from teacher.models import Action, Lesson
from tests.teacher.samples import ADD, FAILURE, KNOWN


def test_items_come_in_order_and_questions_are_remembered() -> None:
    lesson = Lesson(Action.NONE, "flaky")
    teacher = ScriptedTeacher(lesson)
    teacher.enqueue(TeacherUnavailable("down"))
    teacher.enqueue(ADD)
    assert teacher.teach(FAILURE, KNOWN) is lesson
    with pytest.raises(TeacherUnavailable):
        teacher.teach(FAILURE, ())
    assert teacher.teach(FAILURE, ()).action is Action.ADD
    assert teacher.asked == [(FAILURE, KNOWN), (FAILURE, ()), (FAILURE, ())]


def test_one_question_too_many_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="nothing left to say"):
        ScriptedTeacher().teach(FAILURE, ())
