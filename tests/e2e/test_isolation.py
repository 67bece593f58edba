"""Runs in a work tree of their own: the user's checkout stays as it is, a branch is left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.config import load_config
from orchestrator.errors import LoopError, UsageError
from orchestrator.models import RunOutcome
from orchestrator.replay.scenario import Speaker
from orchestrator.rulebook.records import RuleRecord, Status
from orchestrator.services.rulebooks import open_rulebook
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import resolve_state_directory
from tests.e2e.conftest import LESSON, RIGHT, RIGHT_WITH_RULE, RULE, WRONG, World
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
    argv = [sys.executable, "-m", "orchestrator", "run", "Make it answer.", "--isolate"]
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


MINE = "# Mine\n\nSay moin in every commit message.\n"


def ignore(world: World, *patterns: str) -> None:
    path = world.project / ".git/info/exclude"
    path.write_text("".join(f"{pattern}\n" for pattern in patterns), encoding="utf-8")


def write_mine(world: World, name: str = "CLAUDE.md") -> Path:
    path = world.project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MINE, encoding="utf-8")
    return path


@pytest.mark.parametrize("ignored", [True, False], ids=["ignored", "untracked"])
def test_a_private_file_is_seen_by_the_agent_and_gets_the_rule(world: World, ignored: bool) -> None:
    if ignored:
        ignore(world, "CLAUDE.md")
    mine = write_mine(world)
    mine.chmod(0o600)
    assert world.run(WRONG, RIGHT_WITH_RULE, LESSON, **ISOLATED).outcome is RunOutcome.SOLVED
    assert "Say moin" in str([request.body for request in world.list_requests(Speaker.AGENT)])
    assert world.rulebook.startswith(MINE)
    assert world.rulebook.count(RULE) == 1
    assert mine.stat().st_mode & 0o777 == 0o600
    (branch,) = branches(world.project)
    assert git(world.project, "diff", "--name-only", f"HEAD...{branch}") == "answers.py\n"
    assert f"`git -C {world.project} merge {branch}` merges it" in notices(world)
    git(world.project, "merge", "-q", branch)
    assert world.rulebook.count(RULE) == 1
    (record,) = list_records(world)
    assert record.status is Status.ACTIVE


def list_records(world: World) -> list[RuleRecord]:
    config = load_config(world.project).config
    with Store() as store:
        _, history = open_rulebook(config, world.project, store.database, lambda _event: None)
        return history.list_records()


def test_a_rule_is_in_the_private_file_before_the_run_has_ended(world: World) -> None:
    ignore(world, "CLAUDE.md")
    write_mine(world)
    first = world.run(WRONG, LESSON, learning__auto_retry=False, **ISOLATED)
    assert first.outcome is RunOutcome.PAUSED
    assert RULE in world.rulebook
    # Meanwhile the user rewrites their text, and adds a rule of their own.
    edited = world.rulebook.replace("Say moin", "Say hello") + "\n- **Rule**: Ask me.\n"
    (world.project / "CLAUDE.md").write_text(edited, encoding="utf-8")
    assert world.resume(RIGHT_WITH_RULE).outcome is RunOutcome.SOLVED
    assert world.rulebook == edited


def test_a_rule_that_the_user_has_removed_again_stays_out(world: World) -> None:
    ignore(world, "CLAUDE.md")
    mine = write_mine(world)
    world.run(WRONG, LESSON, learning__auto_retry=False, **ISOLATED)
    assert RULE in world.rulebook
    mine.write_text(MINE, encoding="utf-8")
    assert world.resume(RIGHT_WITH_RULE).outcome is RunOutcome.SOLVED
    assert world.rulebook == MINE


def test_an_ignored_file_that_does_not_exist_is_made_for_the_user(world: World) -> None:
    ignore(world, "CLAUDE.md")
    assert world.run(WRONG, RIGHT_WITH_RULE, LESSON, **ISOLATED).outcome is RunOutcome.SOLVED
    assert world.rulebook.count(RULE) == 1
    (branch,) = branches(world.project)
    assert git(world.project, "diff", "--name-only", f"HEAD...{branch}") == "answers.py\n"


@pytest.mark.parametrize(
    ("target", "name"),
    [("agents-md", "AGENTS.md"), ("rules-dir", ".claude/rules/learned.md")],
)
def test_private_files_of_other_targets(world: World, target: str, name: str) -> None:
    ignore(world, "AGENTS.md", ".claude/")
    if target == "agents-md":
        write_mine(world, name)
    settings = {"rules__target": target, **ISOLATED}
    assert world.run(WRONG, RIGHT_WITH_RULE, LESSON, **settings).outcome is RunOutcome.SOLVED
    assert RULE in (world.project / name).read_text(encoding="utf-8")
    (branch,) = branches(world.project)
    assert git(world.project, "diff", "--name-only", f"HEAD...{branch}") == "answers.py\n"


def test_a_tracked_link_to_a_private_file(world: World) -> None:
    ignore(world, "AGENTS.md")
    mine = write_mine(world, "AGENTS.md")
    (world.project / "CLAUDE.md").symlink_to("AGENTS.md")
    git(world.project, "add", "CLAUDE.md")
    git(world.project, "commit", "-q", "-m", "one file for all agents")
    assert world.run(WRONG, RIGHT_WITH_RULE, LESSON, **ISOLATED).outcome is RunOutcome.SOLVED
    assert mine.read_text(encoding="utf-8").startswith(MINE)
    assert RULE in mine.read_text(encoding="utf-8")
    assert (world.project / "CLAUDE.md").is_symlink()


def test_what_the_agent_does_to_a_private_file_is_reported_and_not_applied(world: World) -> None:
    ignore(world, "CLAUDE.md")
    write_mine(world)
    changes = RIGHT.replace(
        "      - say: It is 42.",
        '      - tools: [{name: Bash, input: {command: "echo more >> CLAUDE.md"}}]\n'
        "      - say: It is 42.",
    )
    settings = {"claude__allowed_tools": ["Bash(echo *)"], **ISOLATED}
    assert world.run(changes, **settings).outcome is RunOutcome.SOLVED
    assert world.rulebook == MINE
    (run,) = list_runs()
    copy = run.folder / "changed" / "CLAUDE.md"
    assert copy.read_text(encoding="utf-8") == f"{MINE}more\n"
    assert str(copy) in notices(world)


def test_no_merge_is_advised_that_would_replace_an_untracked_file(world: World) -> None:
    ignore(world, "notes.txt")
    (world.project / "notes.txt").write_text("mine\n", encoding="utf-8")
    changes = RIGHT.replace(
        "      - say: It is 42.",
        '      - tools: [{name: Bash, input: {command: "echo x > notes.txt && git add -f notes.txt '
        '&& git commit -q -m notes"}}]\n      - say: It is 42.',
    )
    settings = {"claude__allowed_tools": ["Bash(echo *)", "Bash(git *)"], **ISOLATED}
    assert world.run(changes, **settings).outcome is RunOutcome.SOLVED
    (branch,) = branches(world.project)
    assert "first move away notes.txt" in notices(world)
    assert f"merge {branch}`" not in notices(world)
    assert (world.project / "notes.txt").read_text(encoding="utf-8") == "mine\n"


def test_a_private_file_that_cannot_be_written_ends_the_run_before_it_costs(world: World) -> None:
    ignore(world, "CLAUDE.md")
    (world.project / "CLAUDE.md").mkdir()
    with pytest.raises(LoopError, match="is not a file"):
        world.run(WRONG, RIGHT_WITH_RULE, LESSON, **ISOLATED)
    assert not world.requests
    assert branches(world.project) == []
