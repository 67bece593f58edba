"""Carries out the comparison: runs the suite on the tree after and on the tree before.

If the first run is green, it is the only one. Otherwise `Comparison` decides which run is needed
next, until each failing case is classified.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from orchestrator import events
from orchestrator.counts import format_count
from orchestrator.guard import Guard
from orchestrator.models import (
    Attempt,
    Case,
    CaseOutcome,
    CaseVerdict,
    FileChange,
    Finding,
    Judgement,
    Snapshot,
    SuiteReport,
    Task,
    Verdict,
    VerdictKind,
)
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.installing import advise_install
from orchestrator.verdict.advice import find_advice
from orchestrator.verdict.comparison import Comparison
from orchestrator.verdict.evidence import Evidence, Side
from orchestrator.verdict.exit_status import EXIT_STATUS
from orchestrator.verdict.missing_dependency import find_missing_dependency
from orchestrator.verdict.relation import Relation, summarize_names
from orchestrator.workspace.swap import Swap, TreeSwap


@dataclass(frozen=True)
class Trees:
    """The two trees that are compared, and how one is turned into the other.

    Args:
        swap: replaces the tree after by the tree before, in place.
        before: the project's files at the baseline.
        after: its files after the attempt, with the tests reverted.
        changes: the differences between the two.
        leave: paths that are never swapped.
    """

    swap: TreeSwap
    before: Snapshot
    after: Snapshot
    changes: Sequence[FileChange]
    leave: Collection[str]


class _SwapVoidError(Exception):
    """Files were edited while they were swapped."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(", ".join(paths))


