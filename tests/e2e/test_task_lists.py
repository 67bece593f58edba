"""Lists of tasks with the real Claude Code: what lands, what is learned, what is sent back."""

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.replay.scenario import Speaker
from orchestrator.tasks.events import LanesConflicted, TaskReturned, TaskRunEnded, TaskStarted
from orchestrator.tasks.models import ListStatus, ListSummary, TaskState
from tests.e2e.list_world import (
    RULE,
    Answer,
    ListWorld,
    agent,
    by_id,
    describe_repository,
    fault,
    git,
    lesson,
    list_world,
    part,
    read_file,
    write_file,
)

__all__ = ["list_world"]

pytestmark = pytest.mark.whole

THREE = """# Plan

Some words that nobody may change.  \r
- [ ] T001 Write part one
  Its token is ALPHA.
- [ ] T002 Write part two (depends on T001)
  Its token is BRAVO.
* [ ] T003 Write part three
  Its token is CHARLIE.
"""
PATHS = {"ALPHA": "parts/p_one.py", "BRAVO": "parts/p_two.py", "CHARLIE": "parts/p_three.py"}


def right(token: str, **options: Any) -> Answer:
    return agent(token, [write_file(PATHS[token], part(42))], **options)


def trailers(world: ListWorld, summary: ListSummary, name: str) -> list[str]:
    values = world.log(summary, f"%(trailers:key={name},valueonly,separator=%x2C)")
    return [each for each in values if each]


def test_a_list_lands_task_by_task_and_a_rule_reaches_the_next(list_world: ListWorld) -> None:
    world, project = list_world, list_world.project
    (project / "notes.txt").write_text("mine\n", encoding="utf-8")
    (project / "shared.py").write_text("NAMES = ['mine']\n", encoding="utf-8")
    (project / "staged.txt").write_text("staged\n", encoding="utf-8")
    git(project, "add", "staged.txt")
    (project / ".git/hooks/pre-commit").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (project / ".git/hooks/pre-commit").chmod(0o755)
    before = describe_repository(project)
    summary = world.run(
        THREE,
        agent("ALPHA", [write_file(PATHS["ALPHA"], part(41))], lacks=RULE),
        agent(["ALPHA", RULE], [read_file(PATHS["ALPHA"])], [write_file(PATHS["ALPHA"], part(42))]),
        agent(["BRAVO", RULE], [write_file(PATHS["BRAVO"], part(42))]),
        agent(["CHARLIE", RULE], [write_file(PATHS["CHARLIE"], part(42))]),
        lesson("p_one"),
    )
    assert summary.record.status is ListStatus.COMPLETE, summary
    assert {each.state for each in summary.tasks} == {TaskState.DONE}
    assert world.text == THREE.replace("[ ]", "[x]")
    assert describe_repository(project) == before
    subjects = world.log(summary)
    tasks = [each for each in subjects if each.startswith("Write part")]
    assert tasks == ["Write part one", "Write part two", "Write part three"]
    assert trailers(world, summary, "Task") == ["T001", "T002", "T003"]
    runs = [each.run for each in summary.tasks]
    assert trailers(world, summary, "Run") == runs
    assert trailers(world, summary, "Rules-From") == [runs[0]]
    rules = subjects.index("Rules learned by Write part one")
    assert rules == subjects.index("Write part one") + 1
    commits = world.log(summary, "%H")
    changed = git(project, "show", "--name-only", "--format=", commits[rules]).split()
    assert changed == ["CLAUDE.md"]
    for each, subject in zip(commits, subjects, strict=True):
        names = git(project, "show", "--name-only", "--format=", each).split()
        assert "tasks.md" not in names or subject not in tasks
        assert "CLAUDE.md" not in names or subject not in tasks
    assert world.show(summary, "CLAUDE.md").count(RULE) == 1
    # The rule was in the request of the next task, and not in that of the first.
    assert all(RULE in each.text for each in world.asked("BRAVO"))
    assert RULE not in world.asked("ALPHA")[0].text
    assert "notes.txt" in git(project, "ls-tree", "--name-only", summary.record.branch)
    assert sum(each.cost_usd for each in summary.tasks) > 0
    assert not world.unanswered


