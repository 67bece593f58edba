from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from teacher.errors import TeacherUnavailable
from teacher.fake import ScriptedTeacher
from teacher.local import LocalTeacher
from teacher.webhook import WebhookTeacher
from tests.teacher.conformance import TeacherConformance
from tests.teacher.loopback import Loopback, Reply
from tests.teacher.samples import message_saying

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.ports import Teacher


class _Served(TeacherConformance):
    """One server and one teacher for the whole class: a client is slow to make."""

    server: Loopback
    teacher: Teacher

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def serve(cls) -> Iterator[None]:
        with Loopback() as cls.server:
            cls.teacher = cls.make(cls.server.url)
            yield

    @classmethod
    def make(cls, url: str) -> Teacher:
        raise NotImplementedError

    def reply(self, words: str) -> Reply:
        raise NotImplementedError

    @contextmanager
    def open_teacher(self, words: str) -> Iterator[Teacher]:
        self.server.replies.clear()
        self.server.replies.append(self.reply(words))
        yield self.teacher
        self.server.wait_until_idle()


class TestLocalTeacher(_Served):
    @classmethod
    def make(cls, url: str) -> Teacher:
        return LocalTeacher(api_key="key", base_url=url)

    def reply(self, words: str) -> Reply:
        return message_saying(words)


class TestWebhookTeacher(_Served):
    empty_error = TeacherUnavailable

    @classmethod
    def make(cls, url: str) -> Teacher:
        return WebhookTeacher(f"{url}/webhook/teacher")

    def reply(self, words: str) -> Reply:
        return Reply(body=words.encode())


class TestScriptedTeacher(TeacherConformance):
    @contextmanager
    def open_teacher(self, words: str) -> Iterator[Teacher]:
        yield ScriptedTeacher(words)
