"""Keep the history in step with the rule files: before a lesson is applied, and after."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.models import Approval, ChangeKind, Rule
from orchestrator.rulebook.history import History
from orchestrator.rulebook.lesson_decision import Decision
from orchestrator.rulebook.preflight import PreflightContext, fingerprint_text
from orchestrator.rulebook.records import (
    Origin,
    Proposal,
    RuleEventKind,
    RuleRecord,
    Status,
    build_origin,
)
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.rulebook.rule_files import RuleFilesSnapshot
from orchestrator.rulebook.withdrawal import FileVersions, Withdrawals
from teacher.models import Failure, Lesson

_UNMERGED_REASON: Final = "it is on the branch of its run until that is merged"
_FIELD: Final = re.compile(r"\b(failure|source|run|model) ([\w.:/+=-]+)")

_STATUS_BY_CHANGE: Final = {
    ChangeKind.QUARANTINED: Status.QUARANTINED,
    ChangeKind.CONTRADICTION: Status.QUARANTINED,
    ChangeKind.WAITS_FOR_APPROVAL: Status.WAITING,
}


def find_withdrawals(root: Path, snapshot: RuleFilesSnapshot) -> Callable[[RuleRecord], bool]:
    """Return a function that returns whether a person removed a rule that is in no file.

    Args:
        root: the folder of the rulebook.
        snapshot: the files as people left them.
    """
    versions = [
        FileVersions(path, snapshot.contents[name].data, snapshot.last_written[name].data)
        for name, path in snapshot.paths.items()
    ]
    return Withdrawals(root, versions)


def reconcile_history(
    history: History,
    file_set: RuleFileSet,
    withdrawn: Callable[[RuleRecord], bool],
    *,
    own: bool = True,
) -> None:
    """Record what people did to the files. The caller holds their locks.

    Args:
        history: the history of the rulebook.
        file_set: the files as they are.
        withdrawn: returns whether a person removed a rule that is in no file.
        own: False for a work tree that this program made: a rule that is missing there may be in
            the project.

    Raises:
        RulebookError: an active rule is missing, and may be in a file that cannot be read.
    """
    rules = file_set.rules
    if own and file_set.unreadable_files:
        _require_all_present(history, file_set)
    # A rule that lost only its comment was not deleted: its text must not be refused.
    texts = {rule.text for rule in file_set.hand_written}

    def is_deleted(record: RuleRecord) -> bool:
        return record.rule.text not in texts and withdrawn(record)

    origins = {rule.id: _parse_origin(file_set.get_comment(rule.id)) for rule in rules}
    history.reconcile_rules(rules, origins, is_deleted, own=own)


def build_preflight_context(
    history: History, max_rules: int | None, max_tokens: int | None, *, approval: Approval
) -> PreflightContext:
    """Return what the history knows that the decision on a lesson depends on."""
    records = history.list_records()
    return PreflightContext(
        max_rules=max_rules,
        max_tokens=max_tokens,
        refused_rules=[Rule(refusal.rule, refusal.text) for refusal in history.list_refusals()],
        pending_rules=[record.rule for record in records if record.status.is_pending],
        fingerprints={record.rule.id: fingerprint_text(record.rule.text) for record in records},
        worth={record.rule.id: score_rule(record) for record in records if record.status.is_active},
        approval=approval,
    )


def score_rule(record: RuleRecord) -> float:
    """Return the value of a rule: first-attempt passes count for it, recurrences against it.

    A proven rule is above all that are not; among equals, the one that mattered last is above.
    """
    counters = record.counters
    outcomes = counters.first_passes / (counters.runs or 1) - counters.recurrences
    # Seconds since 1970, scaled to below 0.01: they only decide between equals.
    recency = record.mattered.timestamp() / 1e12
    return outcomes + recency + (1000 if record.status is Status.PROVEN else 0)


def record_outcome(
    history: History,
    decision: Decision,
    lesson: Lesson,
    failure: Failure,
    run: str,
    *,
    own: bool = True,
) -> None:
    """Record what a lesson did. The caller holds the locks of the files.

    Args:
        history: the history of the rulebook.
        decision: what was done.
        lesson: the teacher's answer.
        failure: what the lesson was learned from.
        run: id of the run; empty for none.
        own: False for a branch that this program made: a rule that was learned there becomes
            active once the branch is merged.
    """
    rule = decision.rule
    if rule is None or decision.change is None:
        return
    if decision.change is ChangeKind.ADDED or decision.change in _STATUS_BY_CHANGE:
        origin = build_origin(lesson, failure, run)
        _record_new_rule(history, rule, decision, decision.change, origin, own=own)
    elif record := history.find_record(rule.id):
        if own:
            record = replace(record, rule=rule)
        record = replace(record, mattered=history.now())
        kind = RuleEventKind.for_change(decision.change, own=own)
        history.update_record(record, kind, f"{failure.summary} (run {run or 'none'})")
    for left in decision.leaving if own else ():
        history.change_status(
            left.id, Status.ARCHIVED, RuleEventKind.ARCHIVED, f"to make room for {rule.id}"
        )


def _record_new_rule(
    history: History,
    rule: Rule,
    decision: Decision,
    change: ChangeKind,
    origin: Origin,
    *,
    own: bool,
) -> None:
    """Record a rule that was written, or that is held back until a person decides."""
    proposal = Proposal()
    if status := _STATUS_BY_CHANGE.get(change):
        kind, reason = RuleEventKind.for_change(change), decision.reason
        known = history.find_record(rule.id)
        if known and (known.status.is_active or known.status is Status.REJECTED):
            history.record_event(rule.id, kind, reason)
            return
        proposal = Proposal(decision.target, decision.against)
    elif own:
        status, reason = Status.ACTIVE, origin.summary
        kind = RuleEventKind.for_change(change)
    else:
        status, reason = Status.ARCHIVED, _UNMERGED_REASON
        kind = RuleEventKind.for_change(change, own=False)
    history.record_rule(rule, status, origin, what=kind, reason=reason, proposal=proposal)


def _require_all_present(history: History, file_set: RuleFileSet) -> None:
    """Make sure that no active rule is missing: what cannot be read is not deleted."""
    present = {rule.id for rule in file_set.rules}
    for record in history.list_records():
        if record.status.is_active and record.rule.id not in present:
            raise RulebookError(
                f"{next(iter(file_set.unreadable_files.values()))}; "
                f"rule {record.rule.id} may be in it: {record.rule.text.rule}",
                "make the file readable, or move it away",
            )


@lru_cache(maxsize=4096)  # called for each active rule every time that the files are read
def _parse_origin(note: str) -> Origin:
    """Return what the comment of a rule says about its origin."""
    return Origin(**dict(_FIELD.findall(note)))