@pytest.mark.long
def test_a_red_task_is_quarantined_and_blocks_only_what_depends_on_it(
    list_world: ListWorld,
) -> None:
    world = list_world
    world.configure(learning={"max_retries": 0}, tasks={"max_failures": 2})
    summary = world.run(
        THREE,
        agent("ALPHA", [write_file(PATHS["ALPHA"], part(41))]),
        right("BRAVO"),
        right("CHARLIE"),
        lesson("p_one"),
    )
    tasks = by_id(summary)
    assert [each.state for each in summary.tasks] == [
        TaskState.QUARANTINED,
        TaskState.WAITING,
        TaskState.DONE,
    ], summary
    assert tasks["T001"].failures == 2
    assert summary.record.status is ListStatus.ENDED
    assert "T002" in summary.blocked
    assert world.text == THREE.replace("* [ ]", "* [x]")
    assert "Write part one" not in world.log(summary)
    # The second run was told about the first, with its diff; each run left its work under a ref.
    again = [each for each in world.asked("ALPHA") if "did not land" in each.text]
    assert again
    assert "return 41" in again[0].text
    works = [name for name in world.refs(summary) if name.startswith("refs/orchestrator/work/")]
    assert len(works) == 3
    assert "return 41" not in git(world.project, "grep", "-h", "return", summary.record.branch)


@pytest.mark.long
def test_what_the_agent_does_to_its_copy_of_the_list_is_no_verdict(list_world: ListWorld) -> None:
    world = list_world
    done = "- [x] T000 It was done before\n"
    text = THREE + done
    mine = (
        text.replace("- [ ] T002", "- [x] T002")
        .replace(done, done.replace("[x]", "[ ]"))
        .replace("\r", "")
        + "- [ ] T009 Clean the windows\n"
    )
    summary = world.run(
        text,
        agent(
            "ALPHA",
            [read_file("tasks.md")],
            [write_file("tasks.md", mine), write_file(PATHS["ALPHA"], part(42))],
        ),
        right("BRAVO"),
        right("CHARLIE"),
    )
    tasks = by_id(summary)
    assert summary.record.status is ListStatus.COMPLETE, summary
    assert tasks["T009"].state is TaskState.PROPOSED
    assert tasks["T002"].run
    assert tasks["T002"].landed
    assert not tasks["T000"].run
    assert world.text == THREE.replace("[ ]", "[x]") + done
    assert "T009" not in world.text
    assert "Clean the windows" in str(world.received)
    for each in world.log(summary, "%H"):
        subject = git(world.project, "show", "-s", "--format=%s", each).strip()
        names = git(world.project, "show", "--name-only", "--format=", each).split()
        assert not (subject.startswith("Write") and "tasks.md" in names)


@pytest.mark.parametrize(
    "values",
    [
        {"status": 401},
        {"status": 429, "message": "This request would exceed your account's rate limit."},
    ],
    ids=["login", "limit"],
)
@pytest.mark.long
def test_an_end_that_says_nothing_about_the_task_stops_the_list(
    list_world: ListWorld, values: dict[str, object]
) -> None:
    world = list_world
    summary = world.run(THREE, fault("ALPHA", **values), right("BRAVO"), right("CHARLIE"))
    first = by_id(summary)["T001"]
    assert summary.record.status is ListStatus.STOPPED, summary
    assert summary.record.message
    assert (first.state, first.failures, first.returns) == (TaskState.WAITING, 0, 0)
    assert world.text == THREE
    resumed = world.resume(right("ALPHA"), right("BRAVO"), right("CHARLIE"))
    assert resumed.record.status is ListStatus.COMPLETE, resumed
    assert [each.failures for each in resumed.tasks] == [0, 0, 0]
    assert trailers(world, resumed, "Task") == ["T001", "T002", "T003"]


