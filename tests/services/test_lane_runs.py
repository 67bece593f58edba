"""Runs in lanes: real git, real processes, an agent that is a small program."""

import json
import shlex
import signal
import sys
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.models import RunOutcome
from orchestrator.services.project_lock import lock_project
from orchestrator.services.runs import resume_run
from orchestrator.services.undoable_runs import find_undoable_run, list_later_runs
from orchestrator.storage.runs import Store
from orchestrator.tasks.events import TaskProgress
from tests.platform.test_process import alive
from tests.services.lane_world import (
    LIST,
    create_project,
    git,
    open_world,
    start_killable,
    wait_for,
)

pytestmark = pytest.mark.whole

AGENT = '''
"""Do what the prompt says, one command a line."""
import os, pathlib, subprocess, sys, time
out = pathlib.Path(OUT)
for line in sys.stdin.read().splitlines():
    match line.split():
        case ["write", name, text]:
            path = pathlib.Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\\n")
        case ["tell", name]:
            names = ("TMPDIR", "PORT", "ORCHESTRATOR_LANE")
            (out / name).write_text(" ".join([*(os.environ[n] for n in names), os.getcwd()]))
        case ["await", name]:
            while not (out / name).exists():
                time.sleep(0.02)
        case ["daemon", name]:
            daemon = [sys.executable, "-c", "import time; time.sleep(600)"]
            left = subprocess.Popen(daemon, start_new_session=True, stdin=-3, stdout=-3, stderr=-3)
            (out / name).write_text(str(left.pid))
'''


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")  # nobody is asked


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def make_project(project: Path, out: Path, **sections: object) -> Path:
    script = out / "agent.py"
    script.write_text(AGENT.replace("OUT", repr(str(out))), encoding="utf-8")
    config = {
        "tests": {"framework": "command", "command": "grep -qx right word.txt"},
        "agent": {"kind": "command", "command": [sys.executable, str(script)]},
        "learning": {"max_retries": 0},
        "failure_sources": [{"name": "pytest", "type": "test_failure", "enabled": False}],
        **sections,
    }
    create_project(project, config, word__txt="wrong\n", __gitignore=".env\nbuilt/\n")
    return project


@pytest.mark.long
def test_the_work_is_a_commit_on_the_base_and_nothing_of_the_users_changes(
    project: Path, out: Path
) -> None:
    make_project(project, out)
    (project / "mine.txt").write_text("not committed\n", encoding="utf-8")
    before = git(project, "status", "--porcelain=v2", "--branch", "-uall")
    prompt = "write word.txt right\nwrite new/file.txt new\nwrite plan.md - [x] done"
    with open_world(project) as world:
        order = world.order("run-1", prompt=prompt, leave=("plan.md",))
        end = world.run(order)
        assert end.outcome is RunOutcome.SOLVED, (end, world.events)
        assert end.changed == ("new/file.txt", "word.txt")
        assert world.read(end.work, "word.txt") == "right\n"
        assert world.read(end.work, "mine.txt") == "not committed\n"
        assert world.repository.resolve(f"{end.work}^") == world.base
        assert world.repository.read_ref("refs/orchestrator/work/run-1") == end.work
        assert world.repository.read_ref("refs/orchestrator/learned/run-1") == end.learned
        assert git(project, "status", "--porcelain=v2", "--branch", "-uall") == before
        record = world.store.load_run("run-1")
        assert (record.task.project, record.lane) == (project, world.runner.find_lane("run-1"))
        limits = json.loads(world.store.read_config("run-1"))["limits"]
        assert (limits["max_cost_usd"], limits["wait_for_reset"]) == (1.0, True)
        assert any(isinstance(each, TaskProgress) for each in world.events)
        again = world.run(order)  # a scheduler that was killed before it stored the end
        assert (again.work, again.learned, again.outcome) == (end.work, end.learned, end.outcome)


