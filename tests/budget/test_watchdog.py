"""Limits that end the real Claude Code program, and what is left of it then: nothing."""

import shlex
import sys
from pathlib import Path

import pytest

from orchestrator.agents.command import CommandAgent
from orchestrator.models import AgentLimits, AgentOutcome
from tests.agents.claude import claude, say, steps, use
from tests.platform.test_process import alive

pytestmark = pytest.mark.whole

FAMILY = (
    "for _ in 1 2 3; do setsid sh -c 'echo $$ >> pids; exec sleep 600' >/dev/null 2>&1 & done; "
    "(sleep 600 & echo $! >> pids; wait) >/dev/null 2>&1 & "
    'until [ "$(cat pids 2>/dev/null | wc -l)" -ge 4 ]; do sleep 0.1; done'
)
"""Leaves processes behind, three of them in sessions of their own."""


def left_of(pids: Path) -> list[int]:
    found = [int(word) for word in pids.read_text(encoding="utf-8").split()]
    assert found
    return [pid for pid in found if alive(pid)]


def test_the_same_tool_call_again_and_again_is_no_progress(project: Path) -> None:
    (project / "a.txt").write_text("still the same\n", encoding="utf-8")
    look = use("Read", file_path=str(project / "a.txt"))
    replies = [use("Bash", command=FAMILY), *[look] * 12, say("never said")]
    limits = AgentLimits(
        max_turns=40, wall_clock_seconds=90, no_output_seconds=90, same_tool_call=4
    )
    with claude(steps(*replies), allowed_tools=["Bash"]) as (agent, replay):
        result = agent.run("Look.", project, limits, lambda _: None)
    assert result.outcome is AgentOutcome.NO_PROGRESS
    assert "4 times in a row" in result.message or "5 times in a row" in result.message
    assert not result.outcome.has_worked
    assert len(replay.requests) < len(replies)
    assert left_of(project / "pids") == []


def test_the_same_two_calls_again_and_again_are_no_progress(project: Path) -> None:
    for name in ("a", "b"):
        (project / name).write_text(name, encoding="utf-8")
    a, b = (use("Read", file_path=str(project / name)) for name in ("a", "b"))
    limits = AgentLimits(
        max_turns=40, wall_clock_seconds=90, no_output_seconds=90, same_tool_call=4
    )
    replies = [a, b] * 8
    with claude(steps(*replies, say("never said"))) as (agent, replay):
        result = agent.run("Look.", project, limits, lambda _: None)
    assert result.outcome is AgentOutcome.NO_PROGRESS
    assert "the same 2 tool calls" in result.message
    assert len(replay.requests) < len(replies)


def test_calls_that_differ_and_calls_within_the_limit_are_work(project: Path) -> None:
    for name in ("a", "b"):
        (project / name).write_text(name, encoding="utf-8")
    a, b = (use("Read", file_path=str(project / name)) for name in ("a", "b"))
    limits = AgentLimits(
        max_turns=40, wall_clock_seconds=90, no_output_seconds=90, same_tool_call=3
    )
    with claude(steps(a, a, b, a, a, b, b, say("done"))) as (agent, _):
        result = agent.run("Look.", project, limits, lambda _: None)
    assert result.outcome is AgentOutcome.COMPLETED


@pytest.mark.parametrize("limit", [8, None])
def test_too_many_processes_end_an_agent_with_all_of_them(limit: int | None, project: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "for number in range(12):\n"
        "    one = subprocess.Popen(['sleep', '600'], start_new_session=number % 2 == 0)\n"
        "    open('pids', 'a').write(f'{one.pid} ')\n"
        f"time.sleep({600 if limit else 2})\n"
    )
    agent = CommandAgent([sys.executable, "-c", script])
    limits = AgentLimits(wall_clock_seconds=90, no_output_seconds=90, max_processes=limit)
    result = agent.run("go", project, limits, lambda _: None)
    if limit:
        assert result.outcome is AgentOutcome.PROCESSES
        assert "limits.max_processes" in result.message
    else:
        assert result.outcome is AgentOutcome.COMPLETED
    assert left_of(project / "pids") == []


def test_the_real_programs_processes_are_counted_too(project: Path) -> None:
    many = "for _ in 1 2 3 4 5 6 7 8 9; do setsid sleep 600 & echo $! >> pids; done; sleep 30"
    replies = [use("Bash", command=f"sh -c {shlex.quote(many)}"), say("done")]
    limits = AgentLimits(wall_clock_seconds=90, no_output_seconds=90, max_processes=8)
    with claude(steps(*replies), allowed_tools=["Bash"]) as (agent, _):
        result = agent.run("Start.", project, limits, lambda _: None)
    assert result.outcome is AgentOutcome.PROCESSES
    assert left_of(project / "pids") == []
