"""What a night makes of findings that are like those of earlier nights."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.proposals.models import (
    Proposal,
    ProposalDraft,
    ProposalEvidence,
    ProposalKind,
    ProposalStatus,
)
from orchestrator.proposals.records import ProposalStore
from orchestrator.services.review import ReviewRequest, review_sessions
from orchestrator.services.review_proposals import FindingProposer
from orchestrator.sessions.counting.findings import Remedy, SessionFinding
from orchestrator.sessions.detectors.occurrences import Detector
from orchestrator.sessions.detectors.procedures import SEPARATOR
from orchestrator.sessions.views.report import FindingReport
from orchestrator.storage.opening import open_database
from tests.sessions.written import Written

STEPS = ("gen api", "gen docs", "build all", "fmt all", "pack all")
LATER = ("ship all", "sign all", "send all")
SAID = "always use pnpm for packages here not npm"
SAID_AGAIN = "always use pnpm for the packages here and not npm"
PLACE = ProposalEvidence("one", "row", "2026-11-20T10:00:00.000Z", "quote")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProposalStore]:
    with open_database(tmp_path / "state") as database:
        yield ProposalStore(database)


def find_procedure(commands: Sequence[str], sessions: int = 3) -> SessionFinding:
    return SessionFinding(
        Detector.PROCEDURE,
        SEPARATOR.join(commands),
        "/p",
        Remedy.SKILL,
        f"The same {len(commands)} commands",
        tuple(map(str, range(sessions))),
        sessions,
        (PLACE,),
        {"commands": list(commands)},
    )


def find_words(
    words: str, detector: Detector = Detector.REJECTION, other: tuple[str, ...] = ()
) -> SessionFinding:
    return SessionFinding(
        detector, words, "/p", Remedy.RULE, words, ("one",), 1, (PLACE,), other_keys=other
    )


def propose(store: ProposalStore, project: Path, finding: SessionFinding) -> FindingReport:
    """Propose as one night does."""
    return FindingProposer(project, store, ()).propose(finding, 10)


def propose_and_decide(
    store: ProposalStore, project: Path, finding: SessionFinding, status: ProposalStatus
) -> Proposal:
    return store.decide(propose(store, project, finding).proposal, status)


@pytest.mark.parametrize("status", [ProposalStatus.REJECTED, ProposalStatus.ACCEPTED])
@pytest.mark.parametrize(
    "commands",
    [STEPS[1:], STEPS[:4], (*STEPS, *LATER[:1]), (*STEPS[1:], *LATER), STEPS],
    ids=["end", "start", "longer", "shifted", "same"],
)
def test_a_part_of_a_decided_procedure_does_not_come_back(
    store: ProposalStore, tmp_path: Path, status: ProposalStatus, commands: tuple[str, ...]
) -> None:
    decided = propose_and_decide(store, tmp_path, find_procedure(STEPS), status)
    report = propose(store, tmp_path, find_procedure(commands))
    assert report.proposal == decided.id
    assert status in report.outcome
    assert store.list_proposals() == [decided]


def test_another_procedure_is_proposed(store: ProposalStore, tmp_path: Path) -> None:
    decided = propose_and_decide(store, tmp_path, find_procedure(STEPS), ProposalStatus.REJECTED)
    report = propose(store, tmp_path, find_procedure((*STEPS[:2], *LATER)))
    assert report.proposal not in ("", decided.id)


def test_a_longer_procedure_is_another_proposal_and_a_shorter_one_is_none(
    store: ProposalStore, tmp_path: Path
) -> None:
    first = propose(store, tmp_path, find_procedure(STEPS[:4]))
    shown = store.resolve_proposal(first.proposal)
    longer = propose(store, tmp_path, find_procedure((*STEPS, *LATER), 9))
    assert longer.proposal != first.proposal
    assert store.resolve_proposal(first.proposal) == shown
    part = find_procedure((*STEPS[3:], *LATER))
    assert propose(store, tmp_path, part).proposal == longer.proposal
    assert propose(store, tmp_path, find_procedure(STEPS[:4], 7)).proposal == first.proposal
    newer = store.resolve_proposal(first.proposal)
    assert newer.read_count("sessions") == 7
    assert newer.content["text"] == shown.content["text"]
    assert len(store.list_proposals()) == 2


@pytest.mark.parametrize("detector", [Detector.REJECTION, Detector.CORRECTION])
@pytest.mark.parametrize("status", [ProposalStatus.REJECTED, ProposalStatus.DROPPED])
def test_words_that_say_the_same_as_decided_ones_do_not_come_back(
    store: ProposalStore, tmp_path: Path, status: ProposalStatus, detector: Detector
) -> None:
    decided = propose_and_decide(store, tmp_path, find_words(SAID), status)
    # The words that were said first are out of the period now.
    assert propose(store, tmp_path, find_words(SAID_AGAIN, detector)).proposal == decided.id
    assert store.list_proposals() == [decided]


def test_words_that_say_the_same_as_those_that_wait_are_one_proposal(
    store: ProposalStore, tmp_path: Path
) -> None:
    first = propose(store, tmp_path, find_words(SAID))
    assert propose(store, tmp_path, find_words(SAID_AGAIN)).proposal == first.proposal
    assert len(store.list_proposals()) == 1


def test_words_that_say_something_else_are_proposed(store: ProposalStore, tmp_path: Path) -> None:
    decided = propose_and_decide(store, tmp_path, find_words(SAID), ProposalStatus.REJECTED)
    for words in ("never commit to the main branch", "don't use pnpm for packages"):
        assert propose(store, tmp_path, find_words(words)).proposal not in ("", decided.id)
    assert {each.kind for each in store.list_proposals()} == {ProposalKind.RULE}


@pytest.mark.parametrize("folder", ["", ".", "shop", "../shop"])
def test_sessions_without_a_folder_teach_and_propose_nothing(
    home: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    (project / "shop").mkdir()
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(project)
    day = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    for name in ("one", "two"):
        made = Written(home / ".claude", name, folder, day=day)
        made.prompt("Make the cart work")
        made.call(
            "Bash", {"command": "pytest -q | tail -3"}, "FAILED test_a.py - x\n1 failed in 1s"
        )
        made.save()
    with open_database(tmp_path / "state") as database:
        ProposalStore(database).add_proposal(
            ProposalDraft(str(project), ProposalKind.RULE, "f", "another project's", {})
        )
    report = review_sessions(ReviewRequest(None), lambda _event: None).report
    assert report
    (reviewed,) = report.projects
    assert "no folder is known" in reviewed.problem
    assert [each.proposal for each in reviewed.findings] == [""]
    assert report.waiting == 0
    with open_database(tmp_path / "state") as database:
        assert [each.title for each in ProposalStore(database).list_proposals()] == [
            "another project's"
        ]
