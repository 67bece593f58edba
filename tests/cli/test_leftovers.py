"""A work tree that stayed because its run was killed at the very end: the next run removes it."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.models import RunOutcome
from orchestrator.platform.liveness import mark_process
from orchestrator.storage.state_directory import resolve_state_directory
from tests.cli.conftest import CHECKOUT, TASK, Call, Shop
from tests.recorded_runs import get_last_run

DIES_AT_THE_END = """
import os, signal, sys
from orchestrator.services import isolation
from orchestrator.cli import main
isolation._remove_worktree = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""

ME = mark_process()


@pytest.fixture
def left(shop: Shop) -> Path:
    """The work tree of a run that solved its task and was killed before it removed it."""
    shop.agent.write_text("echo right > word.txt\n", encoding="utf-8")
    shop.configure(failure_sources=[{"name": "pytest", "enabled": False}])
    shop.write(".gitignore", "*.log\n")
    for arguments in (["add", "-A"], ["commit", "-q", "-m", "ignore logs"]):
        subprocess.run(["git", *arguments], cwd=shop.project, check=True)
    words = ["run", TASK, "--isolate", "--project-dir", str(shop.project)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    argv = [sys.executable, "-c", DIES_AT_THE_END, *words]
    done = subprocess.run(argv, env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done
    assert get_last_run().outcome is RunOutcome.SOLVED
    (folder,) = (resolve_state_directory() / "worktrees").iterdir()
    (folder / "some.log").write_text("ignored", encoding="utf-8")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_bytes(b"machine-made")
    return folder


def again(call: Call, shop: Shop) -> str:
    done = call("run", TASK, "--isolate", "--project-dir", shop.project)
    assert done.code == 0, done.output
    return done.out


def test_the_next_isolated_run_removes_it_and_keeps_its_branch(
    call: Call, shop: Shop, left: Path
) -> None:
    said = again(call, shop)
    assert f"removing the leftover work tree of run {left.name}: {left}" in said
    assert not left.exists()
    branch = f"orchestrator/{left.name}"
    git = ["git", "-C", str(shop.project)]
    assert subprocess.check_output([*git, "show", f"{branch}:word.txt"]) == b"right\n"
    assert subprocess.check_output([*git, "worktree", "list"]).count(b"\n") == 1
    assert f"the work is on the branch {branch}" in said
    assert "removing" not in again(call, shop)


@pytest.mark.parametrize("name", ["word.txt", "new.txt"])
def test_a_work_tree_with_content_of_its_own_stays(
    call: Call, shop: Shop, left: Path, name: str
) -> None:
    (left / name).write_text("mine", encoding="utf-8")
    assert f"{name} is only in {left}" in again(call, shop)
    assert (left / name).read_text(encoding="utf-8") == "mine"


def test_one_that_was_removed_halfway_goes_too(call: Call, shop: Shop, left: Path) -> None:
    (left / "word.txt").unlink()
    (left / ".git").unlink()
    again(call, shop)
    assert not left.exists()


@pytest.mark.parametrize(
    "change",
    [
        f"process = {ME.pid}, process_started = {ME.started}",
        "outcome = 'paused'",
    ],
    ids=["there", "can go on"],
)
def test_a_run_that_is_there_or_can_go_on_keeps_its_work_tree(
    call: Call, shop: Shop, left: Path, change: str
) -> None:
    with closing(sqlite3.connect(resolve_state_directory() / "state.db")) as runs, runs:
        runs.execute(f"UPDATE runs SET {change}")  # noqa: S608 -- words of this test
    assert left.name not in again(call, shop)
    assert left.is_dir()


def test_a_branch_that_is_gone_stops_no_run(call: Call, shop: Shop, left: Path) -> None:
    ref = shop.project / ".git" / "refs" / "heads" / "orchestrator" / left.name
    ref.unlink()
    assert f"the work tree of run {left.name} is not removed: {left}" in again(call, shop)
    assert left.is_dir()
