"""Programs that are not well: a stand-in for Claude Code that breaks off in each possible way."""

import shlex
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.agents.claude_code import ClaudeCodeAgent
from orchestrator.events import Event
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from teacher.models import UNKNOWN_USAGE
from tests.growing_limits import iter_growing_limits
from tests.survivors import list_survivors

LIMITS = AgentLimits(wall_clock_seconds=30, no_output_seconds=30)

WELL = """
    greeting = json.loads(sys.stdin.readline())
    say({"type": "control_response", "response": {
        "subtype": "success", "request_id": greeting["request_id"], "response": {}}})
    prompt = json.loads(sys.stdin.readline())
"""
RESULT = """
    say({"type": "result", "subtype": "success", "is_error": False, "result": "done",
         "terminal_reason": "completed", "num_turns": 1, "session_id": "s", "duration_ms": 1,
         "duration_api_ms": 1})
"""


def run(project: Path, *code: str, limits: AgentLimits = LIMITS, prompt: str = "x") -> AgentResult:
    body = "\n".join(textwrap.dedent(part) for part in code)
    (project / "claude.py").write_text(
        "import json, os, signal, sys, time\n"
        f"def say(message): print(json.dumps(message), flush=True)\n{body}\n",
        encoding="utf-8",
    )
    # Through a shell, because the interpreter's path may hold a space, and a first line may not.
    program = project / "claude"
    python = shlex.join([sys.executable, str(project / "claude.py")])
    program.write_text(f"#!/bin/sh\nexec {python}\n", encoding="utf-8")
    program.chmod(0o755)

    def ignore(_event: Event) -> None:
        pass

    result = ClaudeCodeAgent(program=program).run(prompt, project, limits, ignore)
    assert list_survivors(project) == []
    return result


def test_one_that_is_well(project: Path) -> None:
    result = run(project, WELL, RESULT, prompt="y" * 100_000)
    assert (result.outcome, result.message) == (AgentOutcome.COMPLETED, "done")


def test_the_exit_code_says_nothing(project: Path) -> None:
    assert run(project, WELL, RESULT, "sys.exit(1)").outcome is AgentOutcome.COMPLETED
    assert run(project, WELL, "sys.exit(0)").outcome is AgentOutcome.CRASHED


@pytest.mark.parametrize("code", [0, 1, 7])
def test_one_that_ends_before_the_greeting_is_not_waited_for(code: int, project: Path) -> None:
    result = run(project, f"print('error: no', file=sys.stderr); sys.exit({code})")
    assert result.outcome is AgentOutcome.CRASHED
    assert f"exit code {code}" in result.message
    assert "error: no" in result.message


def test_one_that_dies_of_a_signal(project: Path) -> None:
    result = run(project, WELL, "os.kill(os.getpid(), signal.SIGKILL)")
    assert result.outcome is AgentOutcome.CRASHED
    assert "exit code -9" in result.message


@pytest.mark.parametrize("end", ["\\n", "", "\\x1b[0m", ' {"type": '])
def test_a_wrapper_that_prints_before_the_messages(end: str, project: Path) -> None:
    banner = f"sys.stdout.write('Now using node v20 {{direnv}}{end}')"
    assert run(project, banner, WELL, RESULT, "print('a new version')").message == "done"


