"""Find out whether a project is a workspace of several packages."""

from pathlib import Path

from orchestrator.platform import files
from orchestrator.platform.packages import read_package_json
from orchestrator.suites.detection.project_files import find_table, read_toml


def is_workspace(project: Path) -> bool:
    """Return whether a project declares that it consists of several packages."""
    return (
        find_table(read_toml(project / "pyproject.toml"), "tool", "uv", "workspace") is not None
        or "workspaces" in read_package_json(project)
        or files.is_file(project / "pnpm-workspace.yaml")
    )
