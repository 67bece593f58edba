"""One queue for proposals and pending rules, whichever command decides."""

import json
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.proposals.models import ProposalKind, ProposalStatus
from orchestrator.rulebook.records import Status
from orchestrator.rulebook.rule_manager import RuleManager
from orchestrator.services.proposals import list_all_items
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import resolve_state_directory
from teacher.models import RuleText
from tests.open_history import OpenHistory
from tests.proposals.making import (
    GO_TEST,
    draft,
    draft_permission,
    draft_rule,
    draft_skill_proposal,
    find_status,
    learn,
    open_queue,
    propose,
)
from tests.rulebook.making import LISTS, NONE

Queue = list[tuple[str, str]]


def list_queue(project: Path) -> Queue:
    with open_queue(project) as manager:
        items = manager.list_items()
    return [(each.id, str(each.proposal.status) if each.proposal else "rule") for each in items]


def list_everything() -> Queue:
    with_projects = list_all_items(pytest.fail)
    return [(project, item.id) for project, item in with_projects]


def read_rulebook(project: Path) -> str:
    path = project / "CLAUDE.md"
    return path.read_text("utf-8") if path.exists() else ""


def test_a_pending_rule_of_any_source_is_in_the_queue(project: Path) -> None:
    rule = learn(project, NONE, review=True)
    assert list_queue(project) == [(rule, "rule")]
    assert list_everything() == [(str(project), rule)]
    with open_queue(project) as manager:
        item = manager.resolve_item(rule[:4])
        assert NONE.rule in manager.preview(item)
        done = manager.accept(rule)
        assert manager.list_files(item) == [project / "CLAUDE.md"]
    assert done.files == (project / "CLAUDE.md",)
    assert "Learned on" in read_rulebook(project)
    assert list_queue(project) == list_everything() == []


def test_a_proposal_that_became_a_rule_is_listed_once(project: Path) -> None:
    (identity,) = propose(project, draft(project, ProposalKind.RULE))
    assert list_queue(project) == [(identity, "waits for the teacher")]
    rule = learn(project, NONE, review=True)
    with open_queue(project) as manager:
        manager.store.attach_rule(identity, rule)
        assert manager.resolve_item(rule).id == identity
    assert list_queue(project) == [(identity, "waits for you")]
    assert list_everything() == [(str(project), identity)]


def test_a_rule_that_was_learned_from_a_proposal_is_found_by_its_failure(project: Path) -> None:
    # The process was killed after the teacher's rule was stored, and before it was attached.
    (identity,) = propose(project, draft(project, ProposalKind.RULE, fingerprint="9f8e7d6c5b4a"))
    rule = learn(project, NONE, review=True)
    assert list_queue(project) == [(identity, "waits for you")]
    with open_queue(project) as manager:
        assert manager.resolve_item(identity).proposal.rule == rule  # type: ignore[union-attr] # it has one


@pytest.mark.parametrize("is_approved", [True, False])
def test_what_the_rules_command_decides_is_decided_here(project: Path, is_approved: bool) -> None:
    rule = learn(project, NONE, review=True)
    (identity,) = propose(project, draft(project, ProposalKind.RULE, rule=rule))
    assert list_queue(project) == [(identity, "waits for you")]
    with open_queue(project) as manager:
        rules = manager._rules
        assert isinstance(rules, RuleManager)
        rules.approve_rule(rule) if is_approved else rules.reject_rule(rule)
    assert list_queue(project) == []
    expected = ProposalStatus.ACCEPTED if is_approved else ProposalStatus.REJECTED
    assert find_status(identity) == expected
    assert propose(project, draft(project, ProposalKind.RULE, rule=rule)) == []


@pytest.mark.parametrize("is_accepted", [True, False])
def test_what_is_decided_here_is_decided_for_the_rules_command(
    project: Path, is_accepted: bool
) -> None:
    rule = learn(project, NONE, review=True)
    (identity,) = propose(project, draft(project, ProposalKind.RULE, rule=rule))
    with open_queue(project) as manager:
        manager.accept(rule) if is_accepted else manager.reject(identity, "no")
        record = manager.list_records()[-1]
    assert record.status is (Status.ACTIVE if is_accepted else Status.REJECTED)
    assert (NONE.rule in read_rulebook(project)) == is_accepted


