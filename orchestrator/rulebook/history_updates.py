"""Between the rulebook's file and the history behind it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.models import Rule
from orchestrator.rulebook.history import History
from orchestrator.rulebook.lesson_decision import Outcome
from orchestrator.rulebook.poison import find_poison
from orchestrator.rulebook.preflight import PreflightContext, fingerprint_text, is_same_rule
from orchestrator.rulebook.records import Origin, Proposal, RuleRecord, Status, build_origin
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.rulebook.similarity import Shortlist
from teacher.models import Action, Failure, KnownRule, Lesson, RuleText

_MAX_REFUSED_RULES: Final = 20
"""Rules turned down that a teacher is told of: the newest."""
_NOTE: Final = "turned down by a person: it is not in force, and must not be proposed again"
_UNMERGED_REASON: Final = "it stands on the branch of its run until that is merged"
_FIELD: Final = re.compile(r"\b(failure|source|run|model) ([\w.:/+=-]+)")

_STATUS_BY_CHANGE: Final = {
    "quarantined": Status.QUARANTINED,
    "contradiction": Status.QUARANTINED,
    "waits for approval": Status.WAITING,
}


def reconcile_history(
    history: History,
    file_set: RuleFileSet,
    withdrawn: Callable[[RuleRecord], bool],
    *,
    own: bool = True,
) -> None:
    """Let the history follow what people did to the files. The caller holds their locks.

    `withdrawn` says of a rule that is missing whether a person took it out. `own` is False for a
    work tree of ours: what it has not got, the project may have.

    Raises:
        RulebookError: a rule in force is missing, and may stand in a file that cannot be read.
    """
    rules = file_set.rules
    if own and file_set.unreadable_files:
        _require_all_present(history, file_set)
    origins = {rule.id: _parse_origin(file_set.get_comment(rule.id)) for rule in rules}
    history.reconcile_rules(rules, origins, withdrawn, own=own)


def record_outcome(
    history: History,
    outcome: Outcome,
    lesson: Lesson,
    failure: Failure,
    run: str,
    *,
    own: bool = True,
) -> None:
    """Take into the history what a lesson did. The caller holds the files' locks.

    What was learned on a branch of ours, where `own` is False, is in force once it is merged.
    """
    rule = outcome.rule
    if rule is None:
        return
    origin = build_origin(lesson, failure, run)
    if status := _STATUS_BY_CHANGE.get(outcome.change):
        proposal = Proposal(outcome.target, outcome.against)
        known = history.find_record(rule.id)
        if known and (known.status.is_active or known.status is Status.REJECTED):
            history.record_event(rule.id, outcome.change, outcome.reason)
            return
        history.record_rule(
            rule, status, origin, what=outcome.change, reason=outcome.reason, proposal=proposal
        )
    elif outcome.change == "added" and own:
        history.record_rule(rule, Status.ACTIVE, origin, what="added", reason=failure.summary)
    elif outcome.change == "added":
        history.record_rule(
            rule, Status.ARCHIVED, origin, what="added on a branch", reason=_UNMERGED_REASON
        )
    elif record := history.find_record(rule.id):
        if own:
            record = replace(record, rule=rule)
        record = replace(record, mattered=history.now())
        where = "" if own else " on a branch"
        said = f"{failure.summary} (run {run or 'none'})"
        history.update_record(record, f"{outcome.change}{where}", said)
    for left in outcome.leaving if own else ():
        history.change_status(left.id, Status.ARCHIVED, "archived", f"to make room for {rule.id}")


def build_preflight_context(
    history: History, max_rules: int | None, max_tokens: int | None, *, review: bool
) -> PreflightContext:
    """What the history has to say when a lesson comes in."""
    records = history.list_records()
    return PreflightContext(
        max_rules=max_rules,
        max_tokens=max_tokens,
        refused_rules=[Rule(refusal.rule, refusal.text) for refusal in history.list_refusals()],
        pending_rules=[record.rule for record in records if record.status.is_pending],
        fingerprints={record.rule.id: fingerprint_text(record.rule.text) for record in records},
        worth={record.rule.id: score_rule(record) for record in records if record.status.is_active},
        review=review,
    )


def score_rule(record: RuleRecord) -> float:
    """How much a rule has done: passes at the first attempt for it, recurrences against it.

    A proven rule stands above all that are not; among equals the one that mattered last.
    """
    counted = record.counters
    done = counted.first_passes / (counted.runs or 1) - counted.recurrences
    lately = record.mattered.timestamp() / 1e12
    return done + lately + (1000 if record.status is Status.PROVEN else 0)


def list_refused_rules(history: History, in_force: Sequence[Rule]) -> Sequence[KnownRule]:
    """The rules that a teacher must not propose again, those turned down last.

    Not what is in force all the same; and not what reads like an attack: whoever slipped it to a
    teacher once is given no second chance.
    """
    texts = [rule.text for rule in in_force]
    close = Shortlist(texts)

    def stands(refused: RuleText) -> bool:
        return any(
            is_same_rule(refused, texts[number]) for number in close.find_candidates(refused)
        )

    told = (
        KnownRule(each.rule, each.text, _NOTE)
        for each in reversed(history.list_refusals())
        if not find_poison(Lesson(Action.ADD, "", each.text)) and not stands(each.text)
    )
    return tuple(islice(told, _MAX_REFUSED_RULES))[::-1]


def _require_all_present(history: History, file_set: RuleFileSet) -> None:
    """What cannot be read is not deleted."""
    there = {rule.id for rule in file_set.rules}
    for record in history.list_records():
        if record.status.is_active and record.rule.id not in there:
            raise RulebookError(
                f"{next(iter(file_set.unreadable_files.values()))}; "
                f"rule {record.rule.id} may stand there: {record.rule.text.rule}",
                "mend that, or move the file away",
            )


@lru_cache(maxsize=4096)  # of all rules in force, each time that the files are read
def _parse_origin(note: str) -> Origin:
    """What the comment of a rule tells of where it came from."""
    return Origin(**dict(_FIELD.findall(note)))
