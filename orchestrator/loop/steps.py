"""What the loop is made of: the plug points, and one method for each step.

Each step calls its part, tells the listeners, and is remembered by the journal under its name, so
that a run that was cut short goes on after its last finished step.
"""

import json
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from orchestrator import events
from orchestrator.agents.wording import format_one_line
from orchestrator.errors import LoopError
from orchestrator.failures.masked import (
    mask_agent,
    mask_event,
    mask_footprint,
    mask_report,
)
from orchestrator.failures.masked_patch import mask_patch
from orchestrator.guard import Guard, build_disabled_guard
from orchestrator.masking import Masker
from orchestrator.models import (
    AgentLimits,
    AgentOutcome,
    AgentResult,
    Attempt,
    ChangeKind,
    Diff,
    FileChange,
    Findings,
    Judgement,
    RuleChange,
    RunOutcome,
    RunResult,
    Snapshot,
    SuiteReport,
    Task,
    VerdictKind,
)
from orchestrator.models.footprint import Footprint
from orchestrator.platform import files
from orchestrator.platform.orphans import describe_orphans, reap_orphans
from orchestrator.ports import Agent, Journal, Rulebook, Suite, Teacher, Workspace
from orchestrator.teaching.pending import Pending
from orchestrator.teaching.teach import TeachingContext, TeachingResult, teach_failure
from orchestrator.verdict.baseline import Obstacle, find_obstacle
from orchestrator.verdict.experiment import Experiment, Trees
from orchestrator.verdict.relation import Relation
from orchestrator.workspace.bytecode import drop_bytecode
from orchestrator.workspace.pinning import PinnedTree
from orchestrator.workspace.swap import SwapNote, TreeSwap
from teacher.models import Failure

T = TypeVar("T")

_MOST_NAMED: Final = 5
_FOOTPRINT: Final = "footprint.packed"
_LEARNED: Final = (
    *(ChangeKind.ADDED, ChangeKind.AMENDED),
    *(ChangeKind.WAITS_FOR_APPROVAL, ChangeKind.ALREADY_KNOWN),
)
"""Changes of the rulebook after which a rule may be put to the proof. One that is known already may
have been written by this very step, before its process was killed."""
_LARGE_PATCH_MB: Final = 1.0
"""From which on it is said that a patch is looked through."""
_LONG_SUITE_SECONDS: Final = 30.0
"""Seconds from which on it is said what a comparison costs."""


class BlockedError(Exception):
    """The suite cannot judge the project as it stands, so no attempt could be judged."""

    def __init__(self, report: SuiteReport, obstacle: Obstacle) -> None:
        super().__init__(obstacle.text)
        self.report = report
        self.outcome = RunOutcome.MISCONFIGURED if obstacle.configured else RunOutcome.STOPPED


