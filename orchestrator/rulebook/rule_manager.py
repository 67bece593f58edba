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
from orchestrator.rulebook.document import find_free_id
from orchestrator.rulebook.history import History
from orchestrator.rulebook.lesson_decision import format_provenance, make_room
from orchestrator.rulebook.poison import find_poison
from orchestrator.rulebook.preflight import (
    Objection,
    PreflightContext,
    RuleConflict,
    count_tokens,
    find_conflict,
    is_same_rule,
    is_too_long,
)
from orchestrator.rulebook.records import Origin, RuleEvent, RuleRecord, Status, describe_difference
from orchestrator.rulebook.rule_file_set import RuleFileSet, list_changed_files
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.rulebook.scope import filter_globs
from orchestrator.rulebook.similarity import Shortlist
from orchestrator.rulebook.suggested_checks import replace_rule
from orchestrator.rulebook.text import MAX_CHARS, overlay_text, sanitize_line, sanitize_text
from teacher.models import Action, Lesson, RuleText

_EVERYTHING: Final = frozenset(("*", "**", "**/*"))
"""Globs that say: no scope."""


@dataclass(frozen=True)
class ChangeResult:
    """What became of a rule in a person's hands."""

    record: RuleRecord
    files: tuple[Path, ...] = ()
    """The files that were changed."""
    archived_rules: tuple[Rule, ...] = ()
    """Rules that went to the archive for it."""
    warning: str = ""
    """What a person should know of it."""


@dataclass(frozen=True)
class Edit:
    """The files with what was done to them for a rule."""

    file_set: RuleFileSet
    rule: Rule
    """The rule as it is then."""
    replaced_rules: tuple[Rule, ...] = ()
    """Rules in whose place it comes."""
    leaving: tuple[Rule, ...] = ()
    """Rules that make room for it."""
    amends: bool = False


Plan = Callable[[RuleFileSet], Edit]
"""Decides what is to be done to the files, on what stands in them; it may be asked again."""


def _allow_any_file(_files: Sequence[Path]) -> None:
    """Let any file be changed."""


