"""What a person can do with the rules: add, edit, retire, restore, reject, approve.

What becomes of the files is decided under their locks, on what stands in them then: two people, or
a person and a run, never put both of a contradicting pair into force.

The files come first and the history after them: whoever is killed between leaves files that the
history follows when they are read next.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator.errors import RulebookError, UsageError
from orchestrator.models import Rule
from orchestrator.rulebook.checks import rewritten
from orchestrator.rulebook.document import free_id
from orchestrator.rulebook.history import History
from orchestrator.rulebook.lessons import provenance, with_room
from orchestrator.rulebook.likeness import Shortlist
from orchestrator.rulebook.pages import Pages, changed
from orchestrator.rulebook.poison import poison_in
from orchestrator.rulebook.preflight import (
    Found,
    Objection,
    Standing,
    preflight,
    says_the_same,
    tokens,
    too_long,
)
from orchestrator.rulebook.records import Origin, RuleEvent, RuleRecord, Status, difference
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.rulebook.scope import safe_globs
from orchestrator.rulebook.text import MAX_CHARS, overlaid, safe_line, safe_text
from teacher.models import Action, Lesson, RuleText

_EVERYTHING: Final = frozenset(("*", "**", "**/*"))
"""Globs that say: no scope."""


@dataclass(frozen=True)
class Done:
    """What became of a rule in a person's hands."""

    record: RuleRecord
    files: tuple[Path, ...] = ()
    """The files that were changed."""
    left: tuple[Rule, ...] = ()
    """Rules that went to the archive for it."""
    warning: str = ""
    """What a person should know of it."""


@dataclass(frozen=True)
class Edit:
    """The files with what was done to them for a rule."""

    pages: Pages
    rule: Rule
    """The rule as it is then."""
    instead_of: tuple[Rule, ...] = ()
    """Rules in whose place it comes."""
    leaving: tuple[Rule, ...] = ()
    """Rules that make room for it."""
    amends: bool = False


Plan = Callable[[Pages], Edit]
"""Decides what is to be done to the files, on what stands in them; it may be asked again."""