class _UndecidedError(Exception):
    """The experiment says nothing of the attempt; it is made again when the run goes on."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.verdict.text)
        self.judgement = judgement


# ---- the steps -----------------------------------------------------------------------------


@dataclass
class Steps:
    """The steps of one run, with the parts that do the work.

    `folder` takes the run's large files; `emit` hears of everything as it happens. `save` keeps how
    far the run has come; what it raises ends the run. `set_attempt` hears which attempt is in hand,
    0 for none. `pin` keeps the tree that a rule was learned from; of a rule that was known, only if
    none is kept yet. `fresh` tells whether any step
    since it was last set to False was really done, and not just remembered.
    """

    task: Task
    agent: Agent
    suite: Suite
    teacher: Teacher
    workspace: Workspace
    rulebook: Rulebook
    journal: Journal
    folder: Path
    emit: events.Listener
    fresh: bool = False
    guard: Guard = field(default_factory=build_disabled_guard)
    masker: Masker = field(default_factory=Masker)
    pending: Pending | None = None
    swap_note: SwapNote | None = None
    old_failures_must_pass: bool = False
    save: Callable[[RunResult], None] = lambda _run: None
    set_attempt: Callable[[int], None] = lambda _number: None
    pin: Callable[[PinnedTree, bool], None] = lambda _pinned, _known: None
    _started: bool = False
    _footprint: Footprint | None = None
    _stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)
    """Ids of cases that hold a secret, by what is told of them; they are kept nowhere."""

    def __post_init__(self) -> None:
        self.guard.folder, self.guard.task = self.folder / "guard", self.task.text

    def measure_baseline(self) -> SuiteReport:
        """Judge the project as it stands, and record what the verdict rests on.

        Raises:
            BlockedError: no verdict is possible; nothing is remembered.
        """

        def run_agent() -> SuiteReport:
            self.emit(events.StepStarted("running the suite as it stands"))
            report, _ = self.guard.watch_suite(self._run_with_footprint, baseline=True)
            self.emit(events.SuiteFinished(report, baseline=True))
            python = self._footprint.interpreter if self._footprint else ""
            obstacle = find_obstacle(report, self.task.project, python, self.task.text)
            if obstacle:
                raise BlockedError(report, obstacle)
            return report

        report = self._run_step("baseline", run_agent)
        self.guard.record_baseline(report, self._footprint or self._read_footprint())
        self._report_baseline(report)
        return report

    def start_attempt(self, attempt: int, of: int, prompt: str) -> Snapshot:
        """Remember the files as the attempt finds them."""

        def run_agent() -> Snapshot:
            self._started = True
            # Whoever hears of the attempt may look into the rules: the guard is first.
            self.guard.record_attempt(attempt)
            self.emit(events.AttemptStarted(attempt, of, prompt))
            before = self.workspace.take_snapshot()
            self.workspace.remember_modes(before)
            self._stamps = self._read_module_stamps()
            if attempt == 1:
                self._report_unseen()
            return before

        self._started = False
        self.set_attempt(attempt)  # also when another process began it
        return self._run_step(f"attempt {attempt}: before", run_agent)

    def run_agent(
        self, attempt: int, prompt: str, limits: AgentLimits, before: Snapshot
    ) -> AgentResult:
        """Let the agent work on the files as `before` has them."""
        left = self.folder / f"attempt-{attempt}.left"

        def run_agent() -> AgentResult:
            if not self._started:
                self._revert_unfinished(attempt, before, left)
                left.unlink(missing_ok=True)  # from here on it is not true any more
            self.guard.resume_attempt(attempt)
            self.emit(events.StepStarted("the agent works"))
            try:
                with reap_orphans() as orphans:
                    result = self.agent.run(prompt, self.task.project, limits, self._emit_masked)
            except BaseException:
                # Without it, all changes since would count as the agent's, a person's too.
                files.write_file(left, self.workspace.take_snapshot().tree.encode(), durable=True)
                with suppress(LoopError):  # then it is told when the attempt begins again
                    self._report_findings(self.guard.abort_attempt(attempt))
                raise
            result = mask_agent(self.masker, result)
            self.emit(events.AgentFinished(result))
            self._emit_notice(describe_orphans(orphans))
            return result

        return self._run_step(f"attempt {attempt}: agent", run_agent)

    @staticmethod
    def require_work(attempt: Attempt) -> Attempt:
        """Return the attempt as one of an agent that did not work, if it left no trace of any."""
        agent = attempt.agent
        if not (agent.outcome.has_worked and agent.silent) or attempt.diff.changes:
            return attempt
        message = "it ended without a word, and without changing a file"
        return replace(attempt, agent=replace(agent, outcome=AgentOutcome.CRASHED, message=message))

    def snapshot_result(self, attempt: int) -> Snapshot:
        """Remember the files as the agent left them."""

        def run_agent() -> Snapshot:
            # A folder that nobody may list hides its files from git, but not from Python.
            self._report_findings(self.guard.open_folders(attempt))
            return self.workspace.take_snapshot()

        return self._run_step(f"attempt {attempt}: after", run_agent)

    def diff_attempt(self, attempt: int, before: Snapshot, after: Snapshot) -> Diff:
        """Tell what the agent changed."""

        def run_agent() -> Diff:
            diff = self.workspace.diff_snapshots(
                before, after, self.folder / f"attempt-{attempt}.patch"
            )
            diff = replace(diff, redactions=self._mask_patch(diff.patch, before, after))
            with suppress(OSError):  # then Python decides by time and size, as it always does
                drop_bytecode(self.task.project, [change.path for change in diff.changes])
            self.emit(events.DiffTaken(diff))
            return diff

        return self._run_step(f"attempt {attempt}: diff", run_agent)

    def revert_tests(self, attempt: int) -> Findings:
        """Make the tests, and what decides on them, what they were when the attempt began."""

        def run_agent() -> Findings:
            return self._report_findings(self.guard.revert_edits(attempt))

        return self._run_step(f"attempt {attempt}: guard", run_agent)

    def judge_attempt(self, attempt: Attempt, baseline: SuiteReport, origin: Snapshot) -> Attempt:
        """Return the attempt with its verdict, by comparison with the tree at the baseline."""

        def run_agent() -> Judgement:
            judgement = self._build_experiment(attempt, baseline, origin).carry_out()
            self.emit(events.Judged(judgement))
            if judgement.verdict.kind in (VerdictKind.ENVIRONMENT, VerdictKind.VOID):
                raise _UndecidedError(judgement)
            return judgement

        try:
            judgement = self._run_step(f"attempt {attempt.number}: verdict", run_agent)
        except _UndecidedError as error:
            judgement = error.judgement
        found = attempt.findings + judgement.findings
        return replace(attempt, report=judgement.report, verdict=judgement.verdict, findings=found)

    def learn_lesson(self, attempt: int, failure: Failure) -> TeachingResult:
        """Teach a failure; what became of it is remembered step by step.

        Raises:
            TeacherError: the teacher could not be asked; nothing is remembered.
        """
        parts = TeachingContext(
            self.teacher, self.masker, self.emit, self.rulebook, self.pending, self._run_step
        )
        return teach_failure(failure, parts, name=f"attempt {attempt}: ")

    def pin_tree(self, attempt: Attempt, failure: Failure, change: RuleChange | None) -> None:
        """Keep the files that the attempt began with, if a rule was learned from it.

        What keeps them from being kept is reported, and in nobody's way.
        """
        if change is None or change.change not in _LEARNED:
            return
        pinned = PinnedTree(
            rule=change.rule.id,
            run=self.folder.name,
            attempt=attempt.number,
            tree=attempt.before.tree,
            task=self.masker.mask(self.task.text),
            cases=tuple(map(self.masker.mask, failure.cases)),
            project=str(self.task.project),
            at=datetime.now(UTC).isoformat(),
            left_out=tuple(map(self.masker.mask, self.workspace.unseen_paths)),
        )

        def run_agent() -> None:
            try:
                self.pin(pinned, change.change is ChangeKind.ALREADY_KNOWN)
            except LoopError as error:
                self._emit_notice(
                    f"the files that {pinned.rule} was learned from are not kept: {error}"
                )

        self._run_step(f"attempt {attempt.number}: pin", run_agent)

    def close_attempt(self, run: RunResult) -> None:
        """Keep how far the run has come with its last attempt, and report it.

        Raises:
            InfrastructureError: it cannot be kept.
        """
        self.save(run)
        self.emit(events.AttemptFinished(run))
        self.set_attempt(0)

    def revert_attempt(self, attempt: Attempt) -> None:
        """Revert the attempt's edits, except where somebody else edited the file since."""

        def run_agent() -> None:
            self._restore_files(attempt.before, attempt.after)

        self._run_step(f"attempt {attempt.number}: restore", run_agent)

    def _restore_files(self, to: Snapshot, changed_since: Snapshot) -> None:
        # People and other runs may have written rules since, which no snapshot tells from edits.
        for path in self.workspace.restore_files(
            to, changed_since, leave=self.rulebook.list_files()
        ):
            self.emit(events.Notice(f"left as it is, because somebody else changed it: {path}"))

    def _revert_unfinished(self, attempt: int, before: Snapshot, left: Path) -> None:
        """Begin an attempt again that was broken off; what is taken back is kept, and told."""
        now = self.workspace.take_snapshot()
        # A killed process left no word of where it stopped; then all changes count as its own.
        killed = not left.exists()
        stopped_at = now if killed else Snapshot(left.read_text(encoding="ascii"))
        patch = self.folder / f"attempt-{attempt}.broken-off-{now.tree[:12]}.patch"
        self.workspace.diff_snapshots(before, now, patch)
        self._mask_patch(patch, before, now)
        self._restore_files(before, stopped_at)
        if self.workspace.take_snapshot() == now:
            patch.unlink()
            return
        whose = (
            "everything that changed since it began was taken back, edits of yours too, because "
            "its process was killed and left no word of where it stopped"
            if killed
            else "what it had changed was taken back"
        )
        self.emit(events.Notice(f"attempt {attempt} begins again: {whose}"))
        self.emit(events.Notice(f"  as a patch, without secrets: {patch}"))
        self.emit(
            events.Notice(f"  a file as it was: {self.workspace.restore_command(now)} > PATH")
        )

    def _mask_patch(self, patch: Path, before: Snapshot, after: Snapshot) -> int:
        """Take the secrets out of a patch; return how many. Of a giant one a part is kept."""
        size = patch.stat().st_size / 1e6
        if size >= _LARGE_PATCH_MB:
            self.emit(events.StepStarted(f"looking for secrets in a patch of {size:.1f} MB"))
        command = self.workspace.diff_command(before, after)
        masked = mask_patch(self.masker, patch, command)
        if masked.retained_bytes is not None:
            kept = masked.retained_bytes / 1e6
            self._emit_notice(
                f"{kept:.1f} MB of the patch's {size:.1f} MB are kept, without the middle of its "
                f"largest files; all of it: {command}"
            )
        return masked.redactions

    def _report_unseen(self) -> None:
        unseen = self.workspace.unseen_paths
        if not unseen:
            return
        more = f" and {len(unseen) - _MOST_NAMED} more" if len(unseen) > _MOST_NAMED else ""
        named = ", ".join(format_one_line(path) for path in unseen[:_MOST_NAMED])
        self.emit(
            events.Notice(
                "repositories inside and what cannot be read are in no diff, and edits there are "
                f"not taken back: {named}{more}"
            )
        )

    def _report_findings(self, findings: Findings) -> Findings:
        if findings.found:
            self.emit(events.Tampered(findings.found))
        return findings

    # ---- the suite -------------------------------------------------------------------------

    def _run_with_footprint(self) -> SuiteReport:
        with reap_orphans():
            report, self._footprint = self.suite.run_with_footprint(self.task.project, self.emit)
        if self._footprint:
            self._footprint = mask_footprint(self.masker, self._footprint)
            text = json.dumps(self._footprint.as_json())
            files.write_file(self.folder / _FOOTPRINT, zlib.compress(text.encode("ascii")))
        return self._mask_report(report)

    def _run_suite(self, select: Sequence[str] | None) -> SuiteReport:
        listen = self.emit if select is None else _ignore_event
        with reap_orphans():
            report = self.suite.run(self.task.project, self._unmask_ids(select), listen)
        return self._mask_report(report)

    def _mask_report(self, report: SuiteReport) -> SuiteReport:
        masked = mask_report(self.masker, report)
        pairs = zip(masked.cases, report.cases, strict=True)
        self._ids.update((ours.id, case.id) for ours, case in pairs if ours.id != case.id)
        return masked

    def _unmask_ids(self, select: Sequence[str] | None) -> Sequence[str] | None:
        """Return the suite's own ids of cases: it knows no masked ones."""
        return select and [self._ids.get(each, each) for each in select]

    def _read_footprint(self) -> Footprint | None:
        """Return what an earlier process recorded at the baseline."""
        try:
            text = zlib.decompress((self.folder / _FOOTPRINT).read_bytes())
            self._footprint = Footprint.from_json(json.loads(text))
        except FileNotFoundError:
            return None
        return self._footprint

    def _build_experiment(
        self, attempt: Attempt, baseline: SuiteReport, origin: Snapshot
    ) -> Experiment:
        leave = {*self.rulebook.list_files(), *self.guard.suite_output}
        after, changes = self._diff_since_origin(origin, attempt)
        kept = [change for change in changes if change.path not in leave]
        swap = TreeSwap(
            self.workspace, self.swap_note or SwapNote(self.folder / "swap.json"), self.folder
        )

        def versions(path: str) -> tuple[str, str]:
            old, new = (self.workspace.read_file(tree, path) or b"" for tree in (origin, after))
            return old.decode("utf-8", "replace"), new.decode("utf-8", "replace")

        reach = self._footprint.reach if self._footprint else {}
        relation = Relation(
            self.task.text,
            self.task.project,
            kept,
            reach,
            self.old_failures_must_pass,
            versions,
        )
        trees = Trees(swap, origin, after, kept, leave)
        return Experiment(
            self.task,
            attempt,
            baseline,
            trees,
            self._run_suite,
            self.guard,
            relation,
            self.emit,
            self._list_unseen_changes(relation),
        )

    def _diff_since_origin(
        self, origin: Snapshot, attempt: Attempt
    ) -> tuple[Snapshot, Sequence[FileChange]]:
        """Return the tree after, with the tests reverted, and how it differs from the origin."""
        if origin == attempt.before and not attempt.findings:  # nothing was reverted
            return attempt.after, attempt.diff.changes
        after = self.workspace.take_snapshot()
        patch = self.folder / f"attempt-{attempt.number}.compared.patch"
        changes = self.workspace.diff_snapshots(origin, after, patch).changes
        patch.unlink(missing_ok=True)
        return after, changes

    def _read_module_stamps(self) -> dict[str, tuple[int, int]]:
        """Return size and time of each imported module of the project's repository.

        What lies elsewhere is the environment's.
        """
        found = {}
        top = files.find_git_top(self.task.project.resolve())
        modules = self._footprint.modules if self._footprint else ()
        for path in (each.file for each in modules if Path(each.file).is_relative_to(top)):
            with suppress(OSError):
                at = Path(path).lstat()
                found[path] = (at.st_size, at.st_mtime_ns)
        return found

    def _list_unseen_changes(self, relation: Relation) -> list[str]:
        """Return what changed since the attempt began, and stands in no snapshot."""
        seen = {str(self.task.project / path) for path in relation.changed}
        now = self._read_module_stamps()
        changed = (path for path, at in self._stamps.items() if now.get(path) != at)
        guarded = {str(self.task.project / each.path) for each in self.guard.list_guarded_files()}
        return [path for path in changed if path not in seen | guarded]

    def _report_baseline(self, report: SuiteReport) -> None:
        """Say what is guarded, what green will mean, and what a comparison costs."""
        guarded = tuple((each.path, each.why) for each in self.guard.list_guarded_files())
        self.emit(events.FilesGuarded(guarded))
        if report.has_passed:
            self._emit_notice(
                "the tests are green already: green will only mean that nothing broke"
            )
        if report.seconds >= _LONG_SUITE_SECONDS:
            minutes = 3 * report.seconds / 60
            self._emit_notice(
                f"the suite takes {report.seconds:.0f} s: an attempt whose tests fail costs up to "
                f"3 more runs of it, about {minutes:.0f} min"
            )

    def _emit_masked(self, event: events.Event) -> None:
        self.emit(mask_event(self.masker, event))

    def _emit_notice(self, text: str) -> None:
        if text:
            self.emit(events.Notice(text))

    def _run_step(self, name: str, function: Callable[[], T]) -> T:
        def run_agent() -> T:
            self.fresh = True
            return function()

        return self.journal.step(name, run_agent)


def _ignore_event(_event: events.Event) -> None:
    """Take an event of a run that nobody watches."""
