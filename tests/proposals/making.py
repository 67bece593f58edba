"""Proposals, and a project with its queue, for tests."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.models import Approval
from orchestrator.proposals.decisions import ProposalManager
from orchestrator.proposals.models import ProposalDraft, ProposalEvidence, ProposalKind
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from orchestrator.services.proposals import open_proposals
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import resolve_state_directory
from teacher.models import RuleText
from tests.open_history import OpenHistory
from tests.rulebook.making import FAILURE, add, amend

STEPS = ("go fmt ./...", "go vet ./...", "go test ./...", "git commit -m <message>")
GO_TEST = "Bash(go test *)"
PLACE = ProposalEvidence("5e551011-0000", "row-1", "2026-11-20T10:11:12.000Z", "the user said: no")


def draft(
    project: Path, kind: ProposalKind, content: Mapping[str, Any] | None = None, **more: Any
) -> ProposalDraft:
    """A proposal, found in 3 of 41 sessions."""
    counts = {"sessions": 3, "sessions_seen": 41, "occurrences": 7}
    values: dict[str, Any] = {
        "fingerprint": f"a fingerprint of a {kind}",
        "title": f"A {kind} was found",
        "evidence": (PLACE,),
        "detector": "a detector",
        **more,
    }
    return ProposalDraft(
        str(project.resolve()), kind, content={**counts, **(content or {})}, **values
    )


def draft_permission(project: Path, rules: Sequence[str] = (GO_TEST,)) -> ProposalDraft:
    return draft(project, ProposalKind.PERMISSION, {"rules": list(rules)})


def draft_rule(project: Path, rule: str = "Never use eval") -> ProposalDraft:
    text = {"rule": rule, "when": "Parsing", "why": "It runs anything"}
    return draft(project, ProposalKind.RULE, {"text": text})


def draft_skill_proposal(project: Path, commands: Sequence[str] = STEPS) -> ProposalDraft:
    from orchestrator.proposals.skills import Procedure, draft_skill

    made = draft_skill(Procedure(commands, 3, "2026-11-20T10:00:00Z", "2026-11-25T10:00:00Z"))
    assert made
    content = {"name": made.name, "text": made.text, "rule": vars(made.index)}
    return draft(project, ProposalKind.SKILL, content)


@contextmanager
def open_queue(project: Path) -> Iterator[ProposalManager]:
    """Open the proposals of a project, in the state directory of the test."""
    with open_proposals(project.resolve(), None, lambda _event: None) as manager:
        yield manager


def propose(project: Path, *drafts: ProposalDraft) -> list[str]:
    """Store proposals; return their ids."""
    with open_queue(project) as manager:
        added = [manager.store.add_proposal(each) for each in drafts]
    return [each.id for each in added if each]


def learn(project: Path, text: RuleText, *, review: bool, target: str = "") -> str:
    """Let a lesson become a rule of the project, pending or active; return its id."""
    lesson = amend(target, text) if target else add(text)
    state = resolve_state_directory()
    with OpenHistory(state, project.resolve() / "CLAUDE.md") as history:
        policy = RulebookPolicy(history, approval=Approval.REVIEW if review else Approval.AUTO)
        files = RuleFiles(project, copies=state / "rulebooks")
        MarkdownRulebook(files, state / "locks", policy=policy).apply(lesson, FAILURE)
        return history.list_records()[-1].rule.id


def find_status(identity: str) -> str:
    """The stored status of a proposal."""
    with open_database(Path(os.environ["ORCHESTRATOR_STATE_DIR"])) as database:
        rows = database.fetch_rows("SELECT status FROM proposals WHERE id = ?", (identity,))
    return str(rows[0][0])