def test_a_rule_that_is_rejected_after_it_was_accepted(project: Path) -> None:
    (identity,) = propose(project, draft_rule(project))
    with open_queue(project) as manager:
        done = manager.accept(identity)
        assert done.item.proposal
        rule = done.item.proposal.rule
        manager._rules.reject_rule(rule)
        assert [e.proposal.status for e in manager.list_items(is_open=False) if e.proposal] == [
            ProposalStatus.REJECTED
        ]
    assert "Never use eval" not in read_rulebook(project)


def test_undoing_an_amendment_does_not_remove_the_rule_that_it_became_part_of(
    project: Path,
) -> None:
    target = learn(project, NONE, review=False)
    sharper = RuleText(NONE.rule, NONE.when, "A caller cannot tell it from a result")
    rule = learn(project, sharper, review=True, target=target)
    (identity,) = propose(project, draft(project, ProposalKind.RULE, rule=rule))
    with open_queue(project) as manager:
        manager.accept(identity)
        assert sharper.why in read_rulebook(project)
        item = manager.resolve_item(identity)
        assert item.proposal
        assert (item.proposal.rule, item.amended_rule) == (rule, target)
        assert manager.list_files(item) == [project / "CLAUDE.md"]
        with pytest.raises(UsageError, match=f"became part of {target}"):
            manager.reject(identity)
    assert NONE.rule in read_rulebook(project)
    assert find_status(identity) == ProposalStatus.ACCEPTED


def test_a_rule_in_words_is_added_and_undone(project: Path) -> None:
    (identity,) = propose(project, draft_rule(project))
    with open_queue(project) as manager:
        item = manager.resolve_item(identity)
        diff = manager.preview(item)
        assert "+- **Rule**: Never use eval" in diff
        manager.edit_rule(identity, RuleText("", "Reading input", ""))
        manager.accept(identity)
        assert "- **When**: Reading input" in read_rulebook(project)
        with pytest.raises(UsageError, match="is decided: accepted"):
            manager.accept(identity)
        with pytest.raises(UsageError, match="is decided: accepted"):
            manager.edit_rule(identity, RuleText("x", "", ""))
        manager.reject(identity)
        with pytest.raises(UsageError, match="is decided: rejected"):
            manager.reject(identity)
    assert "Never use eval" not in read_rulebook(project)


def test_what_the_teacher_has_to_word_cannot_be_accepted_but_worded_by_hand(project: Path) -> None:
    (identity,) = propose(project, draft(project, ProposalKind.RULE))
    with open_queue(project) as manager:
        assert "not put into words" in manager.preview(manager.resolve_item(identity))
        with pytest.raises(UsageError, match="not put into words yet"):
            manager.accept(identity)
        with pytest.raises(UsageError, match="the rule is empty"):
            manager.edit_rule(identity, RuleText("", "When", ""))
        manager.edit_rule(identity, RuleText("Use tabs", "", ""))
        manager.accept(identity)
    assert "- **Rule**: Use tabs" in read_rulebook(project)


def test_a_skill_and_its_index_line(project: Path) -> None:
    (identity,) = propose(project, draft_skill_proposal(project))
    skill = project / ".claude" / "skills" / "go-fmt-vet-git-commit" / "SKILL.md"
    with open_queue(project) as manager:
        diff = manager.preview(manager.resolve_item(identity))
        assert "+name: go-fmt-vet-git-commit" in diff
        assert "use the skill `go-fmt-vet-git-commit`" in diff
        done = manager.accept(identity)
    assert done.files == (skill, project / "CLAUDE.md")
    assert skill.read_text("utf-8").startswith("---\nname: go-fmt-vet-git-commit\n")
    assert "use the skill `go-fmt-vet-git-commit`" in read_rulebook(project)
    with open_queue(project) as manager:
        item = manager.resolve_item(identity)
        assert manager.list_files(item) == [skill, project / "CLAUDE.md"]
        manager.reject(identity)
    assert not skill.parent.exists()
    assert "use the skill" not in read_rulebook(project)


