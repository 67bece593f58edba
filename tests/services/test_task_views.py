"""What a person is told about a list that has ended."""

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

from orchestrator.cli.task_lines import count_done, iter_board_lines
from orchestrator.services.task_views import advise_next_steps
from orchestrator.storage.state_directory import list_folder
from orchestrator.tasks.merging import TIP
from orchestrator.tasks.models import ListStatus, ListSummary, TaskState
from orchestrator.workspace.lanes import open_lane_repository
from tests.cli.task_records import build_record, build_task
from tests.tasks.fakes import git, make_project


def test_work_that_could_not_be_published_can_be_fetched(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", {"shop.py": "one = 1\n"})
    state = tmp_path / "the state"
    record = build_record(project=project, status=ListStatus.ENDED)
    repository = open_lane_repository(project, list_folder(state, record.id) / "repository.git")
    record = replace(record, base=repository.create_base())
    tip = repository.replace_files(record.base, {"shop.py": b"one = 2\n"}, "work")
    repository.set_ref(TIP, tip)
    git(project, "checkout", "-q", "-b", record.branch)
    why = f"the branch is not up to date: {repository.publish(tip, record.branch)}"
    task = build_task("T001", "Fix it", TaskState.LANDED, landed=tip, reason=why)

    steps = advise_next_steps(record, [task], state)
    commands = [each for each in steps if each.startswith("git ")]
    for each in commands:
        subprocess.run(
            shlex.split(each), cwd=project, check=True, capture_output=True, env=dict(os.environ)
        )
    assert (project / "shop.py").read_text(encoding="utf-8") == "one = 2\n"
    assert f"orchestrator tasks resume {record.id}" in steps

    board = list(iter_board_lines(ListSummary(record, (task,))))
    assert count_done([task]) == (0, 1)
    assert "NEEDS A PERSON" in board
    assert any("the branch is not up to date" in line for line in board)
    assert any("refs/orchestrator/tip:refs/heads/" in line for line in board)


def test_work_that_is_published_needs_no_fetch(tmp_path: Path) -> None:
    task = build_task("T001", "Fix it", TaskState.DONE, landed="c" * 40)
    steps = advise_next_steps(build_record(status=ListStatus.COMPLETE), [task], tmp_path)
    assert not any("fetch" in each or "resume" in each for each in steps)
