"""A state directory for the queue."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory of the test."""
    folder = tmp_path / "state"
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(folder))
    return folder
