"""A plan says why a list could not start, and leaves nothing behind."""

import json
import sys
from pathlib import Path

from orchestrator.config import Config
from orchestrator.services.task_preview import build_clash, preview_list
from orchestrator.tasks.models import ListOptions, TaskItem
from tests.tasks.fakes import git


def test_a_plan_says_that_there_is_no_commit_to_start_from(tmp_path: Path) -> None:
    project, state = tmp_path / "project", tmp_path / "state"
    project.mkdir()
    (project / "tasks.md").write_text("- [ ] T001 Fix it\n", encoding="utf-8")
    settings = {"tests": {"command": f"{sys.executable} -m pytest"}}
    (project / "orchestrator.yaml").write_text(json.dumps(settings), encoding="utf-8")

    def find_problem() -> str:
        options = ListOptions(queue=True)  # without agent and teacher
        return preview_list("tasks.md", project, options=options, state=state).problem

    assert "git repository" in find_problem()
    git(project, "init", "-q")
    assert "commit" in find_problem()
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "first")
    assert "commit" not in find_problem()
    assert not list(state.glob("lists/*"))


def test_tasks_of_a_workspace_share_the_lock_file_at_its_top(project: Path) -> None:
    web, api = (
        TaskItem(each, each, each, 0, files=(f"{each}/package.json",)) for each in ("web", "api")
    )
    assert not build_clash(Config(), project)(web, api)
    (project / "yarn.lock").touch()
    assert build_clash(Config(), project)(web, api)
    assert not build_clash(Config(), project)(web, TaskItem("a", "a", "a", 0, files=("a.py",)))
