"""Between the rulebook's file and the history behind it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from orchestrator.memory.history import History
from orchestrator.memory.lessons import Outcome
from orchestrator.memory.pages import Pages
from orchestrator.memory.preflight import Standing
from orchestrator.memory.records import Origin, Proposal, RuleRecord, Status, origin_of
from teacher.models import Failure, KnownRule, Lesson

_MOST_TOLD: Final = 20
"""Rules turned down that a teacher is told of: the newest."""
_NOTE: Final = "turned down by a person: it is not in force, and must not be proposed again"
_UNMERGED: Final = "it stands on the branch of its run until that is merged"
_FIELD: Final = re.compile(r"\b(failure|source|run|model) ([\w.:/+=-]+)")

_HELD_BACK: Final = {
    "quarantined": Status.QUARANTINED,
    "contradiction": Status.QUARANTINED,
    "waits for approval": Status.WAITING,
}


def follow(history: History, pages: Pages, *, own: bool = True) -> None:
    """Let the history follow what people did to the files. The caller holds their locks.

    `own` is False for a work tree of ours: what it has not got, the project may have.
    """
    rules = pages.rules
    origins = {rule.id: _origin(pages.note(rule.id)) for rule in rules}
    history.reconcile(rules, origins, own=own)


def remember(
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
    origin = origin_of(lesson, failure, run)
    if status := _HELD_BACK.get(outcome.change):
        against = outcome.target if outcome.change == "contradiction" else ""
        amends = "" if against else outcome.target
        proposal = Proposal(amends, against)
        known = history.find(rule.id)
        if known and known.status.in_force:
            history.note(rule.id, outcome.change, outcome.reason)
            return
        history.learn(
            rule, status, origin, what=outcome.change, reason=outcome.reason, proposal=proposal
        )
    elif outcome.change == "added" and own:
        history.learn(rule, Status.ACTIVE, origin, what="added", reason=failure.summary)
    elif outcome.change == "added":
        history.learn(rule, Status.ARCHIVED, origin, what="added on a branch", reason=_UNMERGED)
    elif record := history.find(rule.id):
        record = replace(record, rule=rule, mattered=history.now())
        history.update(record, outcome.change, f"{failure.summary} (run {run or 'none'})")
    for left in outcome.leaving:
        history.move(left.id, Status.ARCHIVED, "archived", f"to make room for {rule.id}")


def standing(
    history: History, max_rules: int | None, max_tokens: int | None, *, review: bool
) -> Standing:
    """What the history has to say when a lesson comes in."""
    records = history.all()
    return Standing(
        max_rules=max_rules,
        max_tokens=max_tokens,
        refused=[record.rule for record in records if record.status.refused],
        worth={record.rule.id: worth(record) for record in records if record.status.in_force},
        review=review,
    )


def worth(record: RuleRecord) -> float:
    """How much a rule has done: passes at the first attempt for it, recurrences against it.

    A proven rule stands above all that are not; among equals the one that mattered last.
    """
    counted = record.counters
    done = counted.first_passes / (counted.runs or 1) - counted.recurrences
    lately = record.mattered.timestamp() / 1e12
    return done + lately + (1000 if record.status is Status.PROVEN else 0)


def turned_down(history: History) -> Sequence[KnownRule]:
    """The rules that a teacher must not propose again, the newest."""
    refused = [record.rule for record in history.all() if record.status.refused]
    return tuple(KnownRule(rule.id, rule.text, _NOTE) for rule in refused[-_MOST_TOLD:])


def _origin(note: str) -> Origin:
    """What the comment of a rule tells of where it came from."""
    return Origin(**dict(_FIELD.findall(note)))