@pytest.mark.long
def test_two_lanes_at_once_have_their_own_folders_and_ports(project: Path, out: Path) -> None:
    make_project(project, out)
    with open_world(project) as world:
        for number, other in ((1, 2), (2, 1)):
            prompt = f"tell {number}\nawait {other}\nwrite word.txt right"
            world.runner.start(world.order(f"run-{number}", number, prompt=prompt))
        ends = [world.wait(f"run-{number}") for number in (1, 2)]
        assert [each.outcome for each in ends] == [RunOutcome.SOLVED] * 2, world.events
    told = [(out / str(number)).read_text(encoding="utf-8").split() for number in (1, 2)]
    assert all(one != other for one, other in zip(*told, strict=True)), told
    assert [each[2] for each in told] == ["1", "2"]


@pytest.mark.long
def test_a_lane_is_reset_and_what_it_had_is_stored(project: Path, out: Path) -> None:
    make_project(project, out)
    with open_world(project) as world:
        first = world.run(world.order("run-1", prompt="write word.txt right\nwrite a.txt a"))
        top = world.repository.folder.parent / "lanes" / "1"
        (top / "late.txt").write_text("by a person\n", encoding="utf-8")
        second = world.run(world.order("run-2", prompt="write word.txt right\nwrite b.txt b"))
        assert (first.changed, second.changed) == (("a.txt", "word.txt"), ("b.txt", "word.txt"))
        left = world.repository.read_ref("refs/orchestrator/left/run-1")
        assert world.read(left, "late.txt") == "by a person\n"
        world.run(world.order("run-3", prompt="write word.txt right"))
        assert not world.repository.read_ref("refs/orchestrator/left/run-2")


@pytest.mark.long
def test_a_run_that_did_not_solve_it_says_what_failed(project: Path, out: Path) -> None:
    make_project(project, out)
    with open_world(project) as world:
        end = world.run(world.order("run-1", prompt="write word.txt other"))
        assert end.outcome is RunOutcome.NOT_SOLVED
        assert end.fingerprint
        assert world.read(end.work, "word.txt") == "other\n"
        assert end.seconds > 0


def test_the_check_of_a_task(project: Path, out: Path) -> None:
    make_project(project, out)
    with open_world(project) as world:
        prompt, check = "write word.txt right", "grep -qx done extra.txt"
        end = world.run(world.order("run-1", prompt=prompt, check=check))
        assert end.outcome is RunOutcome.SOLVED
        assert "exit code 2" in end.check_failed
        order = world.order("run-2", prompt=f"{prompt}\nwrite extra.txt done", check=check)
        assert world.run(order).check_failed == ""


@pytest.mark.long
def test_the_check_before_a_run(project: Path, out: Path) -> None:
    make_project(project, out)
    script = "echo x > junk.txt\ngrep -qx right word.txt\n"
    (project / "check.sh").write_text(script, encoding="utf-8")
    with open_world(project) as world:
        order = world.order("run-1", prompt="tell 1", check="grep -qx wrong word.txt")
        assert world.run(order).check_passed_before
        assert not (out / "1").exists()
        with pytest.raises(UsageError, match="needs a shell"):
            world.run(world.order("run-2", check="true && true"))
        assert world.store.list_runs() == []
        order = world.order("run-3", prompt="write word.txt right", check="sh check.sh")
        end = world.run(order)
        assert (end.check_failed, end.changed) == ("", ("word.txt",))


@pytest.mark.long
def test_ignored_files_come_as_listed_and_never_into_the_work(project: Path, out: Path) -> None:
    lanes = {"include": [".env"], "prepare": "mkdir built"}
    make_project(project, out, lanes=lanes)
    (project / ".env").write_text("KEY=1\n", encoding="utf-8")
    with open_world(project) as world:
        end = world.run(world.order("run-1", prompt="write word.txt right"))
        lane = world.runner.find_lane("run-1")
        assert lane is not None
        assert (lane / ".env").read_text(encoding="utf-8") == "KEY=1\n"
        assert (lane / "built").is_dir()
        assert end.changed == ("word.txt",)
        assert ".env" not in world.list_files(end.learned)
        # `mkdir` would fail if it ran again
        assert world.run(world.order("run-2", prompt="write word.txt right")).outcome == "solved"


