"""Runs in a work tree of their own: the user's checkout stays as it is, a branch is left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.errors import UsageError
from orchestrator.models import RunOutcome
from orchestrator.storage.state_directory import resolve_state_directory
from tests.e2e.conftest import LESSON, RIGHT_WITH_RULE, RULE, WRONG, World
from tests.e2e.test_runs import git
from tests.recorded_runs import list_runs
from tests.trusting import trust_project

pytestmark = pytest.mark.whole

ISOLATED = {"workspace__isolate": True}


def branches(project: Path) -> list[str]:
    return git(project, "branch", "--list", "orchestrator/*", "--format=%(refname:short)").split()


def notices(world: World) -> str:
    return "\n".join(
        event.text for event in world.received_events if isinstance(event, events.Notice)
    )


def test_the_work_and_the_rules_are_on_the_branch(world: World) -> None:
    (world.project / "notes.txt").write_text("mine, not committed\n", encoding="utf-8")
    before = git(world.project, "status", "--porcelain=v2", "--branch")
    index = (world.project / ".git" / "index").read_bytes()
    result = world.run(WRONG, RIGHT_WITH_RULE, LESSON, **ISOLATED)
    assert result.outcome is RunOutcome.SOLVED
    assert git(world.project, "status", "--porcelain=v2", "--branch") == before
    assert (world.project / ".git" / "index").read_bytes() == index
    assert world.rulebook == ""
    (run,) = list_runs()
    assert run.task.project == world.project
    (branch,) = branches(world.project)
    assert branch == f"orchestrator/{run.id}"
    assert "return 42" in git(world.project, "show", f"{branch}:answers.py")
    assert RULE in git(world.project, "show", f"{branch}:CLAUDE.md")
    message = git(world.project, "log", "-1", "--format=%B", branch)
    assert run.task.text in message
    assert f"Run: {run.id}" in message
    assert "notes.txt" in notices(world)
    assert branch in notices(world)
    assert list((resolve_state_directory() / "worktrees").iterdir()) == []
    assert git(world.project, "worktree", "list").count("\n") == 1


def test_a_paused_run_keeps_its_work_tree_and_resume_goes_on_in_it(world: World) -> None:
    first = world.run(WRONG, LESSON, learning__auto_retry=False, **ISOLATED)
    assert first.outcome is RunOutcome.PAUSED
    (kept,) = (resolve_state_directory() / "worktrees").iterdir()
    assert "return 41" in (kept / "answers.py").read_text(encoding="utf-8")
    assert world.resume(RIGHT_WITH_RULE).outcome is RunOutcome.SOLVED
    (branch,) = branches(world.project)
    assert "return 42" in git(world.project, "show", f"{branch}:answers.py")
    assert not kept.exists()


def test_where_isolation_cannot_be_nothing_is_left(world: World, tmp_path: Path) -> None:
    (world.project / ".git").rename(tmp_path / "git")
    with pytest.raises(UsageError, match="cannot be isolated"):
        world.run(RIGHT_WITH_RULE, **ISOLATED)
    assert list_runs() == []
    (tmp_path / "git").rename(world.project / ".git")
    with pytest.raises(Exception, match="no-such-program"):
        world.run(RIGHT_WITH_RULE, tests__command="no-such-program", **ISOLATED)
    assert branches(world.project) == []
    assert list((resolve_state_directory() / "worktrees").iterdir()) == []


def test_two_isolated_runs_at_once_do_not_touch_each_other(world: World) -> None:
    agent = (
        "import os, time; from pathlib import Path\n"
        "here = Path(os.environ['MEETING']) / os.environ['NAME']; here.touch()\n"
        "deadline = time.monotonic() + 60\n"
        "while len(list(here.parent.iterdir())) < 2 and time.monotonic() < deadline:\n"
        "    time.sleep(0.05)\n"
        "Path('answers.py').write_text('def answer():\\n    return 42\\n')\n"
        "Path(os.environ['NAME']).write_text('mine')\n"
    )
    settings = (world.project / "orchestrator.yaml").read_text(encoding="utf-8")
    command = json.dumps([sys.executable, "-c", agent])
    (world.project / "orchestrator.yaml").write_text(
        f"{settings}agent: {{kind: command, command: {command}}}\n", encoding="utf-8"
    )
    trust_project(world.project)
    meeting = world.home / "meeting"
    meeting.mkdir()
    root = str(Path(__file__).parents[2])
    argv = [sys.executable, "-m", "orchestrator", "run", "Answer.", "--isolate"]
    runs = [
        subprocess.Popen(
            argv, cwd=world.project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONPATH": root, "NAME": name, "MEETING": str(meeting),
                 "ANTHROPIC_API_KEY": "k"},
        )
        for name in ("one", "two")
    ]  # fmt: skip
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    found = branches(world.project)
    assert len(found) == 2
    files = [git(world.project, "ls-tree", "--name-only", branch).split() for branch in found]
    assert sorted(("one" in names, "two" in names) for names in files) == [
        (False, True),
        (True, False),
    ]
