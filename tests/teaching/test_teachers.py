"""Pending failures, the fallback teacher, and masking on the road to a rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator import events
from orchestrator.errors import InfrastructureError
from orchestrator.masking import Masker
from orchestrator.rulebook.masked_secret import find_masked_secret
from orchestrator.teaching.pending import Pending
from orchestrator.teaching.teach import TeachingContext, teach_failure
from orchestrator.teaching.teachers import FallbackTeacher
from teacher.errors import TeacherMisconfigured, TeacherUnavailable, UnusableAnswer
from teacher.fake import ScriptedTeacher
from teacher.models import Action, RuleText, Usage
from teacher.models import Lesson as TeacherLesson
from tests.teacher.samples import ADD, FAILURE, KNOWN

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.models import RuleChange
    from orchestrator.ports import Rulebook
    from teacher.models import Failure, KnownRule

DOWN = TeacherUnavailable("nobody is there", "start n8n")
ODD = replace(FAILURE, logs="a lone surrogate: \udcff, a zero: \x00, \U0001f600")


@pytest.fixture
def pending(tmp_path: Path) -> Pending:
    return Pending(tmp_path / "project", tmp_path / "state")


def parts(*answers: object, pending: Pending, rulebook: Rulebook | None = None) -> TeachingContext:
    return TeachingContext(ScriptedTeacher(*answers), Masker(), lambda _: None, rulebook, pending)  # type: ignore[arg-type] # what it takes


def test_a_failure_that_nobody_took_waits_once(pending: Pending) -> None:
    asked = parts(DOWN, DOWN, pending=pending)
    for _ in range(2):
        with pytest.raises(TeacherUnavailable, match="teach --pending") as caught:
            teach_failure(ODD, asked)
    assert caught.value.message == "nobody is there"
    [stored] = pending.list_failures()
    assert (stored.failure, stored.why, stored.lesson) == (ODD, "nobody is there", None)


def test_what_is_taught_waits_no_longer(pending: Pending) -> None:
    pending.record_failure(FAILURE, "down")
    pending.record_failure(ODD, "down")
    taught = teach_failure(FAILURE, parts(ADD, pending=pending))
    assert taught.teaching.lesson is not None
    assert taught.teaching.lesson.action is Action.ADD
    assert [stored.failure for stored in pending.list_failures()] == [ODD]
    assert teach_failure(ODD, parts("no lesson", pending=pending)).teaching.lesson is None
    assert pending.list_failures() == []


class FullDisk:
    """A rulebook that cannot be written."""

    def list_files(self) -> tuple[str, ...]:
        return ()

    def known_rules(self) -> tuple[KnownRule, ...]:
        return ()

    def apply(self, lesson: TeacherLesson, failure: Failure) -> RuleChange | None:
        raise InfrastructureError("the disk is full")


def test_an_answer_that_cannot_be_written_is_not_paid_for_again(pending: Pending) -> None:
    with pytest.raises(InfrastructureError, match="full"):
        teach_failure(FAILURE, parts(ADD, pending=pending, rulebook=FullDisk()))
    [stored] = pending.list_failures()
    assert stored.lesson is not None
    assert stored.lesson.action is Action.ADD
    nobody = parts(pending=pending)
    taught = teach_failure(stored.failure, nobody, lesson=stored.lesson)
    assert taught.teaching.lesson == stored.lesson
    assert pending.list_failures() == []


def test_a_failure_waits_while_the_teacher_is_asked(pending: Pending) -> None:
    class Killed:
        def teach(self, failure: Failure, known_rules: object) -> TeacherLesson:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach_failure(FAILURE, TeachingContext(Killed(), Masker(), lambda _: None, pending=pending))
    assert [stored.failure for stored in pending.list_failures()] == [FAILURE]


def test_what_was_masked_with_less_knowledge_waits_no_longer(pending: Pending) -> None:
    failure = replace(FAILURE, logs="it printed 3xLz-q7Wv-09")
    pending.record_failure(failure, "down")
    asked = ScriptedTeacher(ADD)
    masker = Masker(environment={"MY_TOKEN": "3xLz-q7Wv-09"})
    teach_failure(failure, TeachingContext(asked, masker, lambda _: None, pending=pending))
    assert "3xLz" not in repr(asked.asked)
    assert pending.list_failures() == []


def test_no_secret_is_asked_about_or_kept(pending: Pending) -> None:
    secret = "hunter2hunter2"
    failure = replace(FAILURE, logs=f"mysql -u root -p{secret} shop", task=f"DB_PASSWORD={secret}")
    teacher = ScriptedTeacher(DOWN)
    with pytest.raises(TeacherUnavailable):
        teach_failure(failure, TeachingContext(teacher, Masker(), lambda _: None, pending=pending))
    assert secret not in repr(teacher.asked)
    assert secret not in repr(pending.list_failures())


def test_no_secret_of_an_error_is_kept(pending: Pending) -> None:
    """The journal stores why nothing was learned; an error may quote what the teacher answered."""
    secret = "hunter2hunter2"
    masker, told = Masker(environment={"DB_PASSWORD": secret}), list[events.Event]()
    for error in (UnusableAnswer(f"it said: {secret}"), TeacherUnavailable(f"http 500: {secret}")):
        for queue in (pending, None):
            context = TeachingContext(ScriptedTeacher(error), masker, told.append, pending=queue)
            try:
                shown = teach_failure(FAILURE, context).teaching.trouble
            except TeacherUnavailable as raised:
                shown = str(raised)
            assert secret not in shown
            assert "redacted" in shown
    assert secret not in repr(told)


def test_projects_wait_apart_and_a_damaged_file_harms_no_other(tmp_path: Path) -> None:
    one, other = (Pending(tmp_path / name, tmp_path / "state") for name in ("one", "other"))
    one.record_failure(FAILURE, "down")
    one.record_failure(ODD, "down")
    assert other.list_failures() == []
    damaged = sorted((tmp_path / "state").rglob("*.json"))[0]
    assert damaged.stat().st_mode & 0o077 == 0
    damaged.write_text('{"failure"', encoding="ascii")
    assert len(one.list_failures()) == 1
    assert len(one.list_failures()) == 1


def test_the_second_teacher_is_asked_when_the_first_is_not_there() -> None:
    heard: list[events.Event] = []
    first, second = ScriptedTeacher(DOWN, ADD), ScriptedTeacher(ADD)
    teacher = FallbackTeacher(first, second, heard.append)
    assert teacher.teach(FAILURE, KNOWN).action is Action.ADD
    assert second.asked == first.asked
    assert heard == [events.Notice("asking the local teacher instead: nobody is there")]
    teacher.teach(FAILURE, KNOWN)
    assert len(second.asked) == 1


def test_the_second_teacher_is_not_asked_for_a_better_answer() -> None:
    second = ScriptedTeacher()
    teacher = FallbackTeacher(ScriptedTeacher("no lesson"), second, lambda _event: None)
    with pytest.raises(UnusableAnswer):
        teacher.teach(FAILURE, KNOWN)
    assert second.asked == []


def test_the_second_teacher_is_asked_when_the_workflow_has_an_unknown_model() -> None:
    first = ScriptedTeacher(TeacherMisconfigured("the workflow's model is not known"))
    teacher = FallbackTeacher(first, ScriptedTeacher(ADD), lambda _event: None)
    assert teacher.teach(FAILURE, KNOWN).action is Action.ADD


def test_what_the_first_teacher_has_cost_is_not_lost() -> None:
    lost = TeacherUnavailable("nobody answered", usage=Usage(cost_usd=0.25))
    paid = replace(TeacherLesson(Action.NONE, "x"), usage=Usage(7, cost_usd=0.5))
    both = FallbackTeacher(
        ScriptedTeacher(lost, lost), ScriptedTeacher(paid, DOWN), lambda _event: None
    )
    assert both.teach(FAILURE, KNOWN).usage == Usage(7, cost_usd=0.75)
    with pytest.raises(TeacherUnavailable) as caught:
        both.teach(FAILURE, KNOWN)
    assert caught.value.usage.cost_usd == 0.25


def test_no_secret_is_known_to_a_teacher_or_written_as_its_answer(pending: Pending) -> None:
    secret = RuleText("Never log in", "With DB_PASSWORD=hunter2Suite99", "It was hunter2Suite99")
    teacher = ScriptedTeacher(TeacherLesson(Action.ADD, "DB_PASSWORD=hunter2Suite99", secret))
    taken: list[TeacherLesson] = []

    class Book(FullDisk):
        def known_rules(self) -> tuple[KnownRule, ...]:
            return (replace(KNOWN[0], text=secret),)

        def apply(self, lesson: TeacherLesson, failure: Failure) -> RuleChange | None:
            taken.append(lesson)
            return None

    made = TeachingContext(teacher, Masker(), lambda _event: None, Book(), pending)
    taught = teach_failure(FAILURE, made)
    ((_, known),) = teacher.asked
    assert "hunter2Suite99" not in repr(known)
    # It was paid for, so it is not dropped: the rulebook holds back what has a placeholder.
    assert taken == [taught.teaching.lesson]
    assert find_masked_secret(taken[0])
    assert "hunter2Suite99" not in repr(taken)
    assert pending.list_failures() == []
