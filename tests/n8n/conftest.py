from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.replay import ReplayServer
from teacher.webhook import WebhookTeacher
from tests.n8n.model import saying
from tests.n8n.server import TOKEN, N8n

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def model() -> Iterator[ReplayServer]:
    with ReplayServer(saying("nothing yet")) as model:
        yield model


@pytest.fixture(scope="session")
def n8n(model: ReplayServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[N8n]:
    """n8n with both shipped workflows published, for all tests that leave it as it is."""
    server = N8n(tmp_path_factory.mktemp("n8n"), model.url)
    server.take_in("prompt-learning-teacher", "prompt-learning-teacher-mcp")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def teacher(n8n: N8n) -> WebhookTeacher:
    return WebhookTeacher(n8n.webhook, token=TOKEN)
