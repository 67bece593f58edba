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
from orchestrator.rulebook.lessons import Outcome
from orchestrator.rulebook.likeness import Shortlist
from orchestrator.rulebook.pages import Pages
from orchestrator.rulebook.poison import poison_in
from orchestrator.rulebook.preflight import Standing, fingerprint, says_the_same
from orchestrator.rulebook.records import Origin, Proposal, RuleRecord, Status, origin_of
from teacher.models import Action, Failure, KnownRule, Lesson, RuleText

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


def follow(
    history: History, pages: Pages, withdrawn: Callable[[RuleRecord], bool], *, own: bool = True
) -> None:
    """Let the history follow what people did to the files. The caller holds their locks.

    `withdrawn` says of a rule that is missing whether a person took it out. `own` is False for a
    work tree of ours: what it has not got, the project may have.

    Raises:
        RulebookError: a rule in force is missing, and may stand in a file that cannot be read.
    """
    rules = pages.rules
    if own and pages.unread:
        _demand_all(history, pages)
    origins = {rule.id: _origin(pages.note(rule.id)) for rule in rules}
    history.reconcile(rules, origins, withdrawn, own=own)


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
        proposal = Proposal(outcome.target, outcome.against)
        known = history.find(rule.id)
        if known and (known.status.in_force or known.status is Status.REJECTED):
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
        if own:
            record = replace(record, rule=rule)
        record = replace(record, mattered=history.now())
        where = "" if own else " on a branch"
        said = f"{failure.summary} (run {run or 'none'})"
        history.update(record, f"{outcome.change}{where}", said)
    for left in outcome.leaving if own else ():
        history.move(left.id, Status.ARCHIVED, "archived", f"to make room for {rule.id}")


def standing(
    history: History, max_rules: int | None, max_tokens: int | None, *, review: bool
) -> Standing:
    """What the history has to say when a lesson comes in."""
    records = history.all()
    return Standing(
        max_rules=max_rules,
        max_tokens=max_tokens,
        refused=[Rule(refusal.rule, refusal.text) for refusal in history.refusals()],
        waiting=[record.rule for record in records if record.status.held_back],
        known={record.rule.id: fingerprint(record.rule.text) for record in records},
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


def turned_down(history: History, in_force: Sequence[Rule]) -> Sequence[KnownRule]:
    """The rules that a teacher must not propose again, those turned down last.

    Not what is in force all the same; and not what reads like an attack: whoever slipped it to a
    teacher once is given no second chance.
    """
    texts = [rule.text for rule in in_force]
    close = Shortlist(texts)

    def stands(refused: RuleText) -> bool:
        return any(says_the_same(refused, texts[number]) for number in close.of(refused))

    told = (
        KnownRule(each.rule, each.text, _NOTE)
        for each in reversed(history.refusals())
        if not poison_in(Lesson(Action.ADD, "", each.text)) and not stands(each.text)
    )
    return tuple(islice(told, _MOST_TOLD))[::-1]


def _demand_all(history: History, pages: Pages) -> None:
    """What cannot be read is not deleted."""
    there = {rule.id for rule in pages.rules}
    for record in history.all():
        if record.status.in_force and record.rule.id not in there:
            raise RulebookError(
                f"{next(iter(pages.unread.values()))}; rule {record.rule.id} may stand there: "
                f"{record.rule.text.rule}",
                "mend that, or move the file away",
            )


@lru_cache(maxsize=4096)  # of all rules in force, each time that the files are read
def _origin(note: str) -> Origin:
    """What the comment of a rule tells of where it came from."""
    return Origin(**dict(_FIELD.findall(note)))
