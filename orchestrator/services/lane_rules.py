"""Bring what runs learned in lanes to the list's branch: the one writer of rules.

refs/orchestrator/taught/<run>    the commit after a failure of the merge queue was taught
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.events import Listener, Notice
from orchestrator.failures.log_excerpt import shorten_to_line
from orchestrator.models import Approval
from orchestrator.rulebook.history import History
from orchestrator.rulebook.history_updates import build_preflight_context
from orchestrator.rulebook.records import Origin, Proposal, RuleEventKind, Status
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.services.conflict_teaching import ConflictTeacher, TaughtLesson
from orchestrator.services.judge_tree import JudgeTree
from orchestrator.services.rulebooks import resolve_book
from orchestrator.storage.runs import Store
from orchestrator.tasks.learned_rules import MergedRule, MergeKind, RuleMerge, merge_into_tip
from orchestrator.tasks.models import CombinedVerdict, TaskEnd, TaskRecord
from orchestrator.tasks.rule_blobs import RuleBlobs, is_rule_path, read_rule_blobs

RULES_TRAILER: Final = "Rules-From"
TAUGHT_REFS: Final = "refs/orchestrator/taught/"

_FIELD: Final = re.compile(r"\b(failure|source|run|model) ([\w.:/+=-]+)")


def _current_date() -> date:
    return datetime.now().astimezone().date()


@dataclass(frozen=True)
class LaneRuleWriter:
    """The writer of one list, see `RuleWriter` of `tasks.ports`.

    It makes commits; the caller moves the tip. Called again after a kill, it makes the same ones.

    Args:
        tree: the work tree of the list in which no agent works.
        store: the runs, and the database with the rulebook's history.
        listener: receives notices.
        name_run: returns the title of the task of a run.
        today: returns the day that rules are changed on.
    """

    tree: JudgeTree
    store: Store
    listener: Listener
    name_run: Callable[[str], str] = str
    today: Callable[[], date] = _current_date

    def write_rules(self, end: TaskEnd, base: str, tip: str, run: str) -> str:
        """Return a commit with the rules that a run learned, or the tip itself.

        A rule that says what another says is counted there; one that contradicts waits for a
        person. What cannot be merged is reported, and stays in the run's own commit.

        Args:
            end: what the run left; also of one that was not solved.
            base: the commit that the run started from.
            tip: the commit to write on.
            run: the run's id.

        Raises:
            InfrastructureError: git or the database failed.
        """
        if not end.learned or Target(self.tree.config.rules.target) is Target.USER:
            return tip  # the user's own file was written by the run itself
        if not self._changes_rules(base, end.learned) or self._is_written(base, tip, run):
            return tip
        title = self._clean(self.name_run(run))
        try:
            return self._merge(base, end.learned, tip, f"Rules learned by {title}", run)
        except RulebookError as error:
            kept = f"they are in the commit {end.learned[:12]} of the list's repository"
            self.listener(Notice(f"the rules learned by {title} are not written: {error}; {kept}"))
            return tip

    def teach_conflict(self, record: TaskRecord, verdict: CombinedVerdict, tip: str) -> str:
        """Teach that a work was green alone and red together, once for each run.

        Without a teacher, the failure waits for `orchestrator teach --pending`.

        Args:
            record: the task, with its run, base and work.
            verdict: what the suite said about it together with the tip.
            tip: the commit that it was merged onto.

        Returns:
            A commit with what was learned, or the tip itself.

        Raises:
            InfrastructureError: git or the database failed.
        """
        repository, ref = self.tree.repository, f"{TAUGHT_REFS}{record.run}"
        taught = repository.read_ref(ref)
        teacher = ConflictTeacher(self.tree, self.store, self.listener)
        if taught:
            teacher.forget_taught(record, verdict, tip)
        else:
            with teacher.teach(record, verdict, tip) as lesson:
                taught = self._commit_lesson(lesson, record, tip)
                repository.set_ref(ref, taught)
        return self._bring_to_tip(taught, record, tip)

    # ---- merging

    def _merge(self, base: str, learned: str, tip: str, subject: str, run: str) -> str:
        on_tip = self._read(tip)
        merge = merge_into_tip(
            on_tip.file_set,
            self._read(base).file_set,
            self._read(learned).file_set,
            build_preflight_context(
                self._history,
                self.tree.config.rules.max_rules,
                self.tree.config.rules.max_tokens,
                approval=Approval(self.tree.config.learning.approval),
            ),
            self.today(),
        )
        self._record(merge, subject)
        files = {
            on_tip.locate(name, self.tree.repository.prefix): data
            for name, data in merge.changed.items()
        }
        if not files:
            return tip
        message = f"{subject}\n\n{RULES_TRAILER}: {run}\n"
        return self.tree.repository.replace_files(tip, files, message)

    def _read(self, commit: str) -> RuleBlobs:
        repository, rules = self.tree.repository, self.tree.config.rules
        return read_rule_blobs(repository, commit, Target(rules.target), mirror=rules.mirror)

    def _changes_rules(self, base: str, learned: str) -> bool:
        """Return whether a run changed a file that may be one of rules, links included."""
        changed = set(self.tree.repository.list_changes(base, learned))
        prefix = self.tree.repository.prefix
        if any(is_rule_path(path, prefix) for path in changed):
            return True
        return any(
            path in changed
            for commit in (base, learned)
            for path in self._read(commit).paths.values()
        )

    def _is_written(self, base: str, tip: str, run: str) -> bool:
        line = f"{RULES_TRAILER}: {run}"
        commits = self.tree.repository.list_commits(base, tip)
        return any(line in message.splitlines() for _, message in commits)

    # ---- the history

    @property
    def _history(self) -> History:
        return History(self.store.database, resolve_book(self.tree.config, self.tree.project))

    def _record(self, merge: RuleMerge, subject: str) -> None:
        """Record what is not in the files: rules that wait, and why others were not written.

        Called again after a kill, it changes nothing: a rule that waits is no longer held back.
        """
        history = self._history
        for merged in merge.merged:
            if merged.kind is MergeKind.HELD:
                self._record_held(history, merged, subject)
            elif merged.learned_id and merged.kind in (MergeKind.REINFORCED, MergeKind.DROPPED):
                self._record_known(history, merged)

    def _record_held(self, history: History, merged: MergedRule, subject: str) -> None:
        rule, known = merged.rule, history.find_record(merged.rule.id)
        if known and (known.status.is_active or known.status is Status.REJECTED):
            history.record_event(rule.id, RuleEventKind.CONTRADICTION, merged.reason)
        else:
            contradicts = bool(merged.against)
            history.record_rule(
                rule,
                Status.QUARANTINED if contradicts else Status.WAITING,
                Origin(**dict(_FIELD.findall(merged.provenance))),
                what=RuleEventKind.CONTRADICTION
                if contradicts
                else RuleEventKind.WAITS_FOR_APPROVAL,
                reason=merged.reason,
                proposal=Proposal(merged.target, merged.against),
            )
        shown = shorten_to_line(rule.text.rule, 120)
        self.listener(
            Notice(
                f"{subject}: {shown}: waits for you, because {merged.reason}: "
                f"`orchestrator rules approve {rule.id}` or `orchestrator rules reject {rule.id}`"
            )
        )

    def _record_known(self, history: History, merged: MergedRule) -> None:
        record = history.find_record(merged.learned_id)
        reason = merged.reason or f"{merged.rule.id} says that already"
        if record and record.status is Status.ARCHIVED and record.reason != reason:
            kind = RuleEventKind.ALREADY_KNOWN_ON_BRANCH
            history.change_status(record.rule.id, Status.ARCHIVED, kind, reason)

    # ---- teaching

    def _commit_lesson(self, lesson: TaughtLesson, record: TaskRecord, tip: str) -> str:
        if not lesson.files:
            return tip
        title = self._clean(record.item.title)
        message = (
            f"Rule learned from a conflict of {title}\n\n{RULES_TRAILER}: {record.run}/queue\n"
        )
        return self.tree.repository.replace_files(tip, lesson.files, message)

    def _bring_to_tip(self, taught: str, record: TaskRecord, tip: str) -> str:
        """Return the tip with what was taught, also if the tip has moved since."""
        run = f"{record.run}/queue"
        commits = self.tree.repository.list_commits(record.base, taught)
        own = [message for commit, message in commits if commit == taught]
        line = f"{RULES_TRAILER}: {run}"
        if not own or line not in own[0].splitlines() or self._is_written(record.base, tip, run):
            return tip
        parent = self.tree.repository.resolve(f"{taught}^")
        if parent == tip:
            return taught
        return self._merge(parent, taught, tip, own[0].splitlines()[0], run)

    def _clean(self, text: str) -> str:
        return shorten_to_line(self.tree.masker.mask(text), 60)
