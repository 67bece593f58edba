"""Ctrl-C, `kill`, and a closed terminal: state is saved, and no process is left."""

import contextlib
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from subprocess import Popen

import psutil
import pytest

from orchestrator.models import RunOutcome
from orchestrator.platform import parent_watch_program
from orchestrator.platform.process_tree import MARK
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.storage.state_directory import resolve_state_directory
from tests.cli.conftest import (
    AGENT,
    LESSONS,
    RULE,
    TASK,
    Call,
    Shop,
    start_command,
    wait_for_result,
)
from tests.recorded_runs import get_last_run

FAMILY = """
sleep 600 &
setsid sleep 600 &
touch "$0.ready"
sleep 600
"""
CLAUDE_SLEEPS = """
  - when: {speaker: agent}
    steps: [{tools: [{name: Bash, input: {command: "touch ready && sleep 600"}}]}]
"""


def until(path: Path) -> None:
    """Wait until a child has come as far as to write a file."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; where nobody reaps orphans, a dead one stays as a zombie."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def find_watch(child: Popen[str]) -> psutil.Process:
    """Return the process that watches a child."""
    (watch,) = filter(is_watch, psutil.Process(child.pid).children())
    return watch


def is_watch(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return parent_watch_program.__file__ in process.cmdline()
    return False


def relatives(child: Popen[str]) -> list[psutil.Process]:
    """What a child has started, whatever its session, without the process that watches it."""
    found = psutil.Process(child.pid).children(recursive=True)
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue
        if environment.get("ORCHESTRATOR_STATE_DIR") == str(resolve_state_directory()) and MARK in (
            environment
        ):
            found.append(process)
    found = [process for process in found if not is_watch(process)]
    return sorted(set(found), key=lambda process: process.pid)


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))


def test_ctrl_c_ends_the_agent_and_keeps_the_run(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    shop.agent.write_text(FAMILY, encoding="utf-8")
    child = start_command("run", TASK, "--project-dir", shop.project)
    until(shop.agent.with_name("agent.sh.ready"))
    left = relatives(child)
    assert len(left) >= 4  # the shell and three that sleep
    child.send_signal(signal.SIGINT)
    done = wait_for_result(child)
    assert (done.code, done.err) == (130, "\norchestrator: interrupted\n")
    assert "Interrupted" in done.out
    assert "  continue orchestrator resume " in done.out
    assert alive(left) == []
    assert get_last_run().outcome is RunOutcome.INTERRUPTED

    shop.agent.write_text(AGENT, encoding="utf-8")
    done = call("resume")
    assert (done.code, done.err) == (0, "")
    assert "running the suite on the unchanged project" not in done.out
    assert RULE.encode() in shop.rulebook


@pytest.mark.whole
@pytest.mark.parametrize("name", ["TERM", "HUP"])
def test_other_signals_do_the_same(
    call: Call, shop: Shop, teacher: ReplayServer, name: str
) -> None:
    # Not at once: a child that is just being started belongs to nobody yet.
    shop.agent.write_text(f"sleep 0.5; kill -{name} $PPID; sleep 600\n", encoding="utf-8")
    before = signal.getsignal(getattr(signal, f"SIG{name}"))
    done = call("run", TASK, "--project-dir", shop.project)
    assert (done.code, done.err) == (130, "\norchestrator: interrupted\n")
    assert get_last_run().outcome is RunOutcome.INTERRUPTED
    assert signal.getsignal(getattr(signal, f"SIG{name}")) is before
    shop.agent.write_text(AGENT, encoding="utf-8")
    assert call("resume").code == 0


def test_an_ignored_hangup_stays_ignored(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    shop.agent.write_text(f"kill -HUP $PPID; sleep 0.2\n{AGENT}", encoding="utf-8")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert call("run", TASK, "--project-dir", shop.project).code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.whole
def test_kill_while_claude_code_runs_a_command(shop: Shop) -> None:
    shop.configure(agent={"kind": "claude_code", "command": []})
    ready = shop.project / "ready"
    with (
        ReplayServer(parse_scenario(LESSONS + CLAUDE_SLEEPS)) as model,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("ANTHROPIC_BASE_URL", model.url)
        patch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")
        patch.setenv("ORCHESTRATOR_CLAUDE_ALLOWED_TOOLS", '["Bash(touch *)", "Bash(sleep *)"]')
        child = start_command("run", TASK, "--project-dir", shop.project, "--json")
        until(ready)
        left = relatives(child)
        assert len(alive(left)) >= 2  # Claude Code, and what it runs
        child.send_signal(signal.SIGTERM)
        done = wait_for_result(child)
    assert (done.code, done.err) == (130, "\norchestrator: interrupted\n")
    assert done.events[-1]["event"] == "run_ended"
    assert done.events[-1]["result"]["outcome"] == "interrupted"
    assert alive(left) == []
