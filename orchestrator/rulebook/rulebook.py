"""The rulebook of a project: its active rules, safe when several runs write at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final, TypeVar

from orchestrator.errors import RulebookError
from orchestrator.events import Listener, Notice
from orchestrator.models import Approval, ChangeKind, Rule, RuleChange
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook.agents_md import find_agents_md_above, find_shadowing_file
from orchestrator.rulebook.file_differences import list_changed_files, render_diff
from orchestrator.rulebook.history import History
from orchestrator.rulebook.history_updates import (
    build_preflight_context,
    find_withdrawals,
    reconcile_history,
    record_outcome,
)
from orchestrator.rulebook.known_rules import list_known_rules, list_refused_rules
from orchestrator.rulebook.lesson_decision import decide_lesson
from orchestrator.rulebook.lesson_editing import Outcome, apply_decision
from orchestrator.rulebook.mirroring import find_shared_ids, merge_mirrors
from orchestrator.rulebook.preflight import PreflightContext
from orchestrator.rulebook.rule_file_set import RuleFileSet, Target
from orchestrator.rulebook.rule_files import RuleFiles, RuleFilesSnapshot
from teacher.models import Action, Failure, KnownRule, Lesson

_MAX_ATTEMPTS: Final = 10
"""Attempts to write while an editor, which takes no locks, keeps saving the same files."""

T = TypeVar("T")


def _current_date() -> date:
    return datetime.now().astimezone().date()


@dataclass(frozen=True)
class RulebookPolicy:
    """The history behind a rulebook, and the limits of the rulebook."""

    history: History
    max_rules: int | None = None
    max_tokens: int | None = None
    approval: Approval = Approval.AUTO
    own: bool = True
    """Whether the history is of these very files; if not, of the project that they are a copy
    of."""


class MarkdownRulebook:
    """The active rules in a project's CLAUDE.md, or in the other files that it is set to use.

    Args:
        rule_files: the files; for a folder alone its CLAUDE.md.
        locks: folder for lock files, so that the project gets none.
        today: returns the day that rules are learned on.
        run: id of the run that learns, for the comment of a new rule.
        on_event: receives a `Notice` when a lesson cannot be applied, or when a file is no longer
            loaded because of one.
        policy: the history behind it; without one, every lesson goes into the file.
    """

    def __init__(
        self,
        rule_files: RuleFiles | Path,
        locks: Path,
        *,
        today: Callable[[], date] = _current_date,
        run: str = "",
        on_event: Listener = lambda _event: None,
        policy: RulebookPolicy | None = None,
    ) -> None:
        if isinstance(rule_files, Path):
            rule_files = RuleFiles(rule_files)
        self._rule_files = rule_files
        self._locks, self.today, self._run, self._emit = locks, today, run, on_event
        self._policy = policy

    # ---- reading

    def known_rules(self) -> Sequence[KnownRule]:
        """Return the active rules in the order of the files, then those that were rejected.

        Raises:
            RulebookError: a file cannot be read as it is.
            InfrastructureError: the disk fails.
        """
        if not self._policy:
            return list_known_rules(self._rule_files.read().file_set)
        with self._open_files() as snapshot:
            known = snapshot.file_set
        return (
            *list_known_rules(known),
            *list_refused_rules(self._policy.history, known.all_rules),
        )

    def list_rules(self) -> tuple[Rule, ...]:
        """Return the active rules, after recording what people did to the files.

        Raises:
            RulebookError, InfrastructureError: as for `known_rules`.
        """
        with self._open_files() as snapshot:
            return snapshot.file_set.rules

    def list_hand_written(self) -> tuple[Rule, ...]:
        """Return the rules that people wrote into the files, and that nobody adopted.

        Raises:
            RulebookError, InfrastructureError: as for `known_rules`.
        """
        return self._rule_files.read().file_set.hand_written

    def list_files(self) -> tuple[str, ...]:
        """Return the names of the project's files that contain rules, or would.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return self._rule_files.list_project_names()

    def resolve_path(self, name: str) -> Path:
        """Return the real path of one file, by its name in a `RuleFileSet`.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return self._rule_files.resolve_path(name)

    def read_files(self) -> Mapping[Path, bytes]:
        """Return the content of the files that contain rules, or would, by their real paths.

        Raises:
            RulebookError: as for `known_rules`.
        """
        snapshot = self._rule_files.read()
        return {path: snapshot.contents[name].data for name, path in snapshot.paths.items()}

    @property
    def can_scope_rules(self) -> bool:
        """Whether a new rule can be limited to some files."""
        return self._rule_files.target is Target.RULES_DIR

    def find_files(self, rule: str) -> tuple[Path, ...]:
        """Return the files that contain a rule.

        Raises:
            RulebookError: as for `known_rules`.
        """
        known = self._rule_files.read().file_set
        names = known.find_files(rule) or known.list_files_with_hand_written(rule)
        return tuple(self._rule_files.root / name for name in names)

    def find_rule(self, rule: str) -> Rule | None:
        """Return the active rule with this id.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return self._rule_files.read().file_set.find_rule(rule)

    def preview_change(self, change: Callable[[RuleFileSet], RuleFileSet]) -> str:
        """Return what a change would do to the files, as a unified diff.

        Raises:
            RulebookError: as for `known_rules`.
        """
        file_set = self._rule_files.read().file_set
        return render_diff(file_set, change(file_set))

    def require_writable(self) -> None:
        """Check that new rules can be written, before anything is paid for them.

        Raises:
            RulebookError, InfrastructureError: as for `apply`.
        """
        self._rule_files.require_writable()

    def read_context(self) -> PreflightContext | None:
        """Return what the history knows about new rules; None without a history."""
        policy = self._policy
        if not policy:
            return None
        return build_preflight_context(
            policy.history, policy.max_rules, policy.max_tokens, approval=policy.approval
        )

    # ---- changing

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Apply a lesson; return None when it changes nothing.

        Raises:
            RulebookError: a file cannot be read or written as it is; it is unchanged.
            InfrastructureError: the disk is full or fails, or a lock is held for too long.
        """
        with self._open_files() as snapshot:
            context = self.read_context()

            def change(file_set: RuleFileSet) -> tuple[RuleFileSet, Outcome]:
                decision = decide_lesson(
                    file_set,
                    lesson,
                    failure,
                    today=self.today(),
                    run=self._run,
                    context=context,
                )
                outcome = apply_decision(file_set, decision)
                return outcome.file_set, outcome

            outcome = self._change_files(snapshot, change)
            if policy := self._policy:
                record_outcome(policy.history, outcome, lesson, failure, self._run, own=policy.own)
        self._report_outcome(outcome, lesson, snapshot.agents_md_above)
        if outcome.rule is None or outcome.change is None:
            return None
        path = self._rule_files.root / next(iter(outcome.file_names), CLAUDE_MD)
        return RuleChange(outcome.rule, path, outcome.change, outcome.reason, outcome.leaving)

    def edit_files(self, change: Callable[[RuleFileSet], RuleFileSet]) -> tuple[Path, ...]:
        """Change the files by a function, under their locks; return those that were changed.

        The function is called again when somebody else has written in the meantime.

        Raises:
            RulebookError, InfrastructureError: as for `apply`.
        """

        def change_and_list(file_set: RuleFileSet) -> tuple[RuleFileSet, Sequence[str]]:
            after = change(file_set)
            return after, list_changed_files(file_set, after)

        with self._open_files() as snapshot:
            names = self._change_files(snapshot, change_and_list)
        self._report_unloaded(snapshot.agents_md_above)
        return tuple(self._rule_files.resolve_path(name) for name in names)

    def remove_rule(self, rule: str) -> tuple[Path, ...]:
        """Remove a rule from the files, and return those that were changed.

        Raises:
            RulebookError, InfrastructureError: as for `apply`.
        """
        return self.edit_files(
            lambda file_set: file_set.remove_rule(rule) if file_set.find_rule(rule) else file_set
        )

    # ---- under the locks

    @contextmanager
    def _open_files(self) -> Iterator[RuleFilesSnapshot]:
        """Lock and read the files, and record in the history what people did to them."""
        with self._rule_files.lock_and_read(self._locks) as found:
            # The files as people left them: after a merge of mirrors they are no evidence.
            withdrawn = find_withdrawals(self._rule_files.root, found)
            mirror = found.file_set.destination.mirror
            snapshot = self._merge_mirrors(found) if mirror else found
            if policy := self._policy:
                reconcile_history(policy.history, snapshot.file_set, withdrawn, own=policy.own)
            yield snapshot

    def _merge_mirrors(self, snapshot: RuleFilesSnapshot) -> RuleFilesSnapshot:
        agreed = self._policy.history.read_agreed_rules() if self._policy else {}

        def merge(file_set: RuleFileSet) -> tuple[RuleFileSet, bool]:
            merged = merge_mirrors(file_set, agreed, self.today())
            return merged, merged != file_set

        is_changed = self._change_files(snapshot, merge)
        return self._rule_files.read() if is_changed else snapshot

    def _change_files(
        self,
        snapshot: RuleFilesSnapshot,
        change: Callable[[RuleFileSet], tuple[RuleFileSet, T]],
    ) -> T:
        """Write what a function makes of the files; return what else it returned."""
        for _ in range(_MAX_ATTEMPTS):
            file_set, result = change(snapshot.file_set)
            if self._rule_files.write(snapshot, file_set):
                self._record_agreed_rules(file_set)
                return result
            # An editor that takes no locks has saved a file: decide again on what is there now.
            snapshot = self._rule_files.read()
        raise RulebookError(
            f"another program keeps writing the rules in {self._rule_files.root}",
            "close the program that writes them",
        )

    def _record_agreed_rules(self, file_set: RuleFileSet) -> None:
        policy = self._policy
        if policy and policy.own and file_set.destination.mirror:
            shared = find_shared_ids(file_set)
            policy.history.record_agreed_rules(
                {rule.id: rule.text for rule in file_set.rules if rule.id in shared}
            )

    # ---- notices

    def _report_outcome(self, outcome: Outcome, lesson: Lesson, above: Path | None) -> None:
        for left in outcome.leaving:
            self._emit(Notice(f"archived to make room: {left.id}: {left.text.rule}"))
        if outcome.rule is None and lesson.action is not Action.NONE:
            self._emit(Notice(f"no rule written: {outcome.reason}"))
        self._report_unloaded(above)
        root, added = self._rule_files.root, outcome.change is ChangeKind.ADDED
        target = outcome.file_set.destination.target
        if added and target is Target.AGENTS_MD and (by := find_shadowing_file(root)):
            self._emit(
                Notice(
                    f"Claude Code does not load {root / AGENTS_MD}, because of {by}; "
                    f"add the line @{AGENTS_MD} to {root / CLAUDE_MD} to load it"
                )
            )

    def _report_unloaded(self, above: Path | None) -> None:
        """Report an AGENTS.md of a folder above that is no longer loaded after this change."""
        root = self._rule_files.root
        if above and find_agents_md_above(root) is None:
            self._emit(
                Notice(
                    f"Claude Code no longer loads {above} in {root}, now that there is a"
                    f" CLAUDE.md; add a CLAUDE.md beside it with the line @{above.name} to load it"
                )
            )
