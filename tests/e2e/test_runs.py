"""Whole runs on the real programs: Claude Code, SDK, pytest, git. Only the words are scripted."""

import json
import os
import signal
import subprocess
from datetime import UTC
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.learnings.workspace import initialize_workspace, local_workspace
from orchestrator.models import AgentOutcome, RunOutcome, SuiteOutcome
from orchestrator.platform.process_tree import MARK
from orchestrator.replay.scenario import Speaker
from orchestrator.services.runs import exit_code
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.workspace.pinning import check_out_pin
from tests.e2e.conftest import LESSON, RIGHT, RIGHT_WITH_RULE, RULE, TASK, WRONG, World
from tests.recorded_runs import get_last_run
from tests.workspace.repositories import files_of

TEACHER_DOWN = "\n  - {when: {speaker: teacher}, reply: {fault: 403}}\n"
AGENT_401 = "\n  - {when: {speaker: agent}, reply: {fault: 401}}\n"
AGENT_STALLS = "\n  - {when: {speaker: agent}, reply: {fault: stall}}\n"
MODEL = {"teacher__model": "claude-haiku-5-5"}


def git(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=project, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.whole
def test_solved_at_once(world: World) -> None:
    head, status = git(world.project, "rev-parse", "HEAD"), git(world.project, "status", "-s")
    result = world.run(RIGHT)
    assert (result.outcome, exit_code(result)) == (RunOutcome.SOLVED, 0)
    assert len(result.attempts) == 1
    assert result.usage.cost_usd > 0
    assert world.list_requests(Speaker.TEACHER) == []
    assert world.rulebook == ""
    assert git(world.project, "rev-parse", "HEAD") == head
    assert status == ""
    assert git(world.project, "stash", "list") == ""
    assert git(world.project, "status", "-s").split() == ["M", "answers.py"]


def test_solved_on_retry_because_the_rule_reached_the_model(world: World) -> None:
    result = world.run(WRONG, RIGHT_WITH_RULE, LESSON)
    assert (result.outcome, exit_code(result)) == (RunOutcome.SOLVED, 0)
    assert len(result.attempts) == 2
    assert f"- **Rule**: {RULE}." in world.rulebook
    asked = [RULE in request.text for request in world.list_requests(Speaker.AGENT)]
    assert asked == sorted(asked)
    assert (asked[0], asked[-1]) == (False, True)
    prompt = result.attempts[1].prompt
    assert RULE not in prompt
    assert "test_answer" in prompt
    (lesson,) = world.list_requests(Speaker.TEACHER)
    assert TASK in lesson.text
    assert "assert 41 == 42" in lesson.text
    assert "+    return 41" in lesson.text
    shown = [type(event) for event in world.received_events]
    assert shown.count(events.ToolUsed) == 3
    assert shown.count(events.RuleWritten) == 1
    assert shown[-1] is events.RunEnded


@pytest.mark.whole
def test_never_solved(world: World) -> None:
    result = world.run(
        WRONG, WRONG.replace("lacks", "contains").replace("return 41", "return 41 or 41"), LESSON
    )
    assert (result.outcome, exit_code(result)) == (RunOutcome.NOT_SOLVED, 1)
    assert len(result.attempts) == 2
    assert world.rulebook.count(RULE) == 1
    rules = [attempt.rule.change for attempt in result.attempts if attempt.rule]
    assert rules == ["added", "already known"]


@pytest.mark.whole
def test_the_teacher_is_down_and_the_run_goes_on_later(world: World) -> None:
    result = world.run(WRONG, TEACHER_DOWN)
    assert (result.outcome, exit_code(result)) == (RunOutcome.STOPPED, 3)
    assert "teacher" in result.message
    assert world.rulebook == ""
    result = world.resume(WRONG, RIGHT_WITH_RULE, LESSON)
    assert result.outcome is RunOutcome.SOLVED
    assert len(result.attempts) == 2
    assert world.rulebook.count(RULE) == 1
    assert len(world.list_requests(Speaker.AGENT)) == 3


@pytest.mark.whole
def test_the_agent_gets_401(world: World) -> None:
    result = world.run(AGENT_401, LESSON)
    assert (result.outcome, exit_code(result)) == (RunOutcome.STOPPED, 3)
    assert result.attempts[0].agent.outcome is AgentOutcome.NOT_LOGGED_IN
    assert "401" in result.message
    assert world.list_requests(Speaker.TEACHER) == []
    assert world.rulebook == ""


@pytest.mark.whole
def test_the_agent_stalls(world: World) -> None:
    result = world.run(AGENT_STALLS, LESSON, limits__no_output=8)
    assert (result.outcome, exit_code(result)) == (RunOutcome.STOPPED, 3)
    assert result.attempts[0].agent.outcome is AgentOutcome.NO_OUTPUT
    assert world.list_requests(Speaker.TEACHER) == []


@pytest.mark.whole
def test_the_suite_never_ends(world: World) -> None:
    code = "import time\\n\\n\\ndef answer():\\n    time.sleep(600)\\n"
    hangs = WRONG.replace("def answer():\\n    return 41\\n", code)
    result = world.run(hangs, LESSON, tests__timeout=20, learning__max_retries=0)
    assert (result.outcome, exit_code(result)) == (RunOutcome.NOT_SOLVED, 1)
    report = result.attempts[0].report
    assert report is not None
    assert report.outcome is SuiteOutcome.TIMEOUT
    assert "timeout" in world.list_requests(Speaker.TEACHER)[0].text


def test_the_suite_does_not_end_beforehand(world: World) -> None:
    (world.project / "conftest.py").write_text("import time\ntime.sleep(600)\n", encoding="utf-8")
    result = world.run(RIGHT, tests__timeout=3)
    assert (result.outcome, exit_code(result)) == (RunOutcome.STOPPED, 3)
    assert "raise tests.timeout" in result.message
    assert world.requests == ()


def test_no_tests_are_collected(world: World) -> None:
    (world.project / "tests" / "test_answer.py").unlink()
    result = world.run(RIGHT)
    assert (result.outcome, exit_code(result)) == (RunOutcome.MISCONFIGURED, 2)
    assert "no tests collected" in result.message
    assert world.requests == ()


@pytest.mark.whole
def test_it_pauses_after_a_failure_and_resume_goes_on(world: World) -> None:
    first = world.run(WRONG, LESSON, learning__auto_retry=False)
    assert (first.outcome, exit_code(first)) == (RunOutcome.PAUSED, 1)
    assert RULE in world.rulebook
    marked = {**os.environ, MARK: get_last_run().id}
    left_over = subprocess.Popen(["sleep", "600"], env=marked)  # as a killed process leaves it
    second = world.resume(RIGHT_WITH_RULE)
    assert left_over.wait(5) == -signal.SIGKILL
    assert second.outcome is RunOutcome.SOLVED
    assert [attempt.number for attempt in second.attempts] == [1, 2]
    assert world.list_requests(Speaker.TEACHER) == []


@pytest.mark.whole
def test_the_cost_limit_ends_the_agent(world: World) -> None:
    expensive = WRONG.replace(
        "      - tools", "      - usage: {input: 1000000, output: 1}\n        tools"
    )
    result = world.run(expensive, LESSON, limits__max_cost_usd=0.5)
    assert (result.outcome, exit_code(result)) == (RunOutcome.STOPPED, 3)
    assert result.attempts[0].agent.outcome is AgentOutcome.MAX_COST
    assert result.usage.cost_usd > 0.5


@pytest.mark.whole
@pytest.mark.parametrize("state", ["empty", "no repository", "subfolder"])
def test_every_kind_of_project_folder(world: World, state: str, tmp_path: Path) -> None:
    (world.project / ".git").rename(tmp_path / "git")
    if state == "empty":
        git(world.project, "init", "-q")
    elif state == "subfolder":
        git(world.project.parent, "init", "-q")
    result = world.run(RIGHT)
    assert result.outcome is RunOutcome.SOLVED
    assert [change.path for change in result.attempts[0].diff.changes] == ["answers.py"]


@pytest.mark.whole
def test_agents_md_and_the_rule_both_reach_the_model(world: World) -> None:
    (world.project / "AGENTS.md").write_text("Speak like a pirate.\n", encoding="utf-8")
    result = world.run(WRONG, RIGHT_WITH_RULE, LESSON)
    assert result.outcome is RunOutcome.SOLVED
    assert world.rulebook.startswith("@AGENTS.md\n")
    last = world.list_requests(Speaker.AGENT)[-1].text
    assert "Speak like a pirate." in last
    assert RULE in last
    assert all("Speak like a pirate." in r.text for r in world.list_requests(Speaker.AGENT))


@pytest.mark.whole
def test_a_failure_is_logged_where_a_learnings_workspace_was_initialised(world: World) -> None:
    initialize_workspace(local_workspace(world.project))
    world.run(WRONG, LESSON, learning__max_retries=0)
    errors = (world.project / ".learnings" / "ERRORS.md").read_text(encoding="utf-8")
    assert "ERR-" in errors
    assert "assert 41 == 42" in errors


def test_what_a_rule_was_learned_from_outlives_the_users_history(
    world: World, tmp_path: Path
) -> None:
    before = files_of(world.project)
    result = world.run(WRONG, RIGHT_WITH_RULE, LESSON)
    change = result.attempts[0].rule
    assert change is not None
    git(world.project, "add", "-A")
    git(world.project, "commit", "-q", "--amend", "-m", "other")
    git(world.project, "reflog", "expire", "--expire=now", "--all")
    git(world.project, "gc", "-q", "--prune=now")
    (folder,) = (resolve_state_directory() / "pinned" / change.rule.id).iterdir()
    pinned = check_out_pin(folder, tmp_path / "again")
    assert files_of(tmp_path / "again") == before
    assert (pinned.run, pinned.attempt) == (get_last_run().id, 1)
    assert (pinned.task, pinned.cases) == (TASK, ("tests/test_answer.py::test_answer",))


def test_what_a_run_did_is_on_record_with_the_end_of_each_tool_call(world: World) -> None:
    world.run(WRONG, RIGHT_WITH_RULE, LESSON)
    run = get_last_run().id
    assert {(event.run, event.at.tzinfo) for event in world.received_events} == {(run, UTC)}
    with Store() as store:
        rows = store.events.list_events(run)
    values = [(row.kind, row.attempt, json.loads(row.values)) for row in rows]
    used = [(attempt, each["id"]) for kind, attempt, each in values if kind == "tool_used"]
    ended = [(attempt, each["id"]) for kind, attempt, each in values if kind == "tool_ended"]
    assert used == ended
    assert {attempt for attempt, _ in used} == {1, 2}
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