def test_a_skill_without_an_index_line_is_not_left_behind(project: Path) -> None:
    (identity,) = propose(project, draft_skill_proposal(project))
    learn(project, RuleText("Never use eval", "Parsing", "It runs anything"), review=False)
    with open_queue(project) as manager:
        contradicting = {"rule": "Always use eval", "when": "Parsing", "why": ""}
        manager.store.change_content(identity, {"rule": contradicting})
        with pytest.raises(UsageError, match="contradicts"):
            manager.accept(identity)
    assert not list((project / ".claude" / "skills").iterdir())
    assert list_queue(project) == [(identity, "waits for you")]


def test_the_same_skill_of_a_person_stays(project: Path) -> None:
    (identity,) = propose(project, draft_skill_proposal(project))
    skill = project / ".claude" / "skills" / "go-fmt-vet-git-commit" / "SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("mine\n", encoding="utf-8")
    with open_queue(project) as manager:
        with pytest.raises(UsageError, match="exists, and has another text"):
            manager.accept(identity)
        manager.reject(identity)
    assert skill.read_text("utf-8") == "mine\n"
    assert read_rulebook(project) == ""


def test_an_edited_skill(project: Path) -> None:
    (identity,) = propose(project, draft_skill_proposal(project))
    text = "---\nname: go-fmt-vet-git-commit\ndescription: Ship it\n---\n\nRun make ship.\n"
    with open_queue(project) as manager:
        with pytest.raises(UsageError, match="would not load"):
            manager.edit_skill(identity, text.replace("name: go", "name: og"))
        with pytest.raises(UsageError, match="is a skill, not a rule"):
            manager.edit_rule(identity, RuleText("x", "", ""))
        manager.edit_skill(identity, text)
        done = manager.accept(identity)
    assert done.files[0].read_text("utf-8") == text


def test_a_rule_that_the_user_wrote_stays_when_the_proposal_is_rejected(project: Path) -> None:
    settings = project / ".claude" / "settings.local.json"
    (identity,) = propose(project, draft_permission(project))
    settings.parent.mkdir()
    settings.write_text(f'{{"permissions": {{"allow": ["{GO_TEST}"]}}}}', encoding="utf-8")
    with open_queue(project) as manager:
        assert manager.list_items() == []  # what it proposes is there
        assert manager.list_files(manager.resolve_item(identity)) == []
        assert manager.reject(identity).files == ()
    assert GO_TEST in settings.read_text("utf-8")


def test_of_several_rules_those_that_were_added_are_removed(project: Path) -> None:
    settings = project / ".claude" / "settings.local.json"
    settings.parent.mkdir()
    settings.write_text(f'{{"permissions": {{"allow": ["{GO_TEST}"]}}}}', encoding="utf-8")
    (identity,) = propose(project, draft_permission(project, [GO_TEST, "Bash(make lint)"]))
    with open_queue(project) as manager:
        manager.accept(identity)
        assert "make lint" in settings.read_text("utf-8")
        assert manager.list_files(manager.resolve_item(identity)) == [settings]
        manager.reject(identity)
    assert json.loads(settings.read_text("utf-8")) == {"permissions": {"allow": [GO_TEST]}}


def test_edited_permissions(project: Path) -> None:
    (identity,) = propose(project, draft_permission(project))
    with open_queue(project) as manager:
        with pytest.raises(UsageError, match="never allowed this way"):
            manager.edit_permissions(identity, ["Bash(rm *)"])
        manager.edit_permissions(identity, ["Bash(go vet ./...)", "Bash(go vet ./...)"])
        assert "go vet" in manager.preview(manager.resolve_item(identity))
        manager.accept(identity)
    text = (project / ".claude" / "settings.local.json").read_text("utf-8")
    assert text.count("Bash(") == text.count("Bash(go vet ./...)") == 1