@dataclass
class Experiment:
    """One attempt, judged by comparison.

    Args:
        task: the task.
        attempt: the attempt, without its verdict.
        baseline: the suite's report on the project before the first attempt.
        trees: the trees before and after.
        run_suite: runs the suite, or selected cases of it, on the project's present files.
        guard: watches what the verdict rests on.
        relation: relates a case to the task and to the change.
        emit: receives events.
        unseen: source files that the attempt changed, and that no snapshot contains.
        interpreter: the Python that runs the tests; empty if it is not known.
    """

    task: Task
    attempt: Attempt
    baseline: SuiteReport
    trees: Trees
    run_suite: Callable[[Sequence[str] | None], SuiteReport]
    guard: Guard
    relation: Relation
    emit: events.Listener
    unseen: Sequence[str] = ()
    interpreter: str = ""
    _findings: list[Finding] = field(default_factory=list)
    _runs: int = 0

    def carry_out(self) -> Judgement:
        """Run the suite as often as needed, and return the judgement on the attempt."""
        comparison = self._start_comparison(self._run_after("running the suite"))
        try:
            while side := comparison.choose_next_side():
                report = self._run_side(side)
                evidence = comparison.evidence.with_run(side, report)
                comparison = replace(comparison, evidence=evidence)
        except _SwapVoidError as error:
            return self._void_judgement(comparison.evidence.after[-1], str(error))
        verdicts = comparison.classify_cases()
        report = (
            comparison.find_deciding_report(verdicts) if verdicts else comparison.evidence.after[0]
        )
        failing = comparison.evidence.failing
        verdict = replace(
            self._conclude_verdict(failing, verdicts, report),
            suite_runs=self._runs,
            flaky=tuple(
                failing[id_] for id_, each in verdicts.items() if each is CaseVerdict.FLAKY
            ),
        )
        self._verify_verdict(report, verdict)
        return Judgement(verdict, report, tuple(self._findings))

    def _start_comparison(self, report: SuiteReport) -> Comparison:
        # The guard reads the project's files for each case, and is asked several times.
        discounted = cache(self.guard.is_caused_by_revert)
        return Comparison(Evidence(self.baseline, (report,)), self.relation, discounted)

    # ---- runs ------------------------------------------------------------------------------

    def _run_side(self, side: Side) -> SuiteReport:
        if side is Side.AFTER:
            return self._run_after(f"running the suite again (run {self._runs + 1})")
        return self._run_before()

    def _run_after(self, name: str) -> SuiteReport:
        self.emit(events.StepStarted(name))
        report, findings = self.guard.watch_suite(lambda: self.run_suite(None))
        self._runs += 1
        self._findings += findings.found
        self.emit(events.SuiteFinished(report))
        return report

    def _run_before(self) -> SuiteReport:
        """Run the suite on the tree before, which is swapped in for that time.

        Raises:
            _SwapVoidError: a swapped file was edited during the run.
        """
        trees = self._refresh_trees()
        files = f"{format_count(len(trees.changes), 'file')} swapped"
        self.emit(events.StepStarted(f"running the suite on the tree before the attempt ({files})"))
        rewritten = self.guard.baseline_written_files
        swap = Swap(trees.before, trees.after, trees.leave, rewritten)
        try:
            if edited_before := trees.swap.apply(swap):
                raise _SwapVoidError(edited_before)
            report, written = self.guard.collect_writes(lambda: self.run_suite(None))
            self._runs += 1
            rewritten &= written
        finally:
            edited = trees.swap.revert(swap, rewritten)
        if edited:
            raise _SwapVoidError(edited)
        self.emit(events.SuiteFinished(report, before_attempt=True))
        return report

    def _refresh_trees(self) -> Trees:
        """Return the trees, updated with what runs of the suite have written since.

        Files that only the suite writes are not swapped, nor are files that somebody else changed
        since and the attempt did not. Code that the suite rewrites in each run is swapped in its
        present version.

        Raises:
            _SwapVoidError: a file that the attempt changed was edited since.
        """
        trees = self.trees
        leave = {*trees.leave, *self.guard.suite_output}
        changes = [change for change in trees.changes if change.path not in leave]
        swapped = {change.path for change in changes}
        now = trees.swap.workspace.take_snapshot()
        since = trees.swap.list_changed_paths(trees.after, now)
        if edited := sorted((since & swapped) - self.guard.baseline_written_files):
            raise _SwapVoidError(edited)
        return replace(trees, after=now, changes=changes, leave=leave | (since - swapped))

    # ---- conclusions -----------------------------------------------------------------------

    def _conclude_verdict(
        self, failing: Mapping[str, Case], verdicts: dict[str, CaseVerdict], report: SuiteReport
    ) -> Verdict:
        """Return the verdict on the attempt, from the classified cases."""
        blamed = [failing[id_] for id_, kind in verdicts.items() if kind is CaseVerdict.ENVIRONMENT]
        own = [failing[id_] for id_, kind in verdicts.items() if kind.is_own]
        if own:
            return self._conclude_own(own, verdicts)
        if blamed and self.unseen:
            # The tree before was not the true one: these files could not be swapped.
            message = f"{summarize_names(self.unseen)} was changed too, which no snapshot sees"
            found = verdicts | dict.fromkeys((case.id for case in blamed), CaseVerdict.OWN)
            return Verdict(VerdictKind.OWN_FAILURE, message, cases=found)
        if blamed:
            return self._blame_environment(report, blamed, verdicts)
        return self._conclude_without_own(failing, verdicts, report)

    def _conclude_without_own(
        self, failing: Mapping[str, Case], verdicts: dict[str, CaseVerdict], report: SuiteReport
    ) -> Verdict:
        """Return the verdict on an attempt without own failures."""
        if verdicts.get(EXIT_STATUS) is CaseVerdict.OLD:
            said = failing[EXIT_STATUS].message
            message = f"all cases pass, but the command exits with {report.exit_code}: {said}"
            hint = "it did so before the attempt; see tests.command"
            return Verdict(VerdictKind.EXIT_STATUS, message, hint, verdicts)
        rest = _describe_rest(verdicts)
        if failing and not any(case.outcome is CaseOutcome.PASSED for case in report.cases):
            return Verdict(VerdictKind.NOTHING_PASSES, f"no test passes: {rest}", cases=verdicts)
        if self.trees.changes:
            return Verdict(VerdictKind.SOLVED, rest, cases=verdicts)
        nothing = "nothing changed, tests " + (f"as before: {rest}" if rest else "pass as before")
        hint = ""
        if self.attempt.restored_paths:
            names = summarize_names(self.attempt.restored_paths)
            nothing = f"only guarded files were edited, and restored ({names}): {nothing}"
            hint = "new tests go into new files; tests.unguarded frees files by glob"
        return Verdict(VerdictKind.NOTHING_CHANGED, nothing, hint, verdicts)

    def _blame_environment(
        self, report: SuiteReport, blamed: Sequence[Case], verdicts: dict[str, CaseVerdict]
    ) -> Verdict:
        project = self.task.project
        path = build_project_environment(project, self.guard.environment).get("PATH", "")
        advice = find_advice(report, blamed, project, path)
        names = summarize_names(case.id for case in blamed)
        return Verdict(
            VerdictKind.ENVIRONMENT,
            f"{advice.message}: {names} passed at the start, and fails now without the attempt's "
            "edits too",
            advice.hint,
            verdicts,
        )

    def _conclude_own(self, own: Sequence[Case], verdicts: dict[str, CaseVerdict]) -> Verdict:
        project = self.task.project
        module = find_missing_dependency(own, project, self.trees.changes)
        if not module:
            return Verdict(VerdictKind.OWN_FAILURE, _describe_unsteady(verdicts), cases=verdicts)
        advice = advise_install(project, self.interpreter, [module], self.guard.environment)
        return Verdict(
            VerdictKind.ENVIRONMENT,
            f"the attempt uses {module}, which the project declares and nobody has installed",
            advice.hint,
            verdicts,
        )

    def _void_judgement(self, report: SuiteReport, paths: str) -> Judgement:
        verdict = Verdict(
            VerdictKind.VOID,
            f"{paths} changed while the tests ran on the tree before; your version stays",
            "resume, and the attempt is judged again",
            suite_runs=self._runs,
        )
        return Judgement(verdict, report, tuple(self._findings))

    def _verify_verdict(self, report: SuiteReport, verdict: Verdict) -> None:
        """Have the guard check whether the verdict can be trusted."""
        if verdict.kind in (VerdictKind.ENVIRONMENT, VerdictKind.VOID):
            return

        def run_selected(select: Sequence[str]) -> SuiteReport:
            self.emit(events.StepStarted("running the tests without the attempt's new ones"))
            self._runs += 1
            return self.run_suite(select)

        found = self.guard.check_verdict(
            self.attempt.number,
            report,
            self.attempt.diff,
            run_selected,
            solved=verdict.kind is VerdictKind.SOLVED,
        )
        self._findings += found.found
        if found.found:
            self.emit(events.Tampered(found.found))


def _describe_unsteady(verdicts: dict[str, CaseVerdict]) -> str:
    unsteady = [id_ for id_, kind in verdicts.items() if kind is CaseVerdict.UNSTEADY]
    if not unsteady:
        return ""
    return f"{summarize_names(unsteady)} is unsteady now: it was steady before the attempt"


def _describe_rest(verdicts: dict[str, CaseVerdict]) -> str:
    """Return the failures that do not count, as text; empty if there are none."""
    named = {
        CaseVerdict.OLD: ("old failure remains", "old failures remain"),
        CaseVerdict.FLAKY: ("flaky case", "flaky cases"),
        CaseVerdict.DISCOUNTED: (
            "new case not counted, because what was needed is reverted",
            "new cases not counted, because what was needed is reverted",
        ),
    }
    parts = []
    for kind, (one, many) in named.items():
        ids = [id_ for id_, each in verdicts.items() if each is kind]
        if ids:
            parts.append(f"{format_count(len(ids), one, many)} ({summarize_names(ids)})")
    return "; ".join(parts)
