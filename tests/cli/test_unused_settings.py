"""Each command that asks a webhook names the settings that have no effect there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import TASK, Call, Shop
from tests.teacher.loopback import Loopback, Reply, json_reply
from tests.teacher.samples import TEXT

if TYPE_CHECKING:
    from pathlib import Path

REPORT = ("report-failure", "--failure-type", "scope_error", "--description", "Too much was done")
NOTICE = "without effect, because teacher.mode is `webhook`: teacher.model (environment"


@pytest.fixture
def other_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEACHER_MODEL", "claude-opus-5-5")
    monkeypatch.setenv("ORCHESTRATOR_TEACHER_MODE", "webhook")
    monkeypatch.setenv("ORCHESTRATOR_N8N_RETRY_FOR", "0")


def flat(text: str) -> str:
    return " ".join(text.replace("!", " ").split())


@pytest.mark.usefixtures("other_model")
@pytest.mark.parametrize("words", [REPORT, ("teacher", "test")], ids=["report", "teacher test"])
def test_commands_that_teach(
    words: tuple[str, ...], call: Call, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(json_reply(TEXT), Reply(403)) as workflow:
        monkeypatch.setenv("ORCHESTRATOR_N8N_WEBHOOK_URL", workflow.url)
        done = call(*words, "--project-dir", project)
    assert done.code == 0
    assert flat(done.out).count(NOTICE) == 1


@pytest.mark.usefixtures("other_model")
def test_a_run_and_pending_failures(
    call: Call, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_N8N_WEBHOOK_URL", "http://127.0.0.1:9/webhook/x")
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 3
    assert flat(done.out).count(NOTICE) == 1
    later = call("teach", "--pending", "--project-dir", shop.project)
    assert flat(later.out).count(NOTICE) == 1
