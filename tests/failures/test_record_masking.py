"""What is recorded contains no secret."""

from __future__ import annotations

from orchestrator.failures.record_masking import mask_lesson
from orchestrator.masking import Masker
from teacher.models import Action, Lesson, RuleText

TOKEN = "tok-Zq8Wn3Lk5Xv7Bt2"


def test_no_text_of_a_lesson_contains_a_secret() -> None:
    # A server may send back what it was sent, in any key: the header with the token, too.
    text = f"Authorization: Bearer {TOKEN}"
    lesson = Lesson(
        action=Action.ADD,
        reason=text,
        text=RuleText(text, text, text),
        target=None,
        paths=(text,),
        concern=text,
        model=text,
    )
    masked = mask_lesson(Masker(environment={"N8N_WEBHOOK_TOKEN": TOKEN}), lesson)
    assert TOKEN not in repr(masked)
    assert masked.action is Action.ADD