def _no_check(_files: Sequence[Path]) -> None:
    """Let any file be changed."""


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
        """What the approval of a rule that waits would change in the files, exactly.

        Where it cannot be approved as things are, the reason.
        """
        try:
            return self._book.preview(lambda pages: self._approval(pages, record).pages)
        except (UsageError, RulebookError) as error:
            return f"it cannot be approved now: {error}"

    def where(self, rule: str) -> Sequence[Path]:
        """The files that a rule stands in."""
        return self._book.where(rule)

    # ---- changing

    def add(self, text: RuleText, paths: Sequence[str] = ()) -> Done:
        """Put a person's own rule in force; it is no duplicate and contradicts nothing."""
        scope, warning = self._scope(paths) or (), _warning(text, paths)
        text, origin = _given(text), Origin(source="by hand")
        if not text.rule:
            raise UsageError("the rule is empty", "say what is to be done or left: --rule TEXT")

        def plan(pages: Pages) -> Edit:
            _refuse_objections(text, pages.rules)
            taken = self._standing().taken(text) | pages.ids
            source = f"Added on {self._book.today()} by hand"
            return self._added(pages, Rule(free_id(text, taken), text, source, scope), origin)

        return replace(self._put(plan, origin, "added by hand"), warning=warning)

    def edit(self, rule: str, text: RuleText, paths: Sequence[str] = ()) -> Done:
        """Change a rule's text, and its scope if one is given; id and history stay.

        A field that is not given stays as it is.
        """
        record, scope, warning = self.get(rule), self._scope(paths), _warning(text, paths)
        given, identity = _given(text), record.rule.id
        if not record.status.in_force:
            text = overlaid(given, record.rule.text)
            paths = record.rule.paths if scope is None else scope
            changed = replace(record.rule, text=text, paths=tuple(paths))
            self._changed(self._reconsidered(record, changed), changed)
            return Done(self.get(identity), warning=warning)

        def plan(pages: Pages) -> Edit:
            known = pages.find(identity)
            if known is None:
                raise UsageError(f"{identity} has left the files", "see `orchestrator rules list`")
            new = overlaid(given, known.text)
            if (new.rule, new.when) != (known.text.rule, known.text.when):
                _refuse_objections(new, _others(pages, identity))
            return self._amended(pages, known, given, scope)

        return replace(self._amended_in(*self._do(plan), record), warning=warning)

    def retire(self, rule: str) -> Done:
        """Take a rule out of the files, into the archive; only a person brings it back."""
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

        def plan(pages: Pages) -> Edit:
            _refuse_objections(record.rule.text, pages.rules)
            return self._added(pages, record.rule, record.origin)

        return _unscoped(record, self._put(plan, record.origin, "restored"))

    def approve(self, rule: str, check: Callable[[Sequence[Path]], None] = _no_check) -> Done:
        """Do what a rule that is held back would have done.

        It takes the place of all that it contradicts: never both into the file. `check` is called
        with the files that are to change, before any does, and may raise.
        """
        record = self.get(rule)
        if not record.status.held_back:
            raise UsageError(f"{record.rule.id} does not wait: it is {record.status}")

        def plan(pages: Pages) -> Edit:
            edit = self._approval(pages, record)
            check([self._book.path(name) for name in changed(pages, edit.pages)])
            return edit

        edit, files = self._do(plan)
        if not edit.amends:
            return _unscoped(record, self._taken_in(edit, files, record.origin, "approved"))
        done = self._amended_in(edit, files, self.get(edit.rule.id))
        why = f"it became part of {edit.rule.id}"
        self._history.move(record.rule.id, Status.ARCHIVED, "approved", why)
        return done

    # ---- what is to be done to the files

    def _approval(self, pages: Pages, record: RuleRecord) -> Edit:
        rule, target = record.rule, pages.find(record.proposal.target)
        others = _others(pages, target.id if target else rule.id)
        # As things are now: people may have changed both since it was held back.
        found = {each.rule.id for each in _objections(rule.text, others)}
        replaced = tuple(other for other in others if other.id in found)
        for old in replaced:
            pages = pages.remove(old.id)
        if target:
            edit = self._amended(pages, target, rule.text, rule.paths)
        else:
            edit = self._added(pages, rule, record.origin)
        return replace(edit, instead_of=replaced)

    def _amended(
        self, pages: Pages, rule: Rule, text: RuleText, scope: tuple[str, ...] | None
    ) -> Edit:
        self._refuse_too_long(replace(rule, text=overlaid(text, rule.text)))
        if text != RuleText("", "", ""):
            pages = pages.amend(rule.id, text, self._book.today())
        if scope is not None:
            pages = pages.rescope(rule.id, scope)
        return replace(self._fitted(pages, rule), amends=True)

    def _added(self, pages: Pages, rule: Rule, origin: Origin) -> Edit:
        if pages.find(rule.id):
            raise UsageError(f"{rule.id} stands in the files already")
        self._refuse_too_long(rule)
        return self._fitted(pages.add(rule, provenance(origin)), rule)

    def _fitted(self, pages: Pages, rule: Rule) -> Edit:
        """The files with a rule written into them, without those that make room for it."""
        pages, room = with_room(pages, rule.id, self._standing())
        return Edit(pages, pages.find(rule.id) or rule, leaving=room)

    def _refuse_too_long(self, rule: Rule) -> None:
        standing = self._standing()
        if too_long(rule, standing):
            raise UsageError(
                f"the rule takes {tokens(rule)} tokens, and rules.max_tokens is"
                f" {standing.max_tokens}",
                "say it in fewer words",
            )

    def _standing(self) -> Standing:
        return self._book.standing() or Standing()

    # ---- doing it

    def _do(self, plan: Plan) -> tuple[Edit, tuple[Path, ...]]:
        edits: list[Edit] = []

        def change(pages: Pages) -> Pages:
            edits.append(plan(pages))
            return edits[-1].pages

        files = self._book.edit(change)
        return edits[-1], files

    def _put(self, plan: Plan, origin: Origin, what: str) -> Done:
        return self._taken_in(*self._do(plan), origin, what)

    def _taken_in(self, edit: Edit, files: tuple[Path, ...], origin: Origin, what: str) -> Done:
        self._allow(edit.rule.text)
        known = self._history.find(edit.rule.id)
        status = known.when_back if known else Status.ACTIVE
        self._history.learn(edit.rule, status, origin, what=what)
        return self._told(edit, files)

    def _amended_in(self, edit: Edit, files: tuple[Path, ...], record: RuleRecord) -> Done:
        self._allow(edit.rule.text)
        self._changed(record, edit.rule)
        return self._told(edit, files)

    def _told(self, edit: Edit, files: tuple[Path, ...]) -> Done:
        rule = edit.rule.id
        for old in edit.instead_of:
            self._history.move(old.id, Status.ARCHIVED, "archived", f"{rule} took its place")
        for old in edit.leaving:
            self._history.move(old.id, Status.ARCHIVED, "archived", f"to make room for {rule}")
        return Done(self.get(rule), files, (*edit.instead_of, *edit.leaving))

    def _changed(self, record: RuleRecord, rule: Rule) -> None:
        changed = replace(rewritten(record, rule), mattered=self._history.now())
        self._history.update(changed, "edited", difference(record.rule, rule))

    def _reconsidered(self, record: RuleRecord, rule: Rule) -> RuleRecord:
        """What a rule that waits waits for, with other words."""
        if not record.status.held_back:
            return record
        others = [each for each in self._book.rules() if each.id != record.proposal.target]
        found = preflight(rule.text, others, Standing())
        if found and found.objection is Objection.CONTRADICTION:
            status, reason, against = Status.QUARANTINED, found.words, found.rule.id
        else:
            poison = poison_in(Lesson(Action.ADD, "", rule.text, paths=rule.paths))
            status = Status.QUARANTINED if poison else Status.WAITING
            reason, against = poison or "you changed it; it waits for your approval", ""
        proposal = replace(record.proposal, against=against)
        return replace(record, status=status, reason=reason, proposal=proposal)

    def _allow(self, text: RuleText) -> None:
        """Forget what was turned down, in these words or in others: a person wants it after all."""
        refused = [refusal.text for refusal in self._history.refusals()]
        for number in Shortlist(refused).of(text):
            if says_the_same(text, refused[number]):
                self._history.allow(refused[number])

    def _leave(self, record: RuleRecord, status: Status, what: str) -> Done:
        # First the word that it stays out: whoever is killed after it finds it kept.
        self._history.refuse(record)
        files = self._book.take_out(record.rule.id)
        self._history.move(record.rule.id, status, what, "by a person")
        return Done(self.get(record.rule.id), files)

    def _scope(self, paths: Sequence[str]) -> tuple[str, ...] | None:
        """The scope that a person gave: empty for every file, None where none was given."""
        if not paths:
            return None
        if any(path.strip() in _EVERYTHING for path in paths):
            return ()
        scope = safe_globs(paths)
        for path in paths:
            if path.strip().removeprefix("./") not in scope:
                mend = "name files of the project: --path 'src/**/*.py'"
                raise UsageError(f"{path!r} is no scope", mend)
        if not self._book.scopes:
            mend = "set rules.target: rules-dir for rules that hold for some files alone"
            raise UsageError("a rule here holds for every file", mend)
        return scope


