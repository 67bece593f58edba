"""Skills that are proposed in one review, or wait since an earlier one, have different names."""

from pathlib import Path

import pytest

from orchestrator.proposals.models import ProposalEvidence, ProposalKind
from orchestrator.services.review_proposals import FindingProposer
from orchestrator.sessions.counting.findings import Remedy, SessionFinding
from orchestrator.sessions.detectors.occurrences import Detector
from tests.proposals.making import STEPS, open_queue


def find_procedure(project: Path, *commands: str) -> SessionFinding:
    return SessionFinding(
        Detector.PROCEDURE,
        " ".join(commands),
        str(project),
        Remedy.SKILL,
        "It was found",
        ("session-1", "session-2", "session-3"),
        5,
        (ProposalEvidence("session-1", "row-1", "2026-11-20T10:11:12.000Z"),),
        {"commands": list(commands)},
    )


def test_skills_that_wait_have_different_names(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    first = find_procedure(project, *STEPS)
    second = find_procedure(project, *STEPS[:3], "git commit -a")
    third = find_procedure(project, *STEPS[:3], "git commit -q")
    with open_queue(project) as manager:
        for findings in ((first, second), (first, second, third)):
            proposer = FindingProposer(project, manager.store, ())
            for finding in findings:
                assert proposer.propose(finding, 41).proposal
        waiting = [each.proposal for each in manager.list_items()]
        names = [str(each.content["name"]) for each in waiting if each]
        assert [name.removeprefix(names[0]) for name in names] == ["", "-2", "-3"]
        for each in waiting:
            assert each
            assert each.kind is ProposalKind.SKILL
            manager.accept(each.id)
    assert len(list(project.glob(".claude/skills/*/SKILL.md"))) == 3
