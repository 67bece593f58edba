"""A login of Claude Code is enough: agent and teacher are asked with it, and no key is there."""

from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.config import Override
from orchestrator.models import RunOutcome, RunResult
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.replay.scenario import Speaker
from orchestrator.services.pending_failures import list_pending_failures, teach_pending
from orchestrator.services.runs import resume_run, start_run
from tests.agents.claude import log_in
from tests.e2e.conftest import LESSON, RIGHT, RIGHT_WITH_RULE, RULE, TASK, WRONG, World

pytestmark = pytest.mark.whole

SECOND_LOOK = """
  - name: the second look
    when: {speaker: teacher, contains: Is this rule only about how code}
    reply: {json: {about_code: true, reason: It is.}}
"""
REFUSED = """
  - name: the teacher is refused
    when: {speaker: teacher}
    reply: {fault: 401}
"""


@pytest.fixture(autouse=True)
def login(home: Path) -> None:
    log_in(home)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("CLAUDE_CODE_MAX_RETRIES", "0")
    return monkeypatch


def scripted(*answers: str) -> ReplayServer:
    return ReplayServer(parse_scenario("answers:\n" + "".join(answers)))


def start(world: World, **settings: object) -> RunResult:
    overrides = [Override(k.replace("__", "."), v, "test") for k, v in settings.items()]
    return start_run(
        TASK, world.project, overrides=overrides, listener=world.received_events.append
    )


def list_notices(world: World) -> list[str]:
    return [each.text for each in world.received_events if isinstance(each, events.Notice)]


def test_a_run_learns_with_the_login_alone(
    world: World, environment: pytest.MonkeyPatch, home: Path
) -> None:
    with scripted(WRONG, RIGHT_WITH_RULE, SECOND_LOOK, LESSON) as model:
        environment.setenv("ANTHROPIC_BASE_URL", model.url)
        result = start(world, learning__second_look=True)
        speakers = [each.speaker for each in model.requests]
    assert result.outcome is RunOutcome.SOLVED
    assert RULE in world.rulebook
    [ready] = [each for each in world.received_events if isinstance(each, events.Ready)]
    assert "teacher: claude-sonnet-5-5 through Claude Code" in ready.parts
    [planned] = [each for each in world.received_events if isinstance(each, events.RunPlanned)]
    payers = "subscription (the login of Claude Code), agent and teacher"
    assert planned.plan.payers == payers
    teaching = result.attempts[0].teaching
    assert teaching
    assert teaching.usage.tokens > 0
    assert teaching.usage.cost_usd > 0
    assert speakers.count(Speaker.TEACHER) == 2  # the lesson and the second look
    assert not (world.project / ".learnings").exists()
    of_agent = [each.agent.session_id for each in result.attempts if each.agent]
    kept = {each.stem for each in home.rglob("projects/*/*.jsonl")}
    assert kept == set(of_agent)  # of the teacher, no session is kept


def test_a_lesson_that_is_refused_waits_and_is_taught_later(
    world: World, environment: pytest.MonkeyPatch
) -> None:
    with scripted(WRONG, REFUSED) as model:
        environment.setenv("ANTHROPIC_BASE_URL", model.url)
        result = start(world, learning__max_retries=0)
    assert "login was not accepted (401)" in result.message
    assert "log in again: `" in result.message
    for word in ("wait", "network"):
        assert word not in result.message
    assert len(list_pending_failures(world.project, lambda _text: None)) == 1
    with scripted(LESSON) as model:
        environment.setenv("ANTHROPIC_BASE_URL", model.url)
        [change] = teach_pending(world.project, None, world.received_events.append)
    assert RULE in change.rule.text.rule
    assert not list_pending_failures(world.project, lambda _text: None)


def test_a_resumed_run_says_that_its_teacher_has_changed(
    world: World, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("ORCHESTRATOR_TEACHER_API_KEY", "a-key-for-tests")
    with scripted(WRONG, LESSON) as model:
        environment.setenv("ANTHROPIC_BASE_URL", model.url)
        assert start(world, learning__auto_retry=False).outcome is RunOutcome.PAUSED
    assert not [each for each in list_notices(world) if "the teacher is now" in each]
    environment.delenv("ORCHESTRATOR_TEACHER_API_KEY")
    with scripted(RIGHT) as model:
        environment.setenv("ANTHROPIC_BASE_URL", model.url)
        result = resume_run("last", listener=world.received_events.append)
    assert result.outcome is RunOutcome.SOLVED
    assert (
        "the teacher is now claude-sonnet-5-5 through Claude Code; before, it was "
        "claude-sonnet-5-5 through the API"
    ) in list_notices(world)
