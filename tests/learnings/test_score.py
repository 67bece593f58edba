"""The published weights and threshold."""

from pathlib import Path

import pytest

from orchestrator.errors import LoopError, UsageError
from orchestrator.learnings.score import WEIGHTS, score_action

EXAMPLE = {"frequency": 8.0, "failure reduction": 9.0, "user burden": 7.0, "self cost": 9.0}


def test_the_published_example(project: Path) -> None:
    found = score_action(EXAMPLE, project)
    assert (found.total, found.threshold, found.should_act) == (83, 50, True)
    assert list(WEIGHTS.values()) == [3, 3, 2, 2]


def test_fifty_is_enough_and_less_is_not(project: Path) -> None:
    assert score_action(dict.fromkeys(WEIGHTS, 5.0), project).should_act
    assert not score_action({**dict.fromkeys(WEIGHTS, 5.0), "self cost": 4.9}, project).should_act


def test_the_threshold_of_project_and_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "AGENTS.md").write_text("# A\n\nVFM_THRESHOLD=70\n", encoding="utf-8")
    assert (score_action(EXAMPLE, project).threshold, score_action(EXAMPLE, project).origin) == (
        70,
        "AGENTS.md",
    )
    (project / "CLAUDE.md").write_text("- `VFM_THRESHOLD=90`\n", encoding="utf-8")
    assert not score_action(EXAMPLE, project).should_act
    monkeypatch.setenv("VFM_THRESHOLD", "10")
    assert (
        score_action(EXAMPLE, project).threshold,
        score_action(EXAMPLE, project).should_act,
    ) == (10, True)


def test_a_byte_order_mark_hides_no_threshold(project: Path) -> None:
    (project / "CLAUDE.md").write_bytes(b"\xef\xbb\xbfVFM_THRESHOLD=70\n")
    assert score_action(EXAMPLE, project).threshold == 70


def test_a_file_that_cannot_be_read_is_named(project: Path) -> None:
    (project / "CLAUDE.md").mkdir()
    with pytest.raises(LoopError, match=r"CLAUDE\.md is not a file"):
        score_action(EXAMPLE, project)


@pytest.mark.parametrize("text", ["many", "101", "-1", "nan"])
def test_a_threshold_that_is_none(
    text: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VFM_THRESHOLD", text)
    with pytest.raises(UsageError, match="VFM_THRESHOLD"):
        score_action(EXAMPLE, project)


def test_a_value_out_of_range(project: Path) -> None:
    with pytest.raises(UsageError, match="frequency is 11"):
        score_action({**EXAMPLE, "frequency": 11}, project)