SEVEN = "".join(
    f"- [ ] T00{number} Write part {word} [P]\n  Its token is {token}.\n"
    for number, (word, token) in enumerate(
        {
            "one": "ALPHA",
            "two": "BRAVO",
            "three": "CHARLIE",
            "four": "DELTA",
            "five": "ECHO",
            "six": "FOXTROT",
            "seven": "GOLF",
        }.items(),
        start=1,
    )
)
SEVEN_RULE = "Sum the weights of all parts before choosing one"


def test_seven_lanes_with_a_textual_and_a_semantic_conflict(list_world: ListWorld) -> None:
    world, project = list_world, list_world.project
    # What is reserved for seven runs together is below the limits of a list and of a day.
    world.configure(limits={"max_cost_usd": 5})
    before = describe_repository(project)

    def write(token: str, path: str, weight: int = 0, **options: Any) -> Answer:
        return agent(token, [write_file(path, part(42, weight))], **options)

    def share(token: str, path: str, names: list[str], **options: Any) -> Answer:
        calls = [write_file(path, part(42)), write_file("shared.py", f"NAMES = {names}\n")]
        return agent(token, [read_file("shared.py")], calls, **options)

    late, both = "It did not land", ["one", "two"]
    summary = world.run(
        SEVEN,
        share("ALPHA", "parts/p_1.py", ["one"], lacks=late),
        share("BRAVO", "parts/p_2.py", ["two"], lacks=late),
        share("ALPHA", "parts/p_1.py", both),
        share("BRAVO", "parts/p_2.py", both),
        write("CHARLIE", "parts/p_3.py", 6, lacks=late),
        write("DELTA", "parts/p_4.py", 6, lacks=late),
        write("CHARLIE", "parts/p_3.py", 1),
        write("DELTA", "parts/p_4.py", 1),
        write("ECHO", "parts/p_5.py"),
        write("FOXTROT", "parts/p_6.py"),
        write("GOLF", "parts/p_7.py"),
        lesson("weights", SEVEN_RULE),
        parallel=7,
    )
    tasks = by_id(summary)
    assert summary.record.status is ListStatus.COMPLETE, (summary, world.unanswered)
    assert sorted(trailers(world, summary, "Task")) == sorted(tasks)
    assert world.text == SEVEN.replace("[ ]", "[x]")
    steps = [each for each in world.received if isinstance(each, TaskStarted | TaskRunEnded)]
    assert all(isinstance(each, TaskStarted) for each in steps[:7])
    returned = {e.record.item.id: e.reason for e in world.received if isinstance(e, TaskReturned)}
    assert len(returned) == 2, returned
    assert len(returned.keys() & {"T001", "T002"}) == 1
    (semantic,) = returned.keys() & {"T003", "T004"}
    assert "test_weights" in returned[semantic]
    assert "NAMES = ['one', 'two']" in world.show(summary, "shared.py")
    assert world.show(summary, "CLAUDE.md").count(SEVEN_RULE) == 1
    assert trailers(world, summary, "Rules-From") != []
    assert len(world.asked("weights", Speaker.TEACHER)) == 1
    token = {"T003": "CHARLIE", "T004": "DELTA"}[semantic]
    again = [each for each in world.asked(token) if late in each.text]
    assert again
    assert "test_weights" in again[0].text
    assert SEVEN_RULE in again[0].text
    assert len([e for e in world.received if isinstance(e, LanesConflicted)]) <= 1
    assert describe_repository(project) == before
    refs = world.refs(summary)
    runs = re.compile(r"refs/orchestrator/work/(.+)")
    assert len([name for name in refs if runs.fullmatch(name)]) == 9
    check_suite(project, summary)


def check_suite(project: Path, summary: ListSummary) -> None:
    """Run the suite on the branch, as a person would after a merge."""
    import subprocess
    import sys

    folder = project.parent / "merged"
    git(project, "worktree", "add", "-q", "--detach", str(folder), summary.record.branch)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
