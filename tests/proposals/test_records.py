"""A proposal is stored once, and comes back only while nobody has decided about it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.proposals.models import ProposalDraft, ProposalKind, ProposalStatus
from orchestrator.proposals.records import ProposalStore
from orchestrator.storage.opening import open_database
from tests.proposals.making import draft, draft_permission, draft_rule

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)


@pytest.fixture
def store(state: Path, each_database: str) -> Iterator[ProposalStore]:
    with open_database(state) as database:
        yield ProposalStore(database, lambda: NOW)


def test_a_proposal_is_read_as_it_was_stored(store: ProposalStore, project: Path) -> None:
    made = store.add_proposal(draft_permission(project))
    assert made
    assert store.find_proposal(made.id) == made
    assert store.list_proposals(str(project), is_open=True) == [made]
    assert store.list_proposals("/elsewhere") == store.list_proposals("") == []
    assert store.resolve_proposal(made.id[:5]) == made
    assert made.id.startswith("p-")
    assert (made.read_count("sessions"), made.read_count("rules")) == (3, 0)


def test_one_that_waits_gets_newer_counts_and_evidence(store: ProposalStore, project: Path) -> None:
    first = store.add_proposal(draft_permission(project))
    newer = draft(
        project, ProposalKind.PERMISSION, {"rules": ["Bash(go test *)"], "sessions": 9}, evidence=()
    )
    again = store.add_proposal(newer)
    assert first
    assert again
    assert (again.id, again.created) == (first.id, first.created)
    assert again.read_count("sessions") == 9
    assert again.evidence == first.evidence  # a night without a quote loses none
    assert store.list_proposals() == [again]


@pytest.mark.parametrize("kind", [ProposalKind.SKILL, ProposalKind.PERMISSION, ProposalKind.CHECK])
def test_what_is_accepted_is_what_was_shown(
    store: ProposalStore, project: Path, kind: ProposalKind
) -> None:
    shown = {"name": "one", "text": "one", "rule": {"rule": "one"}, "rules": ["one"], "key": "one"}
    made = store.add_proposal(draft(project, kind, shown))
    assert made
    newer = dict.fromkeys(shown, "two")
    again = store.add_proposal(draft(project, kind, {**newer, "sessions": 9}))
    assert again
    assert dict(again.content) == {**made.content, "sessions": 9}


def test_a_night_does_not_change_what_a_person_edited(store: ProposalStore, project: Path) -> None:
    made = store.add_proposal(draft_rule(project))
    assert made
    store.change_content(made.id, {"text": {"rule": "Mine", "when": "", "why": ""}})
    again = store.add_proposal(draft(project, ProposalKind.RULE, {"text": {}, "sessions": 8}))
    assert again
    assert again.content["text"]["rule"] == "Mine"
    assert again.read_count("sessions") == 8


@pytest.mark.parametrize(
    "status", [ProposalStatus.REJECTED, ProposalStatus.ACCEPTED, ProposalStatus.DROPPED]
)
def test_what_is_decided_never_comes_back(
    store: ProposalStore, project: Path, status: ProposalStatus
) -> None:
    made = store.add_proposal(draft_permission(project))
    assert made
    decided = store.decide(made.id, status, "because")
    assert store.add_proposal(draft_permission(project, ["Bash(go vet *)"])) is None
    assert store.list_proposals(is_open=True) == []
    assert store.find_proposal(made.id) == decided
    assert (decided.status, decided.reason, decided.decided) == (status, "because", NOW)


def test_the_same_fingerprint_elsewhere_is_another_proposal(
    store: ProposalStore, project: Path
) -> None:
    other = project.parent / "other"
    drafts = [
        draft(project, ProposalKind.RULE, fingerprint="x"),
        draft(project, ProposalKind.PERMISSION, fingerprint="x"),
        draft(other, ProposalKind.RULE, fingerprint="x"),
    ]
    made = [store.add_proposal(each) for each in drafts]
    assert len({each.id for each in made if each}) == 3


def test_a_rule_without_words_waits_for_the_teacher(store: ProposalStore, project: Path) -> None:
    made = store.add_proposal(draft(project, ProposalKind.RULE))
    assert made
    assert made.status is ProposalStatus.NEEDS_TEACHER
    assert store.attach_rule(made.id, "r-123456").status is ProposalStatus.WAITING


def test_an_id_that_names_none_or_several(store: ProposalStore, project: Path) -> None:
    for number in range(40):
        store.add_proposal(draft(project, ProposalKind.RULE, fingerprint=str(number)))
    with pytest.raises(UsageError, match="several"):
        store.resolve_proposal("p-")
    with pytest.raises(UsageError, match="there is no proposal p-zz"):
        store.resolve_proposal("p-zz")
    with pytest.raises(UsageError, match="empty"):
        store.resolve_proposal("")


_DRAFTS = st.builds(
    ProposalDraft,
    st.sampled_from(["/a", "/b"]),
    st.sampled_from(ProposalKind),
    st.sampled_from(["f1", "f2", "f3"]),
    st.text(max_size=20),
    st.dictionaries(st.sampled_from(["sessions", "x"]), st.integers(0, 9), max_size=2),
)


@given(st.lists(st.tuples(_DRAFTS, st.booleans()), max_size=12))
def test_each_project_kind_and_fingerprint_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[ProposalDraft, bool]]
) -> None:
    moments = iter(NOW + timedelta(seconds=number) for number in range(1000))
    with open_database(tmp_path_factory.mktemp("state"), durable=False) as database:
        store = ProposalStore(database, lambda: next(moments))
        rejected: set[tuple[str, str, str]] = set()
        for one, is_rejected in moves:
            key = (one.project, str(one.kind), one.fingerprint)
            made = store.add_proposal(one)
            assert (made is None) == (key in rejected)
            if made and is_rejected:
                store.decide(made.id, ProposalStatus.REJECTED)
                rejected.add(key)
        keys = [(p.project, str(p.kind), p.fingerprint) for p in store.list_proposals()]
        assert len(keys) == len(set(keys))
        assert set(keys) == {(d.project, str(d.kind), d.fingerprint) for d, _ in moves}
