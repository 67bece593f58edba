"""What the end of a run says: what the tests gave, and how to go on."""

import signal
import time

import pytest

from orchestrator import events
from orchestrator.cli.run_facts import iter_facts
from orchestrator.models import RunOutcome, RunResult
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.storage.state_directory import resolve_state_directory
from tests.cli.conftest import LESSONS, TASK, Call, Shop, start_command, wait_for_result


def list_facts(result: RunResult, *, recorded: bool = True, **said: str) -> dict[str, str]:
    """Return the facts of a run's end by their labels."""
    ended = events.RunEnded("run-1", result, resolve_state_directory(), 1.0, **said)
    return dict(iter_facts(ended, recorded=recorded))


def test_the_reports_before_an_interrupted_attempt_are_not_denied(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    shop.agent.write_text("sleep 0.5; kill -INT $PPID; sleep 600\n", encoding="utf-8")
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 130
    assert "  tests    no attempt was judged; before: 1 failed\n" in done.out
    assert "no attempt was judged; before: 1 failed\n" in call("runs", "show").out


def test_the_report_on_an_interrupted_attempt_is_not_denied(
    call: Call, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("check.sh", "grep -qx right word.txt || exit 7\n")
    slow = LESSONS.replace("    reply:\n", "    reply:\n      delay: 100\n")
    with ReplayServer(parse_scenario(slow)) as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")
        child = start_command("run", TASK, "--project-dir", shop.project)
        deadline = time.monotonic() + 60
        while not model.requests:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        done = wait_for_result(child)
    assert done.code == 130
    assert "  tests    1 failed\n" in done.out
    assert "tests    1 failed\n" in call("runs", "show").out


def test_an_isolated_run_that_changed_nothing_has_ended_for_good(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    shop.write("check.sh", "grep -qx wrong word.txt\n")
    shop.agent.write_text("echo fine as it is\n", encoding="utf-8")
    shop.configure(workspace={"isolate": True})
    shop.commit_all()
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 1
    assert "Nothing changed" in done.out
    assert "resume" not in done.out
    assert "the run changed nothing, so its branch was removed" in done.out
    assert list((resolve_state_directory() / "worktrees").iterdir()) == []
    assert "has ended" in call("resume").err


def test_no_command_is_named_for_a_run_that_is_not_recorded() -> None:
    result = RunResult(RunOutcome.SOLVED)
    said = {"changes": "1 file: `git diff`", "advice": "review it"}
    assert {"changed", "next"} <= set(list_facts(result, **said))
    assert not {"changed", "next", "details"} & set(list_facts(result, recorded=False, **said))


def test_one_command_is_named_once() -> None:
    result = RunResult(RunOutcome.PAUSED)
    assert list_facts(result)["continue"] == "orchestrator resume run-1"
    facts = list_facts(result, advice="then `orchestrator resume run-1` makes the next one")
    assert "continue" not in facts
