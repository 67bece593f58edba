"""A run in a project that configures no suite, with the real Claude Code."""

import subprocess

import pytest

from orchestrator import events
from orchestrator.models import RunOutcome
from tests.e2e.conftest import LESSON, RIGHT_WITH_RULE, WRONG, World

pytestmark = pytest.mark.whole


def test_the_suite_is_detected_and_teaches(world: World) -> None:
    (world.project / "orchestrator.yaml").write_text("learning:\n  max_retries: 1\n", "utf-8")
    (world.project / "conftest.py").unlink()  # so `pytest tests/` does not find answers.py
    subprocess.run(["git", "commit", "-qam", "no conftest"], cwd=world.project, check=True)
    result = world.run(WRONG, RIGHT_WITH_RULE, LESSON)
    assert result.outcome is RunOutcome.SOLVED
    assert len(result.attempts) == 2
    notices = [each.text for each in world.received_events if isinstance(each, events.Notice)]
    (notice,) = [text for text in notices if text.startswith("tests: ")]
    assert "`PYTHONPATH=. pytest tests/ -v --tb=short`" in notice
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=world.project, check=True, capture_output=True
    )
    assert status.stdout.decode().split() == ["M", "answers.py", "??", "CLAUDE.md"]
