"""The whole learning loop with n8n as its teacher, on the real programs."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import cli
from orchestrator.models import RunOutcome
from orchestrator.replay import Reply, parse_scenario
from teacher.errors import TeacherUnavailable
from teacher.webhook import WebhookTeacher
from tests.e2e.conftest import LESSON, RIGHT_WITH_RULE, RULE, WRONG, World
from tests.n8n.conftest import set_up
from tests.n8n.model import make_scenario
from tests.n8n.samples import new_failure
from tests.n8n.server import TOKEN, N8n

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.replay import ReplayServer

TAUGHT = parse_scenario(f"answers:{LESSON}")


def test_the_loop_learns_through_n8n(taught_by_n8n: World, model: ReplayServer) -> None:
    model.play_scenario(TAUGHT)
    result = taught_by_n8n.run(WRONG, RIGHT_WITH_RULE)
    assert result.outcome is RunOutcome.SOLVED
    assert len(result.attempts) == 2
    assert taught_by_n8n.rulebook.count(RULE) == 1
    [asked] = model.requests
    assert "assert 41 == 42" in asked.text
    teaching = result.attempts[0].teaching
    assert teaching is not None
    assert teaching.usage.cost_usd > 0


def test_nonsense_teaches_nothing_and_the_loop_goes_on(
    taught_by_n8n: World, model: ReplayServer
) -> None:
    model.play_scenario(make_scenario("I would rather talk about the weather."))
    result = taught_by_n8n.run(WRONG, WRONG.replace("lacks", "contains"))
    assert result.outcome is RunOutcome.NOT_SOLVED
    assert taught_by_n8n.rulebook == ""
    teaching = result.attempts[0].teaching
    assert teaching is not None
    assert "rather talk about the weather" in teaching.trouble
    assert teaching.usage.tokens > 0


def test_the_sample_failure_goes_through(taught_by_n8n: World, model: ReplayServer) -> None:
    model.play_scenario(TAUGHT)
    done = CliRunner().invoke(
        cli,
        ["teacher", "test", "--project-dir", str(taught_by_n8n.project)],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    for part in ("idempotency_key", "Latency", RULE, "The teacher works."):
        assert part in done.output
    assert TOKEN not in done.output


def test_n8n_inactive_then_killed_in_mid_request_and_started_again(
    world: World, model: ReplayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = N8n(tmp_path / "n8n", model.url)
    server.import_workflows("prompt-learning-teacher", publish=False)
    try:
        server.start("webhook/none", 404)
        with pytest.raises(TeacherUnavailable, match="no active workflow"):
            WebhookTeacher(server.webhook, token=TOKEN).teach(new_failure(), ())
        server.stop()
        server.command("publish:workflow", "--id=promptLearnTeach")
        server.start()
        set_up(world, server.webhook, monkeypatch)
        lesson = TAUGHT.answers[0].reply
        model.play_scenario(make_scenario(Reply(json=lesson.json, delay=30), lesson))
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(world.run, WRONG, RIGHT_WITH_RULE)
            while not model.requests:
                assert not run.done(), run.result()
                time.sleep(0.1)
            server.kill()
            server.start()
            result = run.result()
    finally:
        server.kill()
    assert result.outcome is RunOutcome.SOLVED
    assert len(result.attempts) == 2
    assert world.rulebook.count(RULE) == 1
    assert len(model.requests) == 2


def test_n8n_is_down_and_the_failure_is_taught_later(
    world: World, n8n: N8n, model: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(world, "http://127.0.0.1:9/webhook/prompt-learning-teacher", monkeypatch)
    result = world.run(WRONG, n8n__retry_for=0.5)
    assert result.outcome is RunOutcome.STOPPED
    assert "teach --pending" in result.message
    arguments = ["--project-dir", str(world.project)]
    listed = CliRunner().invoke(cli, ["teach", "--list", *arguments], catch_exceptions=False)
    assert "test_answer" in listed.output
    monkeypatch.setenv("ORCHESTRATOR_N8N_WEBHOOK_URL", n8n.webhook)
    model.play_scenario(TAUGHT)
    taught = CliRunner().invoke(cli, ["teach", "--pending", *arguments], catch_exceptions=False)
    assert "failures taught: 1; rules changed: 1" in taught.output
    assert world.rulebook.count(RULE) == 1
    again = CliRunner().invoke(cli, ["teach", "--pending", *arguments], catch_exceptions=False)
    assert again.output == "no failures are queued\n"
