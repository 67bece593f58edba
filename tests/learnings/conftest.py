"""A workspace to work in."""

from pathlib import Path

import pytest

from orchestrator.memory.learnings.workspace import Workspace, init


@pytest.fixture
def workspace(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A local workspace in an empty project."""
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    made = Workspace(project, everywhere=False)
    init(made)
    return made