class RuleManager:
    """The rules of a project in a person's hands.

    Each method raises UsageError when there is no such rule, or it is not in a state for it.
    """

    def __init__(self, book: MarkdownRulebook, history: History) -> None:
        self._book, self._history = book, history
        book.list_rules()  # people may have edited the files

    # ---- looking

    def list_records(self) -> list[RuleRecord]:
        """Every rule that is known."""
        return self._history.list_records()

    def resolve_record(self, rule: str) -> RuleRecord:
        """One rule, by its id or the beginning of it."""
        return self._history.resolve_record(rule)

    def list_events(self, rule: str) -> Sequence[RuleEvent]:
        """What happened to a rule, the oldest first."""
        return self._history.list_events(rule)

    def list_pending(self) -> list[RuleRecord]:
        """The rules that wait for a person."""
        return [record for record in self._history.list_records() if record.status.is_pending]

    def preview_approval(self, record: RuleRecord) -> str:
        """What the approval of a rule that waits would change in the files, exactly.

        Where it cannot be approved as things are, the reason.
        """
        try:
            return self._book.preview_change(
                lambda file_set: self._plan_approval(file_set, record).file_set
            )
        except (UsageError, RulebookError) as error:
            return f"it cannot be approved now: {error}"

    def find_files(self, rule: str) -> Sequence[Path]:
        """The files that a rule stands in."""
        return self._book.find_files(rule)

    # ---- changing

    def add_rule(self, text: RuleText, paths: Sequence[str] = ()) -> ChangeResult:
        """Put a person's own rule in force; it is no duplicate and contradicts nothing."""
        scope, warning = self._resolve_scope(paths) or (), _build_warning(text, paths)
        text, origin = _validate_text(text), Origin(source="by hand")
        if not text.rule:
            raise UsageError("the rule is empty", "say what is to be done or left: --rule TEXT")

        def plan(file_set: RuleFileSet) -> Edit:
            _require_no_conflict(text, file_set.rules)
            taken = self._read_context().find_reserved_ids(text) | file_set.ids
            source = f"Added on {self._book.today()} by hand"
            return self._plan_addition(
                file_set, Rule(find_free_id(text, taken), text, source, scope), origin
            )

        return replace(self._execute_addition(plan, origin, "added by hand"), warning=warning)

    def edit_rule(self, rule: str, text: RuleText, paths: Sequence[str] = ()) -> ChangeResult:
        """Change a rule's text, and its scope if one is given; id and history stay.

        A field that is not given stays as it is.
        """
        record, scope, warning = (
            self.resolve_record(rule),
            self._resolve_scope(paths),
            _build_warning(text, paths),
        )
        given, identity = _validate_text(text), record.rule.id
        if not record.status.is_active:
            text = overlay_text(given, record.rule.text)
            paths = record.rule.paths if scope is None else scope
            changed = replace(record.rule, text=text, paths=tuple(paths))
            self._record_change(self._recheck_pending(record, changed), changed)
            return ChangeResult(self.resolve_record(identity), warning=warning)

        def plan(file_set: RuleFileSet) -> Edit:
            known = file_set.find_rule(identity)
            if known is None:
                raise UsageError(f"{identity} has left the files", "see `orchestrator rules list`")
            new = overlay_text(given, known.text)
            if (new.rule, new.when) != (known.text.rule, known.text.when):
                _require_no_conflict(new, _exclude_rule(file_set, identity))
            return self._plan_amendment(file_set, known, given, scope)

        return replace(self._record_amendment(*self._execute_plan(plan), record), warning=warning)

    def retire_rule(self, rule: str) -> ChangeResult:
        """Take a rule out of the files, into the archive; only a person brings it back."""
        record = self.resolve_record(rule)
        if not record.status.is_active:
            raise UsageError(f"{record.rule.id} is not in force: it is {record.status}")
        return self._withdraw_rule(record, Status.ARCHIVED, "retired")

    def reject_rule(self, rule: str) -> ChangeResult:
        """Turn a rule down for good: it leaves the files, and the teacher is told."""
        record = self.resolve_record(rule)
        if record.status is Status.REJECTED:
            raise UsageError(f"{record.rule.id} was rejected before")
        return self._withdraw_rule(record, Status.REJECTED, "rejected")

    def restore_rule(self, rule: str) -> ChangeResult:
        """Put a rule that left the files back in force."""
        record = self.resolve_record(rule)
        if record.status.is_active or record.status.is_pending:
            raise UsageError(f"{record.rule.id} did not leave: it is {record.status}")

        def plan(file_set: RuleFileSet) -> Edit:
            _require_no_conflict(record.rule.text, file_set.rules)
            return self._plan_addition(file_set, record.rule, record.origin)

        return _warn_lost_scope(record, self._execute_addition(plan, record.origin, "restored"))

    def approve_rule(
        self, rule: str, check: Callable[[Sequence[Path]], None] = _allow_any_file
    ) -> ChangeResult:
        """Do what a rule that is held back would have done.

        It takes the place of all that it contradicts: never both into the file. `check` is called
        with the files that are to change, before any does, and may raise.
        """
        record = self.resolve_record(rule)
        if not record.status.is_pending:
            raise UsageError(f"{record.rule.id} does not wait: it is {record.status}")

        def plan(file_set: RuleFileSet) -> Edit:
            edit = self._plan_approval(file_set, record)
            check(
                [
                    self._book.resolve_path(name)
                    for name in list_changed_files(file_set, edit.file_set)
                ]
            )
            return edit

        edit, files = self._execute_plan(plan)
        if not edit.amends:
            return _warn_lost_scope(
                record, self._record_addition(edit, files, record.origin, "approved")
            )
        done = self._record_amendment(edit, files, self.resolve_record(edit.rule.id))
        why = f"it became part of {edit.rule.id}"
        self._history.change_status(record.rule.id, Status.ARCHIVED, "approved", why)
        return done

    # ---- what is to be done to the files

    def _plan_approval(self, file_set: RuleFileSet, record: RuleRecord) -> Edit:
        rule, target = record.rule, file_set.find_rule(record.proposal.target)
        others = _exclude_rule(file_set, target.id if target else rule.id)
        # As things are now: people may have changed both since it was held back.
        found = {each.rule.id for each in _iter_conflicts(rule.text, others)}
        replaced = tuple(other for other in others if other.id in found)
        for old in replaced:
            file_set = file_set.remove_rule(old.id)
        if target:
            edit = self._plan_amendment(file_set, target, rule.text, rule.paths)
        else:
            edit = self._plan_addition(file_set, rule, record.origin)
        return replace(edit, replaced_rules=replaced)

    def _plan_amendment(
        self, file_set: RuleFileSet, rule: Rule, text: RuleText, scope: tuple[str, ...] | None
    ) -> Edit:
        self._check_length(replace(rule, text=overlay_text(text, rule.text)))
        if text != RuleText("", "", ""):
            file_set = file_set.amend_rule(rule.id, text, self._book.today())
        if scope is not None:
            file_set = file_set.rescope_rule(rule.id, scope)
        return replace(self._fit_budget(file_set, rule), amends=True)

    def _plan_addition(self, file_set: RuleFileSet, rule: Rule, origin: Origin) -> Edit:
        if file_set.find_rule(rule.id):
            raise UsageError(f"{rule.id} stands in the files already")
        self._check_length(rule)
        return self._fit_budget(file_set.add_rule(rule, format_provenance(origin)), rule)

    def _fit_budget(self, file_set: RuleFileSet, rule: Rule) -> Edit:
        """The files with a rule written into them, without those that make room for it."""
        file_set, room = make_room(file_set, rule.id, self._read_context())
        return Edit(file_set, file_set.find_rule(rule.id) or rule, leaving=room)

    def _check_length(self, rule: Rule) -> None:
        context = self._read_context()
        if is_too_long(rule, context):
            raise UsageError(
                f"the rule takes {count_tokens(rule)} tokens, and rules.max_tokens is"
                f" {context.max_tokens}",
                "say it in fewer words",
            )

    def _read_context(self) -> PreflightContext:
        return self._book.read_context() or PreflightContext()

    # ---- doing it

    def _execute_plan(self, plan: Plan) -> tuple[Edit, tuple[Path, ...]]:
        edits: list[Edit] = []

        def change(file_set: RuleFileSet) -> RuleFileSet:
            edits.append(plan(file_set))
            return edits[-1].file_set

        files = self._book.edit_files(change)
        return edits[-1], files

    def _execute_addition(self, plan: Plan, origin: Origin, what: str) -> ChangeResult:
        return self._record_addition(*self._execute_plan(plan), origin, what)

    def _record_addition(
        self, edit: Edit, files: tuple[Path, ...], origin: Origin, what: str
    ) -> ChangeResult:
        self._delete_refusals(edit.rule.text)
        known = self._history.find_record(edit.rule.id)
        status = known.status_when_restored if known else Status.ACTIVE
        self._history.record_rule(edit.rule, status, origin, what=what)
        return self._record_archived_rules(edit, files)

    def _record_amendment(
        self, edit: Edit, files: tuple[Path, ...], record: RuleRecord
    ) -> ChangeResult:
        self._delete_refusals(edit.rule.text)
        self._record_change(record, edit.rule)
        return self._record_archived_rules(edit, files)

    def _record_archived_rules(self, edit: Edit, files: tuple[Path, ...]) -> ChangeResult:
        rule = edit.rule.id
        for old in edit.replaced_rules:
            self._history.change_status(
                old.id, Status.ARCHIVED, "archived", f"{rule} took its place"
            )
        for old in edit.leaving:
            self._history.change_status(
                old.id, Status.ARCHIVED, "archived", f"to make room for {rule}"
            )
        return ChangeResult(self.resolve_record(rule), files, (*edit.replaced_rules, *edit.leaving))

    def _record_change(self, record: RuleRecord, rule: Rule) -> None:
        changed = replace(replace_rule(record, rule), mattered=self._history.now())
        self._history.update_record(changed, "edited", describe_difference(record.rule, rule))

    def _recheck_pending(self, record: RuleRecord, rule: Rule) -> RuleRecord:
        """What a rule that waits waits for, with other words."""
        if not record.status.is_pending:
            return record
        others = [each for each in self._book.list_rules() if each.id != record.proposal.target]
        found = find_conflict(rule.text, others, PreflightContext())
        if found and found.objection is Objection.CONTRADICTION:
            status, reason, against = Status.QUARANTINED, found.message, found.rule.id
        else:
            poison = find_poison(Lesson(Action.ADD, "", rule.text, paths=rule.paths))
            status = Status.QUARANTINED if poison else Status.WAITING
            reason, against = poison or "you changed it; it waits for your approval", ""
        proposal = replace(record.proposal, against=against)
        return replace(record, status=status, reason=reason, proposal=proposal)

    def _delete_refusals(self, text: RuleText) -> None:
        """Forget what was turned down, in these words or in others: a person wants it after all."""
        refused = [refusal.text for refusal in self._history.list_refusals()]
        for number in Shortlist(refused).find_candidates(text):
            if is_same_rule(text, refused[number]):
                self._history.delete_refusal(refused[number])

    def _withdraw_rule(self, record: RuleRecord, status: Status, what: str) -> ChangeResult:
        # First the word that it stays out: whoever is killed after it finds it kept.
        self._history.record_refusal(record)
        files = self._book.remove_rule(record.rule.id)
        self._history.change_status(record.rule.id, status, what, "by a person")
        return ChangeResult(self.resolve_record(record.rule.id), files)

    def _resolve_scope(self, paths: Sequence[str]) -> tuple[str, ...] | None:
        """The scope that a person gave: empty for every file, None where none was given."""
        if not paths:
            return None
        if any(path.strip() in _EVERYTHING for path in paths):
            return ()
        scope = filter_globs(paths)
        for path in paths:
            if path.strip().removeprefix("./") not in scope:
                mend = "name files of the project: --path 'src/**/*.py'"
                raise UsageError(f"{path!r} is no scope", mend)
        if not self._book.can_scope_rules:
            mend = "set rules.target: rules-dir for rules that hold for some files alone"
            raise UsageError("a rule here holds for every file", mend)
        return scope


