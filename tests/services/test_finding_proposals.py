"""What was found in sessions becomes a proposal, each once, and nothing unsafe does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.proposals.decisions import ProposalManager
from orchestrator.proposals.models import ProposalKind, ProposalStatus
from orchestrator.services.finding_proposals import ProposedFindings, propose_findings
from orchestrator.sessions.detectors.occurrences import Detector
from orchestrator.sessions.findings import Evidence, Remedy, SessionFinding
from tests.proposals.making import GO_TEST, STEPS, learn, open_queue
from tests.rulebook.making import LISTS, NONE

PLACE = Evidence("session-1", "row-1", "2026-11-20T10:11:12.000Z", "quoted")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))


def find(
    project: Path, remedy: Remedy, detail: Mapping[str, Any] | None = None, key: str = "key"
) -> SessionFinding:
    return SessionFinding(
        Detector.REPEATED_ERROR,
        key,
        str(project),
        remedy,
        "It was found",
        ("session-1", "session-2"),
        5,
        (PLACE,),
        detail or {},
    )


def propose(manager: ProposalManager, *findings: SessionFinding) -> ProposedFindings:
    return propose_findings(manager, findings, 41)


def test_each_remedy_becomes_its_kind(project: Path) -> None:
    rule = learn(project, LISTS, review=False)
    with open_queue(project) as manager:
        done = propose(
            manager,
            find(project, Remedy.RULE, {"text": "not a rule", "runner": "go"}),
            find(project, Remedy.SKILL, {"commands": list(STEPS)}),
            find(project, Remedy.PERMISSION, {"rule": GO_TEST}),
            find(project, Remedy.CHECK, {"rule": rule}),
            find(project, Remedy.NONE),
        )
    assert [each.kind for each in done.new] == [
        *(ProposalKind.RULE, ProposalKind.SKILL, ProposalKind.PERMISSION, ProposalKind.CHECK)
    ]
    assert done.new[0].status is ProposalStatus.NEEDS_TEACHER
    assert done.new[0].content["detail"]["runner"] == "go"
    assert done.new[3].rule == rule
    for each in done.new:
        numbers = [each.read_count(name) for name in ("sessions", "sessions_seen", "occurrences")]
        assert numbers == [2, 41, 5]
        assert each.evidence[0].quote == "quoted"
        assert each.detector == "repeated error"


def test_the_next_night_adds_nothing_and_what_is_rejected_stays_away(project: Path) -> None:
    findings = [
        find(project, Remedy.SKILL, {"commands": list(STEPS)}),
        find(project, Remedy.PERMISSION, {"rule": GO_TEST}),
    ]
    with open_queue(project) as manager:
        first = propose(manager, *findings)
        again = propose(manager, *findings)
        assert (len(first.new), len(again.new), len(again.again)) == (2, 0, 2)
        assert [each.content for each in again.again] == [each.content for each in first.new]
        manager.accept(first.new[0].id)
        manager.reject(first.new[1].id)
        last = propose(manager, *findings)
    assert (last.new, last.again, last.decided) == ((), (), 2)


@pytest.mark.parametrize(
    ("remedy", "detail"),
    [
        (Remedy.PERMISSION, {"rule": "Bash(python3 *)"}),
        (Remedy.PERMISSION, {"rule": "Bash(rm -rf build)"}),
        (Remedy.PERMISSION, {}),
        (Remedy.SKILL, {"commands": ["go vet", "echo !`whoami`"]}),
        (Remedy.SKILL, {"commands": "go vet"}),
        (Remedy.SKILL, {}),
        (Remedy.CHECK, {"rule": "r-ffffff"}),
        (Remedy.CHECK, {}),
    ],
)
def test_what_cannot_be_proposed_safely_is_counted(
    project: Path, remedy: Remedy, detail: dict[str, Any]
) -> None:
    with open_queue(project) as manager:
        done = propose(manager, find(project, remedy, detail))
        assert (done.new, done.refused) == ((), 1)
        assert manager.list_items() == []


def test_a_check_of_a_rule_that_only_waits_is_not_proposed(project: Path) -> None:
    rule = learn(project, NONE, review=True)
    with open_queue(project) as manager:
        done = propose(manager, find(project, Remedy.CHECK, {"rule": rule}))
    assert done.refused == 1


def test_two_skills_that_wait_have_two_names(project: Path) -> None:
    with open_queue(project) as manager:
        one = find(project, Remedy.SKILL, {"commands": list(STEPS)})
        other = find(project, Remedy.SKILL, {"commands": [*STEPS[:3], "git commit -a"]}, "other")
        done = propose(manager, one, other)
        names = [each.content["name"] for each in done.new]
        assert names[1] == f"{names[0]}-2"
        for each in done.new:
            manager.accept(each.id)
    assert len(list(project.glob(".claude/skills/*/SKILL.md"))) == 2
