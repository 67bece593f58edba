"""What a killed run left running is ended by the next command, if its watch was killed too."""

import shlex
import signal
import time
from pathlib import Path
from subprocess import Popen

import psutil
import pytest

from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer
from orchestrator.storage.runs import Store
from tests.cli.conftest import (
    AGENT,
    TASK,
    Call,
    CommandResult,
    Shop,
    start_command,
    wait_for_result,
)
from tests.cli.test_signals import FAMILY, alive, find_watch, relatives, until
from tests.recorded_runs import get_last_run
from tests.sampling import leave_to_whole

MEMBERS = 4
"""The agent's shell, and three that sleep."""

SLOW_CHECK = """
if [ -e {slow} ] && grep -qx wrong word.txt; then
    sleep 600 &
    setsid sleep 600 &
    sleep 600 &
    touch {slow}.ready
    wait
fi
grep -qxE "wrong|right" word.txt
"""


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))


def start(shop: Shop, *options: str) -> Popen[str]:
    """Start a run whose agent begins other processes and sleeps."""
    shop.agent.write_text(FAMILY, encoding="utf-8")
    ready = shop.agent.with_name("agent.sh.ready")
    ready.unlink(missing_ok=True)
    child = start_command("run", TASK, "--project-dir", shop.project, *options)
    until(ready)
    deadline = time.monotonic() + 60
    while len(relatives(child)) < MEMBERS:
        assert time.monotonic() < deadline
    shop.agent.write_text(AGENT, encoding="utf-8")
    return child


def kill(child: Popen[str]) -> list[psutil.Process]:
    """Kill a run and the process that watches it, as `kill -9` does; return what is left."""
    left = relatives(child)
    find_watch(child).kill()
    child.send_signal(signal.SIGKILL)
    assert wait_for_result(child).code == -signal.SIGKILL
    left = alive(left)
    assert len(left) >= MEMBERS
    return left


def read_message(run: str) -> str:
    with Store() as store:
        ((message,),) = store.database.fetch_rows("SELECT message FROM runs WHERE id = ?", (run,))
    return str(message)


def go_on(call: Call, shop: Shop, command: str) -> CommandResult:
    """Begin a new run after one that was killed, or resume that one; return how it ended."""
    words = ("run", TASK, "--project-dir", shop.project) if command == "run" else ("resume",)
    done = call(*words)
    assert done.code == 0, done.output
    return done


@pytest.mark.parametrize("command", ["run", "resume"])
def test_a_killed_runs_processes_are_ended(
    call: Call, shop: Shop, teacher: ReplayServer, command: str
) -> None:
    left = kill(start(shop))
    go_on(call, shop, command)
    assert alive(left) == []


@pytest.mark.parametrize("options", [(), ("--isolate",)])
@pytest.mark.parametrize(
    "command", leave_to_whole([("runs",), ("runs", "show"), ("rules", "list")])
)
def test_any_command_ends_them_and_none_says_that_the_run_is_running(
    call: Call, shop: Shop, teacher: ReplayServer, command: tuple[str, ...], options: tuple[str]
) -> None:
    left = kill(start(shop, *options))
    place = ("--project-dir", shop.project) if command[0] == "rules" else ()
    done = call(*command, *place)
    assert done.code == 0, done.output
    message = (
        "its process was killed, or the machine was switched off; "
        f"ended {len(left)} processes that it had left running"
    )
    assert "running" not in done.out.replace(message, "")
    assert (message in done.out) is ("show" in command)
    assert alive(left) == []
    run = get_last_run()
    assert run.outcome is RunOutcome.INTERRUPTED
    assert read_message(run.id) == message


@pytest.mark.parametrize("command", ["run", "resume"])
def test_those_of_a_killed_comparison_are_ended_too(
    call: Call, shop: Shop, teacher: ReplayServer, command: str
) -> None:
    """The suite of the killed run works on the tree before, which stands in the project."""
    slow = shop.agent.with_name("slow")
    shop.write("check.sh", SLOW_CHECK.format(slow=shlex.quote(str(slow))))
    shop.agent.write_text(f"touch {shlex.quote(str(slow))}\necho other > word.txt\n", "utf-8")
    child = start_command("run", TASK, "--project-dir", shop.project)
    until(slow.with_name("slow.ready"))
    assert shop.word == "wrong\n"
    left = kill(child)
    slow.unlink()
    shop.agent.write_text(AGENT, encoding="utf-8")
    done = go_on(call, shop, command)
    assert alive(left) == []
    assert "! a comparison was cut short" in done.out


def test_those_of_runs_that_are_at_work_are_left_alone(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    child = start(shop, "--isolate")
    try:
        left = relatives(child)
        assert call("run", TASK, "--project-dir", shop.project).code == 0
        assert alive(left) == left
    finally:
        child.send_signal(signal.SIGTERM)
        assert wait_for_result(child).code == 130
