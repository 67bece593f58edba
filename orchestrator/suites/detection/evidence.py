"""Collect what the files of a project say about its tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.suites.detection.interpreters import has_pytest
from orchestrator.suites.detection.pytest_config import PytestConfig, find_pytest_config
from orchestrator.suites.detection.source_tree import SourceTree, read_source_tree
from orchestrator.suites.detection.task_runners import list_task_commands
from orchestrator.suites.detection.tools import ToolCommand, list_tool_commands
from orchestrator.suites.environment import build_project_environment, find_virtualenv


@dataclass(frozen=True)
class Evidence:
    """What the files of a project say."""

    project: Path
    environment: Mapping[str, str]
    """The whole environment of the project's programs."""
    config: PytestConfig | None
    tree: SourceTree
    tools: tuple[ToolCommand, ...]
    tasks: tuple[ToolCommand, ...]
    virtualenv: Path | None

    @property
    def has_own_pytest(self) -> bool:
        """Whether files show that the project's virtual environment finds pytest."""
        return self.virtualenv is not None and has_pytest(self.virtualenv)

    @property
    def has_tests_for_pytest(self) -> bool:
        """Whether there is something that pytest collects."""
        config = self.config
        named = config is not None and bool(config.testpaths or config.has_file_names)
        return named or bool(self.tree.pytest_files)


def collect_evidence(project: Path, environment: Mapping[str, str]) -> Evidence:
    """Return what the files of a project say; nothing of it is executed.

    Args:
        project: the project's folder.
        environment: the environment to build that of the project's programs from.
    """
    env = build_project_environment(project, environment)
    return Evidence(
        project,
        env,
        find_pytest_config(project),
        read_source_tree(project),
        tuple(list_tool_commands(project, env)),
        tuple(list_task_commands(project, env)),
        find_virtualenv(project),
    )
