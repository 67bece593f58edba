"""The real Claude Code program against the replay model."""

import threading
import time
from pathlib import Path

import pytest

from orchestrator.platform.child import Child
from orchestrator.platform.watchdog import EndReason
from orchestrator.replay import ReplayServer, Speaker, parse_scenario
from tests.replay.claude import ClaudeRun, claude_command, claude_env, run_claude


def _run(text: str, project: Path, home: Path, **more: str) -> tuple[ClaudeRun, ReplayServer]:
    with ReplayServer(parse_scenario(text)) as model:
        return run_claude(model.url, "Repair it", project, home, env=more), model


def test_text(project: Path, home: Path) -> None:
    run, model = _run("answers: [{reply: {say: 'All is well.'}}]", project, home)
    assert run.completed.returncode == 0
    assert run.result["result"] == "All is well."
    assert run.result["terminal_reason"] == "completed"
    (request,) = model.requests
    assert request.speaker is Speaker.AGENT
    assert request.cwd == str(project)
    assert request.last_text.endswith("Repair it")
    assert {"Bash", "Edit", "Write"} <= set(request.tools)


def test_tools_change_files_and_results_come_back(project: Path, home: Path) -> None:
    (project / "sum.py").write_text("total = a - b\n", encoding="utf-8")
    text = """
    answers:
      - when: {speaker: agent}
        steps:
          - tools:
              - {name: Read, input: {file_path: "${cwd}/sum.py"}}
              - {name: Bash, input: {command: "ls *.py", description: List}}
          - say: The sign is wrong.
            tools:
              - name: Edit
                input: {file_path: "${cwd}/sum.py", old_string: a - b, new_string: a + b}
            usage: {input: 1000, output: 200, cache_read: 300, cache_write: 400}
          - say: Repaired.
    """
    run, model = _run(text, project, home)
    assert run.result["result"] == "Repaired."
    assert (project / "sum.py").read_text(encoding="utf-8") == "total = a + b\n"
    assert [request.step for request in model.requests] == [0, 1, 2]
    assert "total = a - b" in model.requests[1].last_text
    assert "sum.py" in model.requests[1].last_text
    (usage,) = run.result["modelUsage"].values()
    assert (usage["cacheReadInputTokens"], usage["cacheCreationInputTokens"]) == (300, 400)
    assert usage["inputTokens"] >= 1000


def test_housekeeping_uses_no_answer_up(project: Path, home: Path) -> None:
    text = "answers: [{times: 1, reply: {say: Once.}}]"
    run, model = _run(text, project, home, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="")
    assert run.result["result"] == "Once."
    assert not model.unanswered_requests


@pytest.mark.parametrize("status", [401, 529])
def test_status(status: int, project: Path, home: Path) -> None:
    text = f"answers: [{{reply: {{fault: {status}}}}}]"
    run, model = _run(text, project, home)
    assert run.completed.returncode == 1
    assert run.result["is_error"] is True
    assert run.result["terminal_reason"] == "api_error"
    assert run.result["api_error_status"] == status
    assert model.requests


def test_no_answer_reaches_the_user(project: Path, home: Path) -> None:
    text = "answers: [{name: later, when: {step: 3}, reply: {say: x}}]"
    run, model = _run(text, project, home)
    assert run.result["api_error_status"] == 400
    assert "answer 'later' for step 3 at line 1: step is 0, not 3" in run.result["result"]
    assert model.unanswered_requests == model.requests


def test_cut(project: Path, home: Path) -> None:
    text = "answers: [{reply: {say: 'Half of this is lost.', fault: cut}}]"
    run, model = _run(text, project, home)
    assert run.result["is_error"] is True
    assert run.result["terminal_reason"] == "api_error"
    assert model.requests


def test_a_stall_that_ends_is_only_a_slow_model(project: Path, home: Path) -> None:
    text = "answers: [{reply: {say: At last., fault: {kind: stall, seconds: 1}}}]"
    run, _model = _run(text, project, home)
    assert run.result["result"] == "At last."


def test_a_stall_holds_the_program_until_somebody_ends_it(project: Path, home: Path) -> None:
    arrived, printed = threading.Event(), list[bytes]()
    scenario = parse_scenario("answers: [{reply: {fault: stall}}]")
    with ReplayServer(scenario, on_request=lambda _request: arrived.set()) as model:
        child = Child(
            claude_command("Repair it"),
            cwd=project,
            env=claude_env(model.url, home),
            on_stdout=printed.append,
            on_stderr=printed.append,
        )
        assert arrived.wait(90)
        time.sleep(0.5)  # long enough for an answer to end it
        child.end()
        child.wait()
    assert child.ended_by is EndReason.US
    assert printed == []
    assert len(model.requests) == 1