def test_what_a_person_has_written_already_does_not_wait(project: Path) -> None:
    (identity,) = propose(project, draft_permission(project))
    (project / ".claude").mkdir()
    settings = project / ".claude" / "settings.local.json"
    settings.write_text(f'{{"permissions": {{"allow": ["{GO_TEST}"]}}}}', encoding="utf-8")
    assert list_queue(project) == []
    assert find_status(identity) == ProposalStatus.ACCEPTED


def test_what_a_wider_rule_of_the_user_allows_does_not_wait(project: Path, home: Path) -> None:
    (identity,) = propose(project, draft_permission(project))
    (home / ".claude").mkdir()
    settings = home / ".claude" / "settings.json"
    settings.write_text('{"permissions": {"allow": ["Bash(go:*)"]}}', encoding="utf-8")
    assert list_queue(project) == []
    assert find_status(identity) == ProposalStatus.ACCEPTED


def test_a_broken_settings_file_is_said_where_it_matters(project: Path) -> None:
    (identity,) = propose(project, draft_permission(project))
    (project / ".claude").mkdir()
    (project / ".claude" / "settings.local.json").write_text("{oops", encoding="utf-8")
    assert list_queue(project) == [(identity, "waits for you")]
    with open_queue(project) as manager:
        item = manager.resolve_item(identity)
        assert "it cannot be accepted now: " in manager.preview(item)
        assert "is not valid JSON" in manager.preview(item)
        with pytest.raises(UsageError, match="is not valid JSON"):
            manager.accept(identity)
    assert find_status(identity) == ProposalStatus.WAITING


def test_a_check_escalates_its_rule(project: Path) -> None:
    rule = learn(project, LISTS, review=False)
    (identity,) = propose(project, draft(project, ProposalKind.CHECK, rule=rule))
    with open_queue(project) as manager:
        assert "def test_never_sort" in manager.preview(manager.resolve_item(identity))
        done = manager.accept(identity)
        assert done.item.record
        assert done.item.record.status is Status.ESCALATED
        assert "def test_never_sort" in done.item.record.suggestion
        assert manager.list_records()[-1].reason == "A check was found"
        manager.reject(identity)
        assert manager.list_records()[-1].status is Status.ACTIVE
    assert LISTS.rule in read_rulebook(project)


def test_a_check_of_a_rule_that_has_left_is_dropped(project: Path) -> None:
    rule = learn(project, LISTS, review=False)
    (identity,) = propose(project, draft(project, ProposalKind.CHECK, rule=rule))
    with open_queue(project) as manager:
        manager._rules.retire_rule(rule)
    assert list_queue(project) == []
    assert find_status(identity) == ProposalStatus.DROPPED


def test_projects_are_kept_apart(project: Path) -> None:
    other = project.parent / "other"
    other.mkdir()
    (here,) = propose(project, draft_permission(project))
    (there,) = propose(other, draft_permission(other))
    rule = learn(other, NONE, review=True)
    assert list_queue(project) == [(here, "waits for you")]
    assert sorted(list_everything()) == sorted(
        [(str(project), here), (str(other), there), (str(other), rule)]
    )
    with open_queue(project) as manager, pytest.raises(UsageError, match="of another project"):
        manager.accept(there)


def test_a_project_that_is_gone_is_still_listed(project: Path) -> None:
    gone = project.parent / "gone"
    gone.mkdir()
    (identity,) = propose(gone, draft_permission(gone))
    gone.rmdir()
    assert list_everything() == [(str(gone), identity)]


def test_the_time_of_a_decision_is_stored(project: Path) -> None:
    (identity,) = propose(project, draft_permission(project))
    with open_queue(project) as manager:
        manager.reject(identity, "too wide")
        (item,) = manager.list_items(is_open=False)
    assert item.proposal
    assert item.proposal.decided
    assert item.proposal.reason == "too wide"
    with open_database(resolve_state_directory()) as database:
        assert database.fetch_rows("SELECT reason FROM proposals") == [("too wide",)]
    with OpenHistory(resolve_state_directory(), project / "CLAUDE.md") as history:
        assert history.list_records() == []
