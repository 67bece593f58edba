"""A workspace to work in."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.memory.learnings.workspace import Workspace, init


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be where it is noon: no day ends in the middle of the test."""
    with monkeypatch.context() as there:
        there.setenv("TZ", f"NOON{datetime.now(UTC).hour - 12:+d}")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def workspace(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A local workspace in an empty project."""
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    made = Workspace(project, everywhere=False)
    init(made)
    return made
