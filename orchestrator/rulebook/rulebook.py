"""The rulebook of a project: the rules in force, safe when several runs write at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final, TypeVar

from orchestrator.errors import RulebookError
from orchestrator.events import Listener, Notice
from orchestrator.models import Rule, RuleChange
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook.agents_md import find_agents_md_above, find_shadowing_file
from orchestrator.rulebook.history import History
from orchestrator.rulebook.history_updates import (
    build_preflight_context,
    list_refused_rules,
    reconcile_history,
    record_outcome,
)
from orchestrator.rulebook.lesson_decision import (
    Outcome,
    apply_lesson,
    list_known_rules,
    render_diff,
)
from orchestrator.rulebook.locking import lock_instruction_files
from orchestrator.rulebook.mirroring import find_shared_ids, merge_mirrors
from orchestrator.rulebook.preflight import PreflightContext
from orchestrator.rulebook.rule_file_set import RuleFileSet, Target, list_changed_files
from orchestrator.rulebook.rule_files import RuleFiles, RuleFilesSnapshot
from orchestrator.rulebook.withdrawal import FileVersions, Withdrawals
from teacher.models import Action, Failure, KnownRule, Lesson

_TRIES: Final = 10

T = TypeVar("T")


def _current_date() -> date:
    return datetime.now().astimezone().date()


@dataclass(frozen=True)
class RulebookPolicy:
    """The history behind a rulebook, and the limits that it is kept in."""

    history: History
    max_rules: int | None = None
    max_tokens: int | None = None
    review: bool = False
    """Whether changes wait for a person."""
    own: bool = True
    """Whether the history is of these very files; if not, of the project that they are a copy
    of."""


class MarkdownRulebook:
    """The rules in force in a project's CLAUDE.md, or where else its rules are to stand.

    Args:
        rule_files: the files; for a folder alone its CLAUDE.md.
        locks: folder for lock files, so that the project gets none.
        today: gives the day that rules are learned on.
        run: id of the run that learns, for the comment of a new rule.
        on_event: hears a `Notice` when a lesson cannot be applied, or puts a file out of force.
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
        self._rule_files = (
            rule_files if isinstance(rule_files, RuleFiles) else RuleFiles(rule_files)
        )
        self._locks, self.today, self._run, self._emit = locks, today, run, on_event
        self._policy = policy

    def known_rules(self) -> Sequence[KnownRule]:
        """List the rules in force, in the order of the files, and then those turned down.

        Raises:
            RulebookError: a file cannot be read as it is.
            InfrastructureError: the disk fails.
        """
        if not self._policy:
            return list_known_rules(self._rule_files.read().file_set)
        with self._lock_and_read() as read:
            file_set = read.file_set
        return (
            *list_known_rules(file_set),
            *list_refused_rules(self._policy.history, file_set.rules),
        )

    def list_rules(self) -> tuple[Rule, ...]:
        """The rules in force; the history follows what people did to the files.

        Raises:
            RulebookError, InfrastructureError: as for `known_rules`.
        """
        with self._lock_and_read() as read:
            return read.file_set.rules

    def list_files(self) -> tuple[str, ...]:
        """The names of the project's files that rules stand in, or would.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return self._rule_files.list_project_names()

    def resolve_path(self, name: str) -> Path:
        """The real path of one file, by the name that it has in `Pages`.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return self._rule_files.resolve_path(name)

    def read_files(self) -> Mapping[Path, bytes]:
        """Read the files that rules stand in, or would, by their real paths.

        Raises:
            RulebookError: as for `known_rules`.
        """
        contents = self._rule_files.read().contents
        return {
            self._rule_files.resolve_path(name): content.data for name, content in contents.items()
        }

    @property
    def can_scope_rules(self) -> bool:
        """Whether a new rule can be for some files alone."""
        return self._rule_files.target is Target.RULES_DIR

    def find_files(self, rule: str) -> tuple[Path, ...]:
        """The files that a rule stands in.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return tuple(
            self._rule_files.root / name
            for name in self._rule_files.read().file_set.find_files(rule)
        )

    def find_rule(self, rule: str) -> Rule | None:
        """The rule with this id, if it is in force.

        Raises:
            RulebookError: as for `known_rules`.
        """
        return self._rule_files.read().file_set.find_rule(rule)

    def preview_change(self, change: Callable[[RuleFileSet], RuleFileSet]) -> str:
        """What a change would do to the files, as a unified diff.

        Raises:
            RulebookError: as for `known_rules`.
        """
        file_set = self._rule_files.read().file_set
        return render_diff(file_set, change(file_set))

    def read_context(self) -> PreflightContext | None:
        """What the history has to say when a rule comes in; nothing without one."""
        kept = self._policy
        if not kept:
            return None
        return build_preflight_context(
            kept.history, kept.max_rules, kept.max_tokens, review=kept.review
        )

    def edit_files(self, change: Callable[[RuleFileSet], RuleFileSet]) -> tuple[Path, ...]:
        """Let a function change the files, under their locks; give those that it changed.

        It may be called again when somebody else writes meanwhile.

        Raises:
            RulebookError, InfrastructureError: as for `apply`.
        """
        with self._lock_and_read() as read:
            above = find_agents_md_above(self._rule_files.root)

            def decide(file_set: RuleFileSet) -> tuple[RuleFileSet, Sequence[str]]:
                after = change(file_set)
                return after, list_changed_files(file_set, after)

            names = self._write_files(read, decide)
        self._report_unloaded(above)
        return tuple(self._rule_files.resolve_path(name) for name in names)

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Take a lesson in; None when it changes nothing.

        Raises:
            RulebookError: a file cannot be read or written as it is; it is as it was.
            InfrastructureError: the disk is full or fails, or a lock is held for too long.
        """
        with self._lock_and_read() as read:
            above = find_agents_md_above(self._rule_files.root)

            def decide(file_set: RuleFileSet) -> tuple[RuleFileSet, Outcome]:
                outcome = apply_lesson(
                    file_set,
                    lesson,
                    failure,
                    today=self.today(),
                    run=self._run,
                    context=self.read_context(),
                )
                return outcome.file_set, outcome

            outcome = self._write_files(read, decide)
            if self._policy:
                kept = self._policy
                record_outcome(kept.history, outcome, lesson, failure, self._run, own=kept.own)
        self._report_outcome(outcome, lesson, above)
        if outcome.rule is None:
            return None
        name = next(iter(outcome.file_set.find_files(outcome.rule.id)), CLAUDE_MD)
        path = self._rule_files.root / name
        return RuleChange(outcome.rule, path, outcome.change, outcome.reason, outcome.leaving)

    def remove_rule(self, rule: str) -> tuple[Path, ...]:
        """Take a rule out of the files, and give those; what is not there is left at that.

        Raises:
            RulebookError, InfrastructureError: as for `apply`.
        """
        return self.edit_files(
            lambda file_set: file_set.remove_rule(rule) if file_set.find_rule(rule) else file_set
        )

    # ---- under the locks

    @contextmanager
    def _lock_and_read(self) -> Iterator[RuleFilesSnapshot]:
        """Hold the locks, and read: as people left the files, with the history following."""
        with lock_instruction_files(self._rule_files.list_lock_paths(), self._locks):
            read = self._rule_files.read()
            found = self._collect_versions(read.file_set)
            if read.file_set.destination.mirror:
                self._write_files(read, lambda file_set: (self._merge_mirrors(file_set), None))
                read = self._rule_files.read()
            if self._policy:
                missing = Withdrawals(self._rule_files.root, found)
                reconcile_history(
                    self._policy.history, read.file_set, missing, own=self._policy.own
                )
            yield read

    def _merge_mirrors(self, file_set: RuleFileSet) -> RuleFileSet:
        agreed = self._policy.history.read_agreed_rules() if self._policy else {}
        return merge_mirrors(file_set, agreed, self.today())

    def _collect_versions(self, file_set: RuleFileSet) -> tuple[FileVersions, ...]:
        """The files as people left them, before anything of ours is written."""
        return tuple(
            FileVersions(
                self._rule_files.resolve_path(name),
                data,
                self._rule_files.read_last_written(name) or b"",
            )
            for name, data in file_set.files.items()
        )

    def _write_files(
        self, read: RuleFilesSnapshot, decide: Callable[[RuleFileSet], tuple[RuleFileSet, T]]
    ) -> T:
        for _ in range(_TRIES):
            file_set, decided = decide(read.file_set)
            if self._rule_files.write(read, file_set):
                self._record_agreed_rules(file_set)
                return decided
            read = self._rule_files.read()
        raise RulebookError(
            f"the rules in {self._rule_files.root} are being written all the time",
            "close what writes them",
        )

    def _record_agreed_rules(self, file_set: RuleFileSet) -> None:
        kept = self._policy
        if kept and kept.own and file_set.destination.mirror:
            both = find_shared_ids(file_set)
            kept.history.record_agreed_rules(
                {rule.id: rule.text for rule in file_set.rules if rule.id in both}
            )

    # ---- what people are told

    def _report_outcome(self, outcome: Outcome, lesson: Lesson, above: Path | None) -> None:
        for left in outcome.leaving:
            self._emit(Notice(f"to the archive, to make room: {left.id}: {left.text.rule}"))
        if outcome.rule is None and lesson.action is not Action.NONE:
            self._emit(Notice(f"no rule written: {outcome.reason}"))
        self._report_unloaded(above)
        root = self._rule_files.root
        filed = outcome.file_set.destination.target if outcome.change == "added" else None
        if filed is Target.AGENTS_MD and (by := find_shadowing_file(root)):
            self._emit(
                Notice(
                    f"Claude Code does not load {root / AGENTS_MD}, because of {by}; "
                    f"a line @{AGENTS_MD} in {root / CLAUDE_MD} brings it back"
                )
            )

    def _report_unloaded(self, above: Path | None) -> None:
        """Tell of an AGENTS.md in a folder above that what was written put out of force."""
        root = self._rule_files.root
        if above and find_agents_md_above(root) is None:
            self._emit(
                Notice(
                    f"Claude Code no longer loads {above} in {root}, now that there is a"
                    f" CLAUDE.md; a CLAUDE.md beside it with the line @{above.name} brings it back"
                )
            )