@pytest.mark.long
def test_a_lane_that_cannot_be_prepared_costs_nothing(project: Path, out: Path) -> None:
    make_project(project, out, lanes={"prepare": "ls no-such-thing"})
    with open_world(project) as world:
        with pytest.raises(InfrastructureError, match=r"prepare failed.*no-such-thing"):
            world.run(world.order("run-1", prompt="tell 1"))
        assert not (out / "1").exists()
        assert world.store.list_runs() == []


def test_an_interrupted_run_ends_its_processes_and_goes_on(project: Path, out: Path) -> None:
    make_project(project, out)
    prompt = "write half.txt half\ndaemon pid\nawait go\nwrite word.txt right"
    with open_world(project) as world:
        order = world.order("run-1", prompt=prompt)
        world.runner.start(order)
        daemon = int(wait_for(out / "pid"))
        assert world.runner.poll("run-1") is None
        world.runner.interrupt("run-1")
        end = world.wait("run-1")
        assert end.outcome is RunOutcome.INTERRUPTED, end
        assert end.changed == ("half.txt",)
        assert not alive(daemon)
        (out / "go").touch()
        # Another task has used the lane before it is continued.
        world.run(world.order("run-2", prompt="write word.txt right\nwrite b.txt b"))
        end = world.run(order)
        assert end.outcome is RunOutcome.SOLVED, (end, world.events[-5:])
        assert end.changed == ("half.txt", "word.txt")


def test_what_a_killed_scheduler_has_started_is_ended_and_continued(
    project: Path, out: Path
) -> None:
    make_project(project, out)
    prompt = "write half.txt half\ndaemon pid\nawait go\nwrite word.txt right"
    with open_world(project) as world:
        order = world.order("run-1", prompt=prompt)
        killed = start_killable(project, order)
        daemon = int(wait_for(out / "pid", killed))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        (out / "go").touch()
        end = world.run(order)
        assert not alive(daemon)
        assert end.outcome is RunOutcome.SOLVED, (end, world.events[-5:])
        assert end.changed == ("half.txt", "word.txt")
        assert len(world.store.load_run("run-1").result.attempts) == 1  # type: ignore[union-attr]


@pytest.mark.long
def test_a_run_that_cannot_begin_says_why(project: Path, out: Path) -> None:
    make_project(project, out, agent={"kind": "command", "command": ["no-such-agent"]})
    with open_world(project) as world:
        end = world.run(world.order("run-1"))
        assert end.outcome is RunOutcome.STOPPED
        assert "no-such-agent" in end.message
        assert world.store.list_runs() == []