def test_plain_words_on_the_wrong_stream_are_kept(project: Path) -> None:
    result = run(project, "print('Error: session is already in use'); sys.exit(1)")
    assert "already in use" in result.message
    assert result.stderr_tail == "Error: session is already in use"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"type": "assistant", "mess', "not JSON"),
        ('{"type": "result"}', "result message"),
        ("{" + " " * 3_000_000, "MiB"),
    ],
    ids=["cut", "another shape", "without end"],
)
def test_messages_that_cannot_be_read_end_the_run(
    line: str, words: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("platform.child", "agents.claude_transport"):
        monkeypatch.setattr(f"orchestrator.{module}.LINE_LIMIT", 2**20)
    flood = f"print({line[:100]!r} + ' ' * {max(0, len(line) - 100)}, flush=True); time.sleep(600)"
    result = run(project, WELL, flood)
    assert result.outcome is AgentOutcome.CRASHED
    assert words in result.message


def test_messages_of_a_kind_that_is_new_are_passed_over(project: Path) -> None:
    new = 'say({"type": "brand_new"}); say([1]); say({"type": "system", "subtype": "new"})'
    assert run(project, WELL, new, RESULT).outcome is AgentOutcome.COMPLETED


def test_one_that_does_not_read_is_ended_by_its_limits(project: Path) -> None:
    limits = AgentLimits(wall_clock_seconds=1, no_output_seconds=30)
    result = run(project, "time.sleep(600)", limits=limits, prompt="y" * 1_000_000)
    assert result.outcome is AgentOutcome.WALL_CLOCK


def test_one_that_does_not_end_after_its_result_has_done_its_work(project: Path) -> None:
    done = "open('done', 'w').close(); time.sleep(600)"
    for seconds in iter_growing_limits(1):
        limits = AgentLimits(wall_clock_seconds=30 * seconds, no_output_seconds=seconds)
        result = run(project, WELL, RESULT, done, limits=limits)
        if (project / "done").exists():
            break
    assert (result.outcome, result.message) == (AgentOutcome.COMPLETED, "done")


def test_a_flood_on_standard_error_is_kept_within_bounds(project: Path) -> None:
    flood = "for n in range(50_000): print('noise', n, 'x' * 100, file=sys.stderr)"
    result = run(project, WELL, flood, RESULT)
    assert result.outcome is AgentOutcome.COMPLETED
    assert len(result.stderr_tail) < 20_000
    assert "noise 49999" in result.stderr_tail


LIMITED = """
    say({"type": "rate_limit_event", "uuid": "u", "session_id": "s", "rate_limit_info": {
        "status": "rejected", "resetsAt": 1796000000, "rateLimitType": "five_hour"}})
"""


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("is_error", [False, True])
def test_a_limit_is_one_whatever_the_program_exits_with(
    is_error: bool, code: int, project: Path
) -> None:
    said = RESULT.replace("False", str(is_error)).replace(
        "done", "5-hour limit reached ∙ resets 3pm"
    )
    result = run(project, WELL, said, f"sys.exit({code})")
    assert result.outcome is AgentOutcome.USAGE_LIMIT
    assert result.resets_at is not None


@pytest.mark.parametrize("code", [0, 1])
def test_a_limit_is_told_by_its_event_where_there_is_no_result(code: int, project: Path) -> None:
    result = run(project, WELL, LIMITED, f"sys.exit({code})")
    assert result.outcome is AgentOutcome.USAGE_LIMIT
    assert result.resets_at == datetime.fromtimestamp(1796000000, UTC)


def test_a_program_that_says_nothing_and_exits_with_0_did_not_work(project: Path) -> None:
    for code in ("sys.exit(0)", f"{RESULT.strip().replace('done', '')}; sys.exit(0)"):
        result = run(project, WELL, code)
        assert result.outcome is AgentOutcome.CRASHED
        assert result.message


@pytest.mark.parametrize("after", ["time.sleep(60)", "os.close(1); time.sleep(60)"])
def test_one_that_lives_on_with_nothing_to_do_is_ended(
    project: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    monkeypatch.setattr("orchestrator.agents.claude_transport._LINGER_SECONDS", 0.5)
    result = run(project, WELL, RESULT, after)
    assert (result.outcome, result.message) == (AgentOutcome.COMPLETED, "done")
    assert result.seconds < 25


@pytest.mark.parametrize(
    "told",
    [
        '"modelUsage": {"m": {"inputTokens": "many"}}',
        '"modelUsage": {"m": {"inputTokens": 10**30}}',
        '"total_cost_usd": float("nan")',
        '"total_cost_usd": -5.0',
        '"num_turns": 10**30',
        '"permission_denials": [{"tool_name": "Bash", "tool_input": "x"}, {"tool_input": [1]}, 3]',
    ],
)
def test_values_that_cannot_be_do_not_lose_the_result(project: Path, told: str) -> None:
    text = RESULT.replace(
        '"num_turns": 1', told if "num_turns" in told else f'"num_turns": 1, {told}'
    )
    result = run(project, WELL, text)
    billed = "modelUsage" in told or "cost" in told
    assert result.outcome is AgentOutcome.COMPLETED
    assert (result.usage == UNKNOWN_USAGE) == billed
    assert 0 <= result.usage.cost_usd < 1
    assert 0 <= result.turns <= 10**9


def test_json_without_end_is_one_line(project: Path) -> None:
    result = run(project, WELL, 'print("{\\"a\\":" + "[" * 200_000, flush=True)')
    assert result.outcome is AgentOutcome.CRASHED
    assert "not JSON" in result.message
