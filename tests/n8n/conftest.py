from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.replay import ReplayServer
from teacher.webhook import WebhookTeacher
from tests.e2e.conftest import World, world
from tests.n8n.model import make_scenario
from tests.n8n.server import TOKEN, N8n
from tests.trusting import trust_project

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["world"]

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.n8n)
            # n8n takes half a minute to start, more on a busy machine, and is killed once.
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def model() -> Iterator[ReplayServer]:
    with ReplayServer(make_scenario("nothing yet")) as model:
        yield model


@pytest.fixture(scope="session")
def n8n(model: ReplayServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[N8n]:
    """n8n with both shipped workflows published, for all tests that do not change it."""
    server = N8n(tmp_path_factory.mktemp("n8n"), model.url)
    server.import_workflows("prompt-learning-teacher", "prompt-learning-teacher-mcp")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def teacher(n8n: N8n) -> WebhookTeacher:
    return WebhookTeacher(n8n.webhook, token=TOKEN)


@pytest.fixture
def taught_by_n8n(world: World, n8n: N8n, monkeypatch: pytest.MonkeyPatch) -> World:
    """A project whose teacher is the workflow."""
    return set_up(world, n8n.webhook, monkeypatch)


def set_up(world: World, webhook: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("N8N_WEBHOOK_TOKEN", TOKEN)
    # Each project fails differently, because n8n stores the answer to each request.
    with (world.project / "tests" / "test_answer.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\ndef test_{world.project.parent.name}():\n    assert answer() == 42\n")
    with (world.project / "orchestrator.yaml").open("a", encoding="utf-8") as file:
        file.write(f"teacher:\n  mode: webhook\nn8n:\n  webhook_url: {webhook}\n")
    trust_project(world.project)
    return world
