"""What a person can do with the rules: add, edit, retire, restore, reject, approve.

The files come first and the history after them: whoever is killed between leaves files that the
history follows when they are read next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.memory.document import free_id
from orchestrator.memory.history import History
from orchestrator.memory.lessons import provenance
from orchestrator.memory.pages import Pages
from orchestrator.memory.preflight import Objection, Standing, leaving, preflight
from orchestrator.memory.records import Origin, Proposal, RuleEvent, RuleRecord, Status
from orchestrator.memory.rulebook import MarkdownRulebook
from orchestrator.memory.scope import safe_globs
from orchestrator.memory.text import safe_text
from orchestrator.models import Rule
from teacher.models import RuleText


@dataclass(frozen=True)
class Done:
    """What became of a rule in a person's hands."""

    record: RuleRecord
    files: tuple[Path, ...] = ()
    """The files that were changed."""
    left: tuple[Rule, ...] = ()
    """Rules that went to the archive for it."""


@dataclass(frozen=True)
class Edit:
    """What is to be done to the files for a rule."""

    rule: Rule
    """The rule as it will be."""
    change: Callable[[Pages], Pages]
    instead_of: tuple[Rule, ...] = ()
    """Rules in whose place it comes."""
    leaving: tuple[Rule, ...] = ()
    """Rules that make room for it."""
    amends: bool = False


