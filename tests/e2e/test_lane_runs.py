"""Runs in lanes with the real Claude Code: rules, private files, and processes that end."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.replay.scenario import Speaker
from tests.e2e.conftest import LESSON, RIGHT, RIGHT_WITH_RULE, RULE, SUITE, WRONG, World
from tests.e2e.test_runs import git
from tests.platform.test_process import alive
from tests.services.lane_world import open_world, start_killable, wait_for

pytestmark = pytest.mark.whole

MINE = "# Mine\n\nSay moin.\n"
WAITS = """
  - name: the agent, that never comes to an end
    when: {speaker: agent}
    steps:
      - tools: [{name: Bash, input: {command: "sh hang.sh"}}]
      - say: Done.
"""


@contextlib.contextmanager
def answering(*answers: str) -> Iterator[tuple[ReplayServer, Mapping[str, str]]]:
    with ReplayServer(parse_scenario("answers:\n" + "".join(answers))) as model:
        yield (
            model,
            {
                **os.environ,
                "ANTHROPIC_BASE_URL": model.url,
                "ANTHROPIC_API_KEY": "a-key-for-tests",
                "CLAUDE_CODE_MAX_RETRIES": "0",
            },
        )


def configure(world: World, **sections: object) -> None:
    config = {"tests": {"command": SUITE}, "learning": {"max_retries": 1}, **sections}
    (world.project / "orchestrator.yaml").write_text(json.dumps(config), encoding="utf-8")
    hang = world.project / "hang.sh"
    hang.write_text("echo $$ > pid.txt\nsleep 600\n", encoding="utf-8")
    git(world.project, "add", "-A")
    git(world.project, "commit", "-qm", "settings")


def list_claudes(lane: Path) -> list[int]:
    """List the processes that work in a lane."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(lane) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_a_rule_is_in_the_learned_commit_and_not_in_the_work(world: World) -> None:
    before = git(world.project, "status", "--porcelain=v2", "--branch")
    with (
        answering(WRONG, RIGHT_WITH_RULE, LESSON) as (_, environment),
        open_world(world.project, environment=environment) as lanes,
    ):
        end = lanes.run(lanes.order("run-1"))
        assert end.outcome is RunOutcome.SOLVED, (end, lanes.events[-5:])
        assert end.changed == ("answers.py",)
        assert RULE in lanes.read(end.learned, "CLAUDE.md")
        assert "CLAUDE.md" not in lanes.list_files(end.work)
        assert "return 42" in lanes.read(end.learned, "answers.py")
        assert end.cost_usd > 0
    assert world.rulebook == ""
    assert git(world.project, "status", "--porcelain=v2", "--branch") == before


@pytest.mark.parametrize("ignored", [True, False], ids=["ignored", "untracked"])
@pytest.mark.long
def test_a_private_file_is_seen_in_the_lane_and_gets_the_rule(world: World, ignored: bool) -> None:
    if ignored:
        (world.project / ".git/info/exclude").write_text("CLAUDE.md\n", encoding="utf-8")
    (world.project / "CLAUDE.md").write_text(MINE, encoding="utf-8")
    with (
        answering(WRONG, RIGHT_WITH_RULE, LESSON) as (model, environment),
        open_world(world.project, environment=environment) as lanes,
    ):
        end = lanes.run(lanes.order("run-1"))
        assert end.outcome is RunOutcome.SOLVED, (end, lanes.events[-5:])
        agent = [each.body for each in model.requests if each.speaker is Speaker.AGENT]
        assert "Say moin" in str(agent)
        assert end.changed == ("answers.py",)
        assert lanes.repository.list_changes(lanes.base, end.learned) == ("answers.py",)
    assert world.rulebook.startswith(MINE)
    assert world.rulebook.count(RULE) == 1


@pytest.mark.long
def test_an_interrupt_ends_claude_and_what_it_has_started(world: World) -> None:
    configure(world, claude={"allowed_tools": ["Bash(sh hang.sh)"]})
    with (
        answering(WAITS) as (_, environment),
        open_world(world.project, environment=environment) as lanes,
    ):
        lanes.runner.start(lanes.order("run-1"))
        lane = lanes.runner.find_lane("run-1")
        assert lane is not None
        shell = int(wait_for(lane / "pid.txt"))
        assert list_claudes(lane)
        lanes.runner.interrupt("run-1")
        end = lanes.wait("run-1")
        assert end.outcome is RunOutcome.INTERRUPTED, end
        assert not alive(shell)
        assert list_claudes(lane) == []
        assert end.changed == ("pid.txt",)


def test_a_killed_parent_leaves_nothing_running_and_another_one_goes_on(world: World) -> None:
    configure(world, claude={"allowed_tools": ["Bash(sh hang.sh)"]})
    with answering(WAITS) as (_, environment), open_world(world.project) as lanes:
        order = lanes.order("run-1")
        killed = start_killable(world.project, order, environment)
        lane = lanes.repository.folder.parent / "lanes" / "1"
        shell = int(wait_for(lane / "pid.txt", killed))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    with (
        answering(RIGHT) as (_, environment),
        open_world(world.project, environment=environment) as lanes,
    ):
        end = lanes.run(order)
        assert not alive(shell)
        assert end.outcome is RunOutcome.SOLVED, (end, lanes.events[-5:])
        # What the attempt that was cut short had changed is reverted, and stored as a patch.
        assert end.changed == ("answers.py",)
        assert list_claudes(lane) == []
