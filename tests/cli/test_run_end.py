"""What the end of a run says: what the tests gave, and how to go on."""

import re
import shlex
import signal
import time
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.cli.run_facts import iter_facts
from orchestrator.models import RunOutcome, RunResult
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.storage.state_directory import resolve_state_directory
from tests.cli.conftest import LESSONS, TASK, Call, Shop, start_command, wait_for_result
from tests.recorded_runs import get_last_run


def list_facts(
    result: RunResult, *, recorded: bool = True, changes: str = "", advice: str = ""
) -> dict[str, str]:
    """Return the facts of a run's end by their labels."""
    folder = resolve_state_directory()
    ended = events.RunEnded("run-1", result, folder, 1.0, changes=changes, advice=advice)
    return dict(iter_facts(ended, folder, recorded=recorded))


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
    for recorded in (True, False):
        facts = list_facts(result, recorded=recorded, changes="1 file: `git diff`", advice="see")
        assert {label in facts for label in ("changed", "next", "details")} == {recorded}


def test_one_command_is_named_once() -> None:
    result = RunResult(RunOutcome.PAUSED)
    assert list_facts(result)["continue"] == "orchestrator resume run-1"
    facts = list_facts(result, advice="then `orchestrator resume run-1` makes the next one")
    assert "continue" not in facts


def test_the_setting_that_stopped_a_run_can_be_raised_as_it_says(
    call: Call, shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("check.sh", "sleep 600\n")
    shop.configure(tests={"timeout": 5})
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 3
    run = get_last_run().id
    resume = f"ORCHESTRATOR_TESTS_TIMEOUT=10 orchestrator resume {run}"
    section = "in the section `tests:` of orchestrator.yaml: `timeout: 10`"
    assert f"  next     `{resume}`; for other runs, {section}\n" in done.out
    assert "  continue" not in done.out
    variable, _, command = resume.partition(" ")
    monkeypatch.setenv(*variable.split("="))
    shop.write("check.sh", "grep -qx right word.txt\n")
    assert call(*command.split()[1:]).code == 0


def test_a_wrong_command_is_corrected_where_it_comes_from(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    done = call("run", TASK, "--project-dir", shop.project, "--tests", "pytset")
    assert done.code == 3
    assert "pytset of --tests is not found" in done.err
    assert '--tests "' in done.err
    assert "orchestrator.yaml" not in done.err


def test_a_file_that_was_named_is_the_one_to_edit(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path
) -> None:
    shop.configure(tests={"timeout": 1, "command": "sleep 5"}, limits={"max_cost_usd": 1})
    mine = (shop.project / "orchestrator.yaml").rename(tmp_path / "mine.yaml")
    done = call("run", TASK, "--project-dir", shop.project, "--config", mine)
    assert done.code == 3
    assert f"in the section `tests:` of {mine}: `timeout: 2`\n" in done.out


def test_a_misspelt_key_is_not_said_to_be_missing(call: Call, shop: Shop) -> None:
    shop.write("orchestrator.yaml", "tests: {comand: pytest}\n")
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 2
    assert done.err.endswith("(did you mean `tests.command`?)\n")


def test_commands_work_where_the_person_stands(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("mine.txt", "not committed\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 0
    assert f"`orchestrator undo {get_last_run().id}` brings " in done.out
    assert f"`git -C {shlex.quote(str(shop.project))} diff`" in done.out
    (show,) = re.findall(r"`(orchestrator rules show .*)`", done.out)
    assert call(*shlex.split(show)[1:]).code == 0
