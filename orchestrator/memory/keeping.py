"""What a person can do with the rules: add, edit, retire, restore, reject, approve.

The file comes first and the history after it: whoever is killed between leaves a file that the
history follows when it is read next.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.memory.document import free_id
from orchestrator.memory.history import History
from orchestrator.memory.lessons import provenance
from orchestrator.memory.pages import Pages
from orchestrator.memory.preflight import Objection, Standing, preflight
from orchestrator.memory.records import Origin, Proposal, RuleEvent, RuleRecord, Status
from orchestrator.memory.rulebook import MarkdownRulebook
from orchestrator.memory.scope import safe_globs
from orchestrator.memory.text import safe_text
from orchestrator.models import Rule
from teacher.models import RuleText


class RuleKeeper:
    """The rules of a project in a person's hands.

    Each method raises UsageError when there is no such rule, or it is not in a state for it.
    """

    def __init__(self, book: MarkdownRulebook, history: History) -> None:
        self._book, self._history = book, history
        self.touched: tuple[Path, ...] = ()
        """The files that the last change was made in."""
        book.rules()  # people may have edited the files

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

    def files(self) -> Sequence[Path]:
        """The files that rules stand in, or would, by their real paths."""
        return self._book.paths()

    def where(self, rule: str) -> Sequence[Path]:
        """The files that a rule stands in."""
        return self._book.where(rule)

    def add(self, text: RuleText, paths: Sequence[str] = ()) -> RuleRecord:
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
        today = self._history.now().astimezone().date()
        rule = Rule(free_id(text, taken), text, f"Added on {today} by hand", scope)
        return self._put(rule, Origin(source="by hand"), "added by hand")

    def edit(self, rule: str, text: RuleText, paths: Sequence[str] = ()) -> RuleRecord:
        """Change a rule's text, and its scope if one is given; id and history stay.

        A field that is empty stays as it is.
        """
        return self._edit(self.get(rule), text, self._scope(paths))

    def retire(self, rule: str) -> RuleRecord:
        """Take a rule out of the file, into the archive."""
        record = self.get(rule)
        if not record.status.in_force:
            raise UsageError(f"{record.rule.id} is not in force: it is {record.status}")
        return self._leave(record, Status.ARCHIVED, "retired")

    def reject(self, rule: str) -> RuleRecord:
        """Turn a rule down for good: it leaves the file, and the teacher is told."""
        record = self.get(rule)
        if record.status is Status.REJECTED:
            raise UsageError(f"{record.rule.id} was rejected before")
        return self._leave(record, Status.REJECTED, "rejected")

    def restore(self, rule: str) -> RuleRecord:
        """Put a rule that left the file back in force."""
        record = self.get(rule)
        if record.status.in_force or record.status.held_back:
            raise UsageError(f"{record.rule.id} did not leave: it is {record.status}")
        found = preflight(record.rule.text, self._book.rules(), Standing())
        if found:
            raise UsageError(f"{found.objection} of {found.rule.id}: {found.rule.text.rule}")
        return self._put(record.rule, record.origin, "restored")

    def approve(self, rule: str) -> RuleRecord:
        """Do what a rule that is held back would have done.

        One that contradicts a rule in force takes its place: never both into the file.
        """
        record = self.get(rule)
        if not record.status.held_back:
            raise UsageError(f"{record.rule.id} does not wait: it is {record.status}")
        proposal = record.proposal
        if proposal.target and _in_force(self._book, proposal.target):
            done = self._edit(self.get(proposal.target), record.rule.text, record.rule.paths)
            why = f"it became part of {proposal.target}"
            self._history.move(record.rule.id, Status.ARCHIVED, "approved", why)
            return done
        # Another rule may have come into force since.
        found = preflight(record.rule.text, self._book.rules(), Standing())
        replaced = (proposal.against, found.rule.id if found else "")
        return self._put(record.rule, record.origin, "approved", instead_of=replaced)

    def _edit(self, record: RuleRecord, text: RuleText, scope: tuple[str, ...]) -> RuleRecord:
        rule, old = record.rule, record.rule.text
        new = safe_text(RuleText(text.rule or old.rule, text.when or old.when, text.why or old.why))
        rule = replace(rule, text=new, paths=scope or rule.paths)
        if record.status.in_force:
            today = self._history.now().astimezone().date()

            def change(pages: Pages) -> Pages:
                nonlocal rule
                pages = pages.amend(rule.id, new, today)
                if scope:
                    pages = pages.rescope(rule.id, scope)
                rule = pages.find(rule.id) or rule
                return pages

            self.touched = self._book.edit(change)
        edited = replace(record, rule=rule, mattered=self._history.now())
        self._history.update(edited, "edited", f"it was: {old.rule}")
        return edited

    def _put(
        self, rule: Rule, origin: Origin, what: str, instead_of: Sequence[str] = ()
    ) -> RuleRecord:
        gone: list[str] = []

        def change(pages: Pages) -> Pages:
            nonlocal rule
            gone[:] = [old for old in dict.fromkeys(instead_of) if old and pages.find(old)]
            for old in gone:
                pages = pages.remove(old)
            pages = pages.add(rule, provenance(origin))
            rule = pages.find(rule.id) or rule
            return pages

        self.touched = self._book.edit(change)
        self._history.learn(rule, Status.ACTIVE, origin, what=what, proposal=Proposal())
        for old in gone:
            self._history.move(old, Status.ARCHIVED, "archived", f"{rule.id} took its place")
        return self.get(rule.id)

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

    def _leave(self, record: RuleRecord, status: Status, what: str) -> RuleRecord:
        self._book.take_out(record.rule.id)
        self._history.move(record.rule.id, status, what, "by a person")
        return self.get(record.rule.id)


def _in_force(book: MarkdownRulebook, rule: str) -> bool:
    """Whether a rule is in force."""
    return any(known.id == rule for known in book.rules())


def _checked(text: RuleText) -> RuleText:
    text = safe_text(text)
    if not text.rule:
        raise UsageError("the rule is empty", "say what is to be done or left: --rule TEXT")
    return text
