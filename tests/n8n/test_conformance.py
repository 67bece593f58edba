"""The shipped workflow in a real n8n is a teacher like the others."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.n8n.model import make_scenario
from tests.n8n.samples import new_failure
from tests.teacher.conformance import TeacherConformance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.ports import Teacher
    from orchestrator.replay import ReplayServer
    from teacher.models import Failure, KnownRule, Lesson
    from teacher.webhook import WebhookTeacher


class _Fresh:
    """Asks each question as a new one, which the workflow cannot remember."""

    def __init__(self, teacher: WebhookTeacher) -> None:
        self._teacher = teacher

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        return self._teacher.teach(new_failure(failure), known_rules)


class TestThroughN8n(TeacherConformance):
    @pytest.fixture(autouse=True)
    def parts(self, model: ReplayServer, teacher: WebhookTeacher) -> None:
        self.model, self.teacher = model, _Fresh(teacher)

    @contextmanager
    def open_teacher(self, words: str) -> Iterator[Teacher]:
        self.model.play_scenario(make_scenario(words))
        yield self.teacher