def _validate_text(text: RuleText) -> RuleText:
    """What a person gave, made safe. Raises UsageError for a field that is blank, or too long."""
    for name in ("rule", "when", "why"):
        given = getattr(text, name)
        line = sanitize_line(given, limit=2 * len(given) + MAX_CHARS)
        if given and not line:
            raise UsageError(f"the {name} is empty", f"give it words, or leave --{name} out")
        if len(line) > MAX_CHARS:
            raise UsageError(
                f"the {name} has {len(line)} characters, and {MAX_CHARS} is the most",
                "say it in fewer words",
            )
    return sanitize_text(text)


def _warn_lost_scope(record: RuleRecord, done: ChangeResult) -> ChangeResult:
    """Say so where a rule lost its scope on its way into the files."""
    if not record.rule.paths or done.record.rule.paths:
        return done
    lost = f"it holds for every file here, and was for {', '.join(record.rule.paths)}"
    return replace(done, warning=f"{lost}: set rules.target: rules-dir")


def _build_warning(text: RuleText, paths: Sequence[str]) -> str:
    # As it was given: what is made safe has lost what hides in it.
    found = find_poison(Lesson(Action.ADD, "", text, paths=tuple(paths)))
    return f"{found}; a teacher's rule like that would wait for your word" if found else ""


def _exclude_rule(file_set: RuleFileSet, rule: str) -> tuple[Rule, ...]:
    return tuple(other for other in file_set.rules if other.id != rule)


def _iter_conflicts(text: RuleText, rules: Sequence[Rule]) -> Iterator[RuleConflict]:
    """All that speaks against a rule beside these."""
    while found := find_conflict(text, rules, PreflightContext()):
        yield found
        rules = [rule for rule in rules if rule.id != found.rule.id]


def _require_no_conflict(text: RuleText, rules: Sequence[Rule]) -> None:
    found = find_conflict(text, rules, PreflightContext())
    if not found:
        return
    contradicts = found.objection is Objection.CONTRADICTION
    mend = f"orchestrator rules edit {found.rule.id}, or retire it first"
    raise UsageError(found.message, mend if contradicts else "")