def _given(text: RuleText) -> RuleText:
    """What a person gave, made safe. Raises UsageError for a field that is blank, or too long."""
    for name in ("rule", "when", "why"):
        given = getattr(text, name)
        line = safe_line(given, limit=2 * len(given) + MAX_CHARS)
        if given and not line:
            raise UsageError(f"the {name} is empty", f"give it words, or leave --{name} out")
        if len(line) > MAX_CHARS:
            raise UsageError(
                f"the {name} has {len(line)} characters, and {MAX_CHARS} is the most",
                "say it in fewer words",
            )
    return safe_text(text)


def _unscoped(record: RuleRecord, done: Done) -> Done:
    """Say so where a rule lost its scope on its way into the files."""
    if not record.rule.paths or done.record.rule.paths:
        return done
    lost = f"it holds for every file here, and was for {', '.join(record.rule.paths)}"
    return replace(done, warning=f"{lost}: set rules.target: rules-dir")


def _warning(text: RuleText, paths: Sequence[str]) -> str:
    # As it was given: what is made safe has lost what hides in it.
    found = poison_in(Lesson(Action.ADD, "", text, paths=tuple(paths)))
    return f"{found}; a teacher's rule like that would wait for your word" if found else ""


def _others(pages: Pages, rule: str) -> tuple[Rule, ...]:
    return tuple(other for other in pages.rules if other.id != rule)


def _objections(text: RuleText, rules: Sequence[Rule]) -> Iterator[Found]:
    """All that speaks against a rule beside these."""
    while found := preflight(text, rules, Standing()):
        yield found
        rules = [rule for rule in rules if rule.id != found.rule.id]


def _refuse_objections(text: RuleText, rules: Sequence[Rule]) -> None:
    found = preflight(text, rules, Standing())
    if not found:
        return
    contradicts = found.objection is Objection.CONTRADICTION
    mend = f"orchestrator rules edit {found.rule.id}, or retire it first"
    raise UsageError(found.words, mend if contradicts else "")
