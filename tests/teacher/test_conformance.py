from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from orchestrator.replay import ReplayServer
from teacher.claude import ClaudeTeacher
from teacher.errors import TeacherUnavailable
from teacher.fake import ScriptedTeacher
from teacher.local import LocalTeacher
from teacher.webhook import WebhookTeacher
from tests.agents.claude import answers, ask_with, log_in
from tests.teacher.conformance import TeacherConformance
from tests.teacher.loopback import Loopback, Reply
from tests.teacher.samples import message_saying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@pytest.mark.whole
class TestClaudeTeacher(TeacherConformance):
    """The real program, with a person's login; its model answers in a text, or by its tool."""

    @pytest.fixture(autouse=True, params=[pytest.param("text", marks=pytest.mark.long), "tool"])
    @classmethod
    def log_in(cls, home: Path, request: pytest.FixtureRequest) -> None:
        log_in(home)
        cls.by_tool = request.param == "tool"

    by_tool: bool

    @contextmanager
    def open_teacher(self, words: str) -> Iterator[Teacher]:
        with ReplayServer(answers({"reply": self.reply(words)})) as model:
            yield ClaudeTeacher(ask_with(model.url))

    def reply(self, words: str) -> dict[str, object]:
        """What the model says; by the tool, if the words are an object, else in a text."""
        value = _parse(words) if self.by_tool else None
        return {"json": value} if isinstance(value, dict) else {"say": words}


def _parse(words: str) -> object:
    """The value of the words, if they are JSON that a tool's input can carry unchanged."""
    try:
        value: object = json.loads(words)
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return None
    return value
