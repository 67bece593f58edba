"""The steps of one run: one method for each.

Each step calls the component that does the work, and reports to the listener. The journal stores
its result under the step's name, so that an interrupted run continues after its last finished step.
A renamed step would be executed again when a run of an older version is resumed.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from orchestrator import events
from orchestrator.errors import LoopError
from orchestrator.failures.record_masking import create_agent_listener, mask_agent, mask_findings
from orchestrator.guard import Guard, build_disabled_guard
from orchestrator.loop.counting_journal import CountingJournal
from orchestrator.loop.experiments import ExperimentBuilder, read_module_stamps
from orchestrator.loop.masked_suite import MaskedSuite
from orchestrator.loop.notices import describe_baseline, describe_goal, describe_unseen_paths
from orchestrator.loop.patches import PatchWriter
from orchestrator.loop.pins import describe_tree, is_known, is_learned
from orchestrator.loop.reverts import EditReverter
from orchestrator.loop.values import AttemptStart, Baseline, BlockedError, ModuleStamps
from orchestrator.masking import Masker
from orchestrator.models import (
    AgentLimits,
    AgentResult,
    Attempt,
    Diff,
    Findings,
    Judgement,
    RuleChange,
    RunResult,
    Snapshot,
    SuiteReport,
    Task,
    VerdictKind,
)
from orchestrator.platform.orphans import describe_orphans, reap_orphans
from orchestrator.ports import Agent, Journal, Reviewer, Rulebook, Suite, Teacher, Workspace
from orchestrator.teaching.pending import Pending
from orchestrator.teaching.teach import TeachingContext, TeachingResult, teach_failure
from orchestrator.verdict.suite_obstacle import find_obstacle
from orchestrator.workspace.bytecode import drop_bytecode
from orchestrator.workspace.pinning import PinnedTree
from orchestrator.workspace.swap import SwapNote
from teacher.models import Failure


class _UndecidedError(Exception):
    """The experiment was inconclusive; it is repeated when the run is resumed.

    Raised inside the step, because the journal stores every result that a step returns.
    """

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.verdict.text)
        self.judgement = judgement


@dataclass(frozen=True)
class Steps:
    """The steps of one run, and the components that carry them out.

    Args:
        task: what the agent is asked to do.
        agent: works on the prompt.
        suite: runs the project's tests.
        teacher: turns a failure into a lesson.
        workspace: takes snapshots of the project's files.
        rulebook: holds the active rules.
        journal: stores the results of finished steps.
        folder: the folder for the run's large files.
        emit: receives the events.
        guard: protects what the verdict depends on; it is the first reviewer of each attempt.
        reviewers: review each attempt after the guard.
        masker: removes secrets from everything that is stored or sent.
        pending: stores failures until the teacher has answered and the rule is written.
        swap_note: records a swap of trees, so that it is reverted if the process is killed.
        old_failures_must_pass: whether the attempt must also fix the failures of the baseline.
        save: stores the run so far; an exception that it raises ends the run.
        set_attempt: receives the number of the current attempt, 0 for none.
        pin: stores the tree that a rule was learned from. If the second argument is true, the rule
            was already known, and the tree is stored only if none is stored for it yet.
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
    guard: Guard = field(default_factory=build_disabled_guard)
    reviewers: Sequence[Reviewer] = ()
    masker: Masker = field(default_factory=Masker)
    pending: Pending | None = None
    swap_note: SwapNote | None = None
    old_failures_must_pass: bool = False
    save: Callable[[RunResult], None] = lambda _run: None
    set_attempt: Callable[[int], None] = lambda _number: None
    pin: Callable[[PinnedTree, bool], None] = lambda _pinned, _known: None

    @property
    def step_count(self) -> int:
        """The number of steps that this process executed; the others were read from the journal."""
        return self._journal.step_count

    # ---- the steps, in order ---------------------------------------------------------------

    def measure_baseline(self) -> Baseline:
        """Run the suite on the unchanged project, and record what the verdict depends on.

        Raises:
            BlockedError: no verdict is possible; the journal stores no result.
        """

        def run_suite() -> SuiteReport:
            self.emit(events.StepStarted("running the suite on the unchanged project"))
            report, _ = self.guard.watch_suite(self._suite.run_baseline, baseline=True)
            footprint = self._suite.read_footprint()
            python = footprint.interpreter if footprint else ""
            obstacle = find_obstacle(report, self.task.project, python, self.task.text)
            goal = "" if obstacle else describe_goal(report, self.old_failures_must_pass)
            self.emit(events.SuiteFinished(report, baseline=True, goal=goal))
            if obstacle:
                raise BlockedError(report, obstacle)
            return report

        baseline = Baseline(self._journal.step("baseline", run_suite), self._suite.read_footprint())
        self.guard.record_baseline(baseline.report, baseline.footprint)
        guarded = tuple((each.path, each.why) for each in self.guard.list_guarded_files())
        self.emit(events.FilesGuarded(guarded))
        for text in describe_baseline(baseline.report):
            self._emit_notice(text)
        return baseline

    def start_attempt(self, attempt: int, of: int, prompt: str, baseline: Baseline) -> AttemptStart:
        """Record the files as they are when the attempt starts."""
        stamps: list[ModuleStamps] = []

        def record_files() -> Snapshot:
            # A listener may read the rules, so the guard records them first.
            self.guard.record_attempt(attempt)
            self.emit(events.AttemptStarted(attempt, of, prompt))
            before = self.workspace.take_snapshot()
            self.workspace.remember_modes(before)
            stamps.append(read_module_stamps(self.task.project, baseline.footprint))
            if attempt == 1:
                self._emit_notice(describe_unseen_paths(self.workspace.unseen_paths))
            return before

        self.set_attempt(attempt)  # even if another process started the attempt
        before = self._journal.step(f"attempt {attempt}: before", record_files)
        if not stamps:
            resumed = events.AttemptStarted(attempt, of, prompt, resumed=True)
            self._journal.call_before_next(lambda: self.emit(resumed))
        return AttemptStart(attempt, before, bool(stamps), stamps[0] if stamps else {})

    def run_agent(self, start: AttemptStart, prompt: str, limits: AgentLimits) -> AgentResult:
        """Let the agent work on the files as they were when the attempt started."""

        def start_agent() -> AgentResult:
            if not start.fresh:
                self._reverter.revert_interrupted(start.number, start.before)
            self.guard.resume_attempt(start.number)
            self.emit(events.StepStarted("running the agent"))
            emit_masked = create_agent_listener(self.masker, self.emit)
            try:
                with reap_orphans() as orphans:
                    result = self.agent.run(prompt, self.task.project, limits, emit_masked)
            except BaseException:
                self._abort_attempt(start.number)
                raise
            result = mask_agent(self.masker, result)
            self.emit(events.AgentFinished(result))
            self._emit_notice(describe_orphans(orphans))
            return result

        return self._journal.step(f"attempt {start.number}: agent", start_agent)

    def snapshot_result(self, attempt: int) -> Snapshot:
        """Record the files as the agent left them."""

        def take_snapshot() -> Snapshot:
            # Git cannot list a folder without read permission, but Python can import from it.
            self._report_findings(self.guard.open_folders(attempt))
            return self.workspace.take_snapshot()

        return self._journal.step(f"attempt {attempt}: after", take_snapshot)

    def diff_attempt(self, start: AttemptStart, after: Snapshot) -> Diff:
        """Return what the agent changed, and store it as a patch."""

        def write_patch() -> Diff:
            diff = self._patches.write_patch(f"attempt-{start.number}.patch", start.before, after)
            # Python uses cached bytecode if the size of the source and its modification time in
            # seconds are unchanged. If the cache cannot be removed, that check has to suffice.
            with suppress(OSError):
                drop_bytecode(self.task.project, [change.path for change in diff.changes])
            self.emit(events.DiffTaken(diff))
            return diff

        return self._journal.step(f"attempt {start.number}: diff", write_patch)

    def review_attempt(self, attempt: Attempt) -> Attempt:
        """Return the attempt with what the reviewers found in it.

        The guard comes first: it reverts edits to the tests, so that the other reviewers see the
        files that the verdict will be based on.
        """

        def collect_findings() -> Findings:
            reviewers = (self.guard, *self.reviewers)
            found = [each for reviewer in reviewers for each in reviewer.review(attempt).found]
            return self._report_findings(Findings(tuple(found)))

        findings = self._journal.step(f"attempt {attempt.number}: guard", collect_findings)
        return replace(attempt, findings=findings.found)

    def judge_attempt(
        self, attempt: Attempt, baseline: Baseline, origin: Snapshot, stamps: ModuleStamps
    ) -> Attempt:
        """Return the attempt with its verdict, found by comparing it with the baseline's tree."""

        def carry_out_experiment() -> Judgement:
            experiment = self._experiments.build_experiment(attempt, baseline, origin, stamps)
            judgement = experiment.carry_out()
            judgement = replace(judgement, findings=mask_findings(self.masker, judgement.findings))
            self.emit(events.Judged(judgement))
            if judgement.verdict.kind in (VerdictKind.ENVIRONMENT, VerdictKind.VOID):
                raise _UndecidedError(judgement)
            return judgement

        try:
            judgement = self._journal.step(
                f"attempt {attempt.number}: verdict", carry_out_experiment
            )
        except _UndecidedError as error:
            judgement = error.judgement
        found = attempt.findings + judgement.findings
        return replace(attempt, report=judgement.report, verdict=judgement.verdict, findings=found)

    def learn_lesson(self, attempt: int, failure: Failure) -> TeachingResult:
        """Ask the teacher for a lesson, and apply it as a rule; these are two separate steps.

        Raises:
            TeacherError: the teacher did not answer; the journal stores no result.
        """
        context = TeachingContext(self.teacher, self.masker, self.emit, self.rulebook, self.pending)
        prefix = f"attempt {attempt}: "
        return teach_failure(failure, context, journal=self._journal, prefix=prefix)

    def pin_tree(self, attempt: Attempt, failure: Failure, change: RuleChange | None) -> None:
        """Store the files that the attempt started with, if a rule was learned from the attempt.

        An error is reported but does not end the run.
        """
        if change is None or not is_learned(change):
            return
        run, unseen = self.folder.name, self.workspace.unseen_paths
        pinned = describe_tree(self.task, run, attempt, failure, change, unseen, self.masker)

        def store_tree() -> None:
            try:
                self.pin(pinned, is_known(change))
            except LoopError as error:
                self._emit_notice(
                    f"the files that rule {pinned.rule} was learned from cannot be stored: {error}"
                )

        self._journal.step(f"attempt {attempt.number}: pin", store_tree)

    def revert_attempt(self, attempt: Attempt) -> None:
        """Revert the attempt's edits, except in files that somebody else has edited since."""

        def revert_edits() -> None:
            self._reverter.revert_edits(attempt.before, attempt.after)

        self._journal.step(f"attempt {attempt.number}: restore", revert_edits)

    def close_attempt(self, run: RunResult) -> None:
        """Store and report the run with its last attempt. Not journaled, so it may happen twice.

        Raises:
            InfrastructureError: the run cannot be stored.
        """
        self._journal.call_before_next(None)
        self.save(run)
        self.emit(events.AttemptFinished(run))
        self.set_attempt(0)

    # ---- the components, each created on first use --------------------------------------------

    @cached_property
    def _journal(self) -> CountingJournal:
        return CountingJournal(self.journal)

    @cached_property
    def _suite(self) -> MaskedSuite:
        return MaskedSuite(self.suite, self.task.project, self.masker, self.folder, self.emit)

    @cached_property
    def _patches(self) -> PatchWriter:
        return PatchWriter(self.workspace, self.masker, self.folder, self.emit)

    @cached_property
    def _reverter(self) -> EditReverter:
        return EditReverter(self.workspace, self.rulebook, self._patches, self.folder, self.emit)

    @cached_property
    def _experiments(self) -> ExperimentBuilder:
        return ExperimentBuilder(
            self.task,
            self.workspace,
            self.rulebook,
            self.guard,
            self._suite.run_cases,
            self.swap_note or SwapNote(self.folder / "swap.json"),
            self.folder,
            self.emit,
            self.old_failures_must_pass,
        )

    # ---- helpers of the steps --------------------------------------------------------------

    def _abort_attempt(self, attempt: int) -> None:
        self._reverter.record_interruption(attempt)
        with suppress(LoopError):  # reported when the attempt starts again
            self._report_findings(self.guard.abort_attempt(attempt))

    def _report_findings(self, findings: Findings) -> Findings:
        masked = Findings(mask_findings(self.masker, findings.found))
        if masked.found:
            self.emit(events.Tampered(masked.found))
        return masked

    def _emit_notice(self, text: str) -> None:
        if text:
            self.emit(events.Notice(text))