class RuleKeeper:
    """The rules of a project in a person's hands.

    Each method raises UsageError when there is no such rule, or it is not in a state for it.
    """

    def __init__(self, book: MarkdownRulebook, history: History) -> None:
        self._book, self._history = book, history
        book.rules()  # people may have edited the files

    # ---- looking

    def all(self) -> list[RuleRecord]:
        """Every rule that is known."""
        return self._history.all()

    def get(self, rule: str) -> RuleRecord:
        """One rule, by its id or the beginning of it."""
        return self._history.get(rule)

    def events(self, rule: str) -> Sequence[RuleEvent]:
        """What happened to a rule, the oldest first."""
        return self._history.events(rule)

    def pending(self) -> list[RuleRecord]:
        """The rules that wait for a person."""
        return [record for record in self._history.all() if record.status.held_back]

    def diff(self, record: RuleRecord) -> str:
        """What the approval of a rule that waits would change in the files, exactly."""
        return self._book.preview(self._approval(record).change)

    def files(self) -> Sequence[Path]:
        """The files that rules stand in, or would, by their real paths."""
        return self._book.paths()

    def where(self, rule: str) -> Sequence[Path]:
        """The files that a rule stands in."""
        return self._book.where(rule)

    # ---- changing

    def add(self, text: RuleText, paths: Sequence[str] = ()) -> Done:
        """Put a person's own rule in force; it is no duplicate and contradicts nothing."""
        text, scope = _checked(text), self._scope(paths)
        rules = self._book.rules()
        found = preflight(text, rules, Standing())
        if found and found.objection is Objection.DUPLICATE:
            raise UsageError(f"{found.rule.id} says that already: {found.rule.text.rule}")
        if found:
            raise UsageError(
                f"it contradicts {found.rule.id}: {found.rule.text.rule}",
                f"orchestrator rules edit {found.rule.id}, or retire it first",
            )
        taken = {record.rule.id for record in self._history.all()} | {rule.id for rule in rules}
        rule = Rule(free_id(text, taken), text, f"Added on {self._book.today()} by hand", scope)
        return self._put(rule, Origin(source="by hand"), "added by hand")

    def edit(self, rule: str, text: RuleText, paths: Sequence[str] = ()) -> Done:
        """Change a rule's text, and its scope if one is given; id and history stay.

        A field that is empty stays as it is.
        """
        record, scope = self.get(rule), self._scope(paths)
        edit = self._amendment(record.rule, text, scope)
        if record.status.in_force:
            return self._amend(record, edit)
        self._changed(record, edit.rule)
        return Done(self.get(record.rule.id))

    def retire(self, rule: str) -> Done:
        """Take a rule out of the files, into the archive."""
        record = self.get(rule)
        if not record.status.in_force:
            raise UsageError(f"{record.rule.id} is not in force: it is {record.status}")
        return self._leave(record, Status.ARCHIVED, "retired")

    def reject(self, rule: str) -> Done:
        """Turn a rule down for good: it leaves the files, and the teacher is told."""
        record = self.get(rule)
        if record.status is Status.REJECTED:
            raise UsageError(f"{record.rule.id} was rejected before")
        return self._leave(record, Status.REJECTED, "rejected")

    def restore(self, rule: str) -> Done:
        """Put a rule that left the files back in force."""
        record = self.get(rule)
        if record.status.in_force or record.status.held_back:
            raise UsageError(f"{record.rule.id} did not leave: it is {record.status}")
        found = preflight(record.rule.text, self._book.rules(), Standing())
        if found:
            raise UsageError(f"{found.objection} of {found.rule.id}: {found.rule.text.rule}")
        return self._put(record.rule, record.origin, "restored")

    def approve(self, rule: str) -> Done:
        """Do what a rule that is held back would have done.

        One that contradicts a rule in force takes its place: never both into the file.
        """
        record = self.get(rule)
        if not record.status.held_back:
            raise UsageError(f"{record.rule.id} does not wait: it is {record.status}")
        edit = self._approval(record)
        if not edit.amends:
            return self._put(record.rule, record.origin, "approved", edit)
        done = self._amend(self.get(edit.rule.id), edit)
        why = f"it became part of {edit.rule.id}"
        self._history.move(record.rule.id, Status.ARCHIVED, "approved", why)
        return done

    # ---- what is to be done to the files

    def _approval(self, record: RuleRecord) -> Edit:
        rules = {rule.id: rule for rule in self._book.rules()}
        proposal = record.proposal
        if target := rules.get(proposal.target):
            return self._amendment(target, record.rule.text, record.rule.paths)
        # Another rule may have come into force since.
        found = preflight(record.rule.text, tuple(rules.values()), Standing())
        replaced = dict.fromkeys((proposal.against, found.rule.id if found else ""))
        return self._addition(
            record.rule, record.origin, [rules[old] for old in replaced if old in rules]
        )

    def _amendment(self, rule: Rule, text: RuleText, scope: tuple[str, ...]) -> Edit:
        old = rule.text
        new = safe_text(RuleText(text.rule or old.rule, text.when or old.when, text.why or old.why))

        def change(pages: Pages) -> Pages:
            pages = pages.amend(rule.id, new, self._book.today())
            return pages.rescope(rule.id, scope) if scope else pages

        return Edit(replace(rule, text=new, paths=scope or rule.paths), change, amends=True)

    def _addition(self, rule: Rule, origin: Origin, instead_of: Sequence[Rule] = ()) -> Edit:
        others = [known for known in self._book.rules() if known not in instead_of]
        room = leaving([*others, rule], rule.id, self._book.standing() or Standing())

        def change(pages: Pages) -> Pages:
            for old in (*instead_of, *room):
                pages = pages.remove(old.id) if pages.find(old.id) else pages
            return pages.add(rule, provenance(origin))

        return Edit(rule, change, tuple(instead_of), room)

    # ---- doing it

    def _put(self, rule: Rule, origin: Origin, what: str, edit: Edit | None = None) -> Done:
        edit = edit or self._addition(rule, origin)
        files = self._book.edit(edit.change)
        rule = self._book.find(rule.id) or rule
        self._history.learn(rule, Status.ACTIVE, origin, what=what, proposal=Proposal())
        for old in edit.instead_of:
            self._history.move(old.id, Status.ARCHIVED, "archived", f"{rule.id} took its place")
        for old in edit.leaving:
            self._history.move(old.id, Status.ARCHIVED, "archived", f"to make room for {rule.id}")
        return Done(self.get(rule.id), files, (*edit.instead_of, *edit.leaving))

    def _amend(self, record: RuleRecord, edit: Edit) -> Done:
        files = self._book.edit(edit.change)
        self._changed(record, self._book.find(edit.rule.id) or edit.rule)
        return Done(self.get(record.rule.id), files)

    def _changed(self, record: RuleRecord, rule: Rule) -> None:
        changed = replace(record, rule=rule, mattered=self._history.now())
        self._history.update(changed, "edited", f"it was: {record.rule.text.rule}")

    def _leave(self, record: RuleRecord, status: Status, what: str) -> Done:
        files = self._book.take_out(record.rule.id)
        self._history.move(record.rule.id, status, what, "by a person")
        return Done(self.get(record.rule.id), files)

    def _scope(self, paths: Sequence[str]) -> tuple[str, ...]:
        scope = safe_globs(paths)
        for path in paths:
            if path.strip().removeprefix("./") not in scope:
                mend = "name files of the project: --path 'src/**/*.py'"
                raise UsageError(f"{path!r} is no scope", mend)
        if scope and not self._book.scopes:
            mend = "set rules.target: rules-dir for rules that hold for some files alone"
            raise UsageError("a rule here holds for every file", mend)
        return scope


def _checked(text: RuleText) -> RuleText:
    text = safe_text(text)
    if not text.rule:
        raise UsageError("the rule is empty", "say what is to be done or left: --rule TEXT")
    return text