@pytest.mark.long
def test_the_environment_cannot_raise_what_is_reserved(
    project: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(project, out)
    monkeypatch.setenv("ORCHESTRATOR_LIMITS_MAX_COST_USD", "500")
    with open_world(project) as world:
        world.run(world.order("run-1", prompt="write word.txt right", max_cost_usd=0.5))
        limits = json.loads(world.store.read_config("run-1"))["limits"]
        assert limits["max_cost_usd"] == 0.5


@pytest.mark.long
def test_a_project_in_a_subfolder_and_secrets_in_a_prompt(tmp_path: Path, out: Path) -> None:
    project = tmp_path / "repository" / "sub"
    project.parent.mkdir()
    git(project.parent, "init", "-q")
    make_project(project, out)
    (project.parent / ".git").rename(tmp_path / "moved")
    (project / ".git").rename(tmp_path / "inner")
    (tmp_path / "moved").rename(project.parent / ".git")
    git(project.parent, "add", "-A")
    git(project.parent, "commit", "-q", "-m", "as it is")
    secret = "sk-ant-api03-" + "Ab1" * 20
    with open_world(project) as world:
        prompt = f"tell 1\nwrite word.txt right\nwrite plan.md x\nthe key is {secret}"
        end = world.run(world.order("run-1", prompt=prompt, leave=("plan.md",)))
        assert end.changed == ("sub/word.txt",)
        assert world.runner.find_lane("run-1") == world.repository.folder.parent / "lanes/1"
        lane = world.store.find_run("run-1").lane
        assert lane == world.repository.folder.parent / "lanes/1/sub"
        assert secret not in world.store.find_run("run-1").task.text
    assert (out / "1").read_text(encoding="utf-8").endswith("/lanes/1/sub")


@pytest.mark.long
def test_a_project_that_is_on_another_machine(project: Path, out: Path) -> None:
    make_project(project, out)
    with open_world(project) as world:
        world.run(world.order("run-1", prompt="write word.txt right"))
        moved = project.rename(project.with_name("moved"))
        borrowed = world.repository.folder / "objects/info/alternates"
        borrowed.write_text(f"{moved}/.git/objects\n", encoding="utf-8")
        end = world.run(world.order("run-2", prompt="write word.txt right"))
        assert end.outcome is RunOutcome.SOLVED, (end, world.events)
        assert end.changed == ("word.txt",)
        assert world.store.find_run("run-2").task.project == project


@pytest.mark.long
def test_a_run_in_a_lane_is_neither_undone_nor_resumed_by_hand(project: Path, out: Path) -> None:
    make_project(project, out)
    with open_world(project) as world:
        order = world.order("run-1", prompt="daemon pid\nawait go")
        world.runner.start(order)
        wait_for(out / "pid")
        world.runner.interrupt("run-1")
        world.wait("run-1")
        with pytest.raises(UsageError, match=rf"lane of task list {LIST}") as error:
            find_undoable_run(world.store, "run-1", project)
        assert f"tasks status {LIST}" in error.value.hint
        assert list_later_runs(world.store.find_run("run-1"), world.store) == ()
        with pytest.raises(UsageError, match="belongs to the task list") as error:
            resume_run("run-1", listener=print)
        assert f"tasks resume {LIST}" in error.value.hint


@pytest.mark.long
def test_lanes_do_not_lock_each_other_nor_the_users_folder(tmp_path: Path) -> None:
    with Store(tmp_path / "state") as store:
        lanes = [store.directory / "lists" / LIST / "lanes" / each for each in ("1/sub", "2/sub")]
        with (
            lock_project(tmp_path, store),
            lock_project(lanes[0], store),
            lock_project(lanes[1], store),
            pytest.raises(InfrastructureError),
            lock_project(lanes[1], store),
        ):
            pass


def test_files_that_git_does_not_see_are_named_unless_they_were_prepared(
    project: Path, out: Path
) -> None:
    code = "import pathlib; pathlib.Path('built').mkdir(); pathlib.Path('built/x').touch()"
    prepare = shlex.join([sys.executable, "-c", code])
    make_project(project, out, lanes={"include": [".env"], "prepare": prepare})
    (project / ".env").write_text("A=1\n", encoding="utf-8")
    (project / "AGENTS.md").write_text("- mine\n", encoding="utf-8")
    with open_world(project) as world:
        plain = "write word.txt right\nwrite __pycache__/a.pyc x\nwrite .env B=2"
        assert world.run(world.order("run-1", prompt=plain)).unseen == ()
        more = "write word.txt right\nwrite built/x new\nwrite built/lib.txt x\nwrite id_rsa/.env x"
        end = world.run(world.order("run-2", prompt=more))
        assert end.unseen == ("built/lib.txt", "id_rsa/.env")
        assert end.changed == ("word.txt",)
        # It stays in the lane, and the next run may use it.
        assert world.run(world.order("run-3", prompt=plain)).unseen == end.unseen
