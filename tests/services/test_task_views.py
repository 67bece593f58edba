"""What the services know of a project before its tasks run."""

from pathlib import Path

from orchestrator.config import Config
from orchestrator.services.task_views import build_clash
from orchestrator.tasks.models import TaskItem


def test_tasks_of_a_workspace_share_the_lock_file_at_its_top(project: Path) -> None:
    web, api = (
        TaskItem(each, each, each, 0, files=(f"{each}/package.json",)) for each in ("web", "api")
    )
    assert not build_clash(Config(), project)(web, api)
    (project / "yarn.lock").touch()
    assert build_clash(Config(), project)(web, api)
    assert not build_clash(Config(), project)(web, TaskItem("a", "a", "a", 0, files=("a.py",)))
