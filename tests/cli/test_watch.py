"""`kill -9` of the program in every phase of a run: within five seconds nothing of it is left.

The phases of the suite are told apart by how often it has run, those of git by its calls.
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from orchestrator.replay import ReplayServer, parse_scenario
from tests.cli.conftest import LESSONS, TASK, Call, Shop, start_command
from tests.cli.test_signals import alive, find_watch, relatives, until

SECONDS = 5.0
FAMILY = """
sleep 600 &
setsid sleep 600 &
env -i setsid sleep 600 &
{away}
touch {ready}
trap "" TERM HUP
sleep 600
"""
"""In its group, in a session of its own, without the mark, and without the mark and a parent."""

AWAY = "(env -i setsid sleep 600 &)"
"""It is found because the program is the parent of orphans while agent or suite are at work."""

COUNTED = """
echo x >> {log}
if [ $(wc -l < {log}) = {number} ]; then
{family}
fi
"""
"""A program that sleeps when it is called for a given time."""

CLAUDE_WORKS_ON = """
  - when: {speaker: agent}
    reply: {tools: [{name: Bash, input: {command: "touch ready && sleep 0.1"}}]}
"""


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))


def kill_and_look(shop: Shop, ready: Path, *options: str, least: int = 5) -> None:
    """Run, kill the run and its group when a file appears, and see that nothing is left."""
    child = start_command(
        "run",
        TASK,
        "--project-dir",
        shop.project,
        *options,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(ready)
    time.sleep(1.0)  # so long the watch may not know what has neither mark nor parent
    watch, left = find_watch(child), relatives(child)
    left += find_sleepers(left)
    try:
        assert len(alive(left)) >= least
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        deadline = time.monotonic() + SECONDS
        while alive([*left, watch]) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert alive([*left, watch]) == []
    finally:
        for each in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def find_sleepers(known: list[psutil.Process]) -> list[psutil.Process]:
    """Return the sleeping processes without an environment that are younger than the others."""
    found = []
    start = min((each.create_time() for each in known), default=0.0)
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if each.cmdline() == ["sleep", "600"] and not each.environ().get("PATH"):
                found += [each] if each.create_time() >= start and each not in known else []
    return found


def write_program(path: Path, text: str, then: str = "") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n{then}\n", encoding="utf-8")
    path.chmod(0o755)


def count_calls(tmp_path: Path, number: int, away: str = AWAY) -> tuple[str, Path]:
    """Return the script of a program that sleeps at one of its calls, and the file it writes."""
    ready = tmp_path / "ready"
    family = FAMILY.format(ready=shlex.quote(str(ready)), away=away)
    return COUNTED.format(
        log=shlex.quote(str(tmp_path / "calls")), number=number, family=family
    ), ready


def test_at_the_agents_work(shop: Shop, teacher: ReplayServer, tmp_path: Path, call: Call) -> None:
    ready = tmp_path / "ready"
    shop.agent.write_text(FAMILY.format(ready=shlex.quote(str(ready)), away=AWAY), encoding="utf-8")
    kill_and_look(shop, ready)
    listed = call("runs").out
    assert "interrupted" in listed
    assert "running" not in listed


@pytest.mark.parametrize(
    "number",
    [1, pytest.param(2, marks=pytest.mark.kills), 3, pytest.param(4, marks=pytest.mark.kills)],
)
def test_in_each_run_of_the_suite(
    shop: Shop, teacher: ReplayServer, tmp_path: Path, number: int
) -> None:
    """The baseline, the attempt's tree, the tree before it for comparison, and once more."""
    sleeps, ready = count_calls(tmp_path, number)
    shop.write("check.sh", f"{sleeps}\ngrep -qx right word.txt\n")
    kill_and_look(shop, ready)


@pytest.mark.kills
@pytest.mark.kills_sample
def test_in_an_isolated_run(shop: Shop, teacher: ReplayServer, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    shop.agent.write_text(FAMILY.format(ready=shlex.quote(str(ready)), away=AWAY), encoding="utf-8")
    kill_and_look(shop, ready, "--isolate")


@pytest.mark.kills
@pytest.mark.parametrize("number", [1, 4, 12])
def test_while_git_is_called(
    shop: Shop,
    teacher: ReplayServer,
    tmp_path: Path,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sleeps, ready = count_calls(tmp_path, number, away="")
    git = shutil.which("git")
    write_program(tmp_path / "bin" / "git", sleeps, f'exec {git} "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    kill_and_look(shop, ready, least=4)


def test_while_claude_code_is_asked_for_its_version(
    shop: Shop, teacher: ReplayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = tmp_path / "ready"
    shop.configure(agent={"kind": "claude_code", "command": []})
    write_program(
        tmp_path / "bin" / "claude", FAMILY.format(ready=shlex.quote(str(ready)), away="")
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    kill_and_look(shop, ready, least=4)


@pytest.mark.kills
def test_claude_code_asks_its_model_no_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.configure(agent={"kind": "claude_code", "command": []})
    with ReplayServer(parse_scenario(LESSONS + CLAUDE_WORKS_ON)) as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")
        monkeypatch.setenv("ORCHESTRATOR_CLAUDE_ALLOWED_TOOLS", '["Bash"]')
        kill_and_look(shop, shop.project / "ready", least=1)
        asked = len(model.requests)
        assert asked > 1
        time.sleep(SECONDS)
        assert len(model.requests) == asked
