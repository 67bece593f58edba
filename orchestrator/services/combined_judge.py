"""Judge the tree of several works together: the suite runs on it, and is compared with the tip.

combined green                                       -> green
cases fail that do not fail on the tip, and twice    -> red
no verdict on the combined tree, but on the tip      -> red
no verdict on the tip either                         -> LoopError
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

from orchestrator.counts import format_count
from orchestrator.errors import InfrastructureError
from orchestrator.events import Listener, Notice
from orchestrator.failures.log_excerpt import build_log_excerpt, shorten_to_line
from orchestrator.failures.record_masking import mask_report
from orchestrator.failures.suite_failure import LOG_BOUND
from orchestrator.models import CaseOutcome, SuiteReport
from orchestrator.platform.orphans import reap_orphans
from orchestrator.ports import Suite
from orchestrator.services.judge_tree import JudgeTree
from orchestrator.services.judged_trees import JudgedTree, JudgedTrees, summarize_report
from orchestrator.suites import create_suite
from orchestrator.tasks.models import CombinedVerdict
from orchestrator.verdict.suite_obstacle import find_obstacle

_MOST_SELECTED: Final = 50
"""Cases that are run again by their ids; of more, the whole suite is run."""
_MOST_IDS: Final = 100


class SuiteJudge:
    """The judge of one list, see `CombinedJudge` of `tasks.ports`.

    Args:
        tree: the work tree in which the suite runs.
        listener: receives a notice if a suite that was not green counts as green.
    """

    def __init__(self, tree: JudgeTree, listener: Listener) -> None:
        self.tree, self._listener = tree, listener
        self._judged = JudgedTrees(tree.folder / "judged.json", tree.config)
        self._ids: dict[str, str] = {}
        """The suite's own ids of cases, by masked id, where they differ."""

    def judge(self, commit: str, tip: str) -> CombinedVerdict:
        """Run the whole suite on a commit, and compare with the tip where cases fail.

        Raises:
            LoopError: the suite gives no verdict on the tip either, or cannot be started.
        """
        tree = self.tree.repository.tree_of(commit)
        known = self._judged.find(tree)
        if known and known.passed:
            return CombinedVerdict(green=True)
        report = self._run_suite(commit)
        if report.has_passed:
            self._judged.remember(tree, report)
            return CombinedVerdict(green=True)
        if not self._has_verdict(report):
            return self._judge_without_verdict(commit, tip, report)
        return self._compare_with_tip(commit, tip, report)

    # ---- the three ways to compare

    def _compare_with_tip(self, commit: str, tip: str, report: SuiteReport) -> CombinedVerdict:
        before = self._judge_tip(tip)
        if not report.failing or report.is_exit_code_only or before.exit_code_only:
            return self._judge_by_exit_code(commit, report, before)
        return self._judge_by_cases(commit, report, before)

    def _judge_by_cases(
        self, commit: str, report: SuiteReport, before: JudgedTree
    ) -> CombinedVerdict:
        new = _exclude_cases(report, before.failing)
        if not new:
            old = format_count(len(report.failing), "case")
            return self._build_green(f"{old} failed on the list's branch before too")
        again = self._run_failing_again(commit, new)
        if not again.has_verdict and not again.failing:
            again = self._run_suite(commit)
        repeated = _select_cases(again, new)
        if len(repeated) < len(new):
            # Alone, a case does not meet what the others leave behind.
            repeated |= _select_cases(self._run_suite(commit), new)
        if not repeated:
            return self._build_green(f"{format_count(len(new), 'case')} failed once, and not again")
        return self._build_red(report, repeated)

    def _judge_by_exit_code(
        self, commit: str, report: SuiteReport, before: JudgedTree
    ) -> CombinedVerdict:
        if not before.passed:
            return CombinedVerdict(
                green=False,
                output=self._build_excerpt(report),
                message="the suite fails on the tip too, and its exit code does not say by which "
                "cases: nothing can land until it passes there",
            )
        again = self._run_suite(commit)
        if again.has_passed:
            return self._build_green("the suite failed once, and not again")
        return self._build_red(again, {case.id for case in again.failing})

    def _judge_without_verdict(self, commit: str, tip: str, report: SuiteReport) -> CombinedVerdict:
        """Decide whose fault it is that the suite gives no verdict: the tip is judged afresh."""
        again = self._run_suite(commit)
        if again.has_passed:
            return self._build_green(f"the suite gave no verdict once: {report.summary}")
        if self._has_verdict(again):
            return self._compare_with_tip(commit, tip, again)
        self._judge_tip(tip, fresh=True)  # raises if it is not the work's fault
        return self._build_red(again, {case.id for case in again.failing})

    def _judge_tip(self, tip: str, *, fresh: bool = False) -> JudgedTree:
        """Return what the suite says about the tip.

        Raises:
            InfrastructureError: nothing.
        """
        tree = self.tree.repository.tree_of(tip)
        known = None if fresh else self._judged.find(tree)
        if known:
            return known
        report = self._run_suite(tip)
        if not self._has_verdict(report):
            raise self._build_obstacle(report, tip)
        if fresh:
            return summarize_report(report)
        return self._judged.remember(tree, report)

    # ---- running

    @cached_property
    def _suite(self) -> Suite:
        """The suite; its ports are the judge's own only once there is its folder."""
        tests, environment = self.tree.config.tests, self.tree.environment
        return create_suite(tests.framework, tests.command, tests.timeout, environment)

    def _run_suite(self, commit: str, select: Sequence[str] | None = None) -> SuiteReport:
        folder = self.tree.check_out(commit)
        self._suite.preflight(folder)
        ids = select and [self._ids.get(each, each) for each in select]
        with reap_orphans():
            report = self._suite.run(folder, ids)
        masked = mask_report(self.tree.masker, report)
        pairs = zip(masked.cases, report.cases, strict=True)
        self._ids.update((shown.id, case.id) for shown, case in pairs if shown.id != case.id)
        return masked

    def _run_failing_again(self, commit: str, ids: Collection[str]) -> SuiteReport:
        return self._run_suite(commit, sorted(ids) if len(ids) <= _MOST_SELECTED else None)

    def _has_verdict(self, report: SuiteReport) -> bool:
        """Return whether a report says something about the code: not if no case could run."""
        if any(case.outcome is CaseOutcome.PASSED for case in report.cases):
            return report.has_verdict
        return report.has_verdict and find_obstacle(report, self._folder, "", "") is None

    # ---- what is said about it

    def _build_green(self, why: str) -> CombinedVerdict:
        self._listener(Notice(f"the combined suite is taken for green: {why}"))
        return CombinedVerdict(green=True)

    def _build_red(self, report: SuiteReport, failing: Collection[str]) -> CombinedVerdict:
        cases = tuple(case for case in report.cases if case.id in failing)
        shown = replace(report, cases=cases) if cases else report
        first = cases[0] if cases else None
        about = f"{first.id}: {first.message}" if first else report.summary
        more = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
        return CombinedVerdict(
            green=False,
            failing=tuple(case.id for case in cases[:_MOST_IDS]),
            output=self._build_excerpt(shown),
            message=f"{shorten_to_line(about, 250)}{more}",
        )

    def _build_excerpt(self, report: SuiteReport) -> str:
        return build_log_excerpt(report, None, self._folder, LOG_BOUND)

    def _build_obstacle(self, report: SuiteReport, tip: str) -> InfrastructureError:
        obstacle = find_obstacle(report, self._folder, "", "")
        message = obstacle.message if obstacle else report.summary
        hint = obstacle.hint if obstacle else report.outcome.hint
        return InfrastructureError(
            f"the suite gives no verdict on the list's branch ({tip[:12]}): "
            f"{shorten_to_line(message, 300)}",
            hint or "run tests.command by hand, and repair what it reports",
        )

    @property
    def _folder(self) -> Path:
        return self.tree.project_folder


def _exclude_cases(report: SuiteReport, old: Collection[str]) -> set[str]:
    return {case.id for case in report.failing}.difference(old)


def _select_cases(report: SuiteReport, ids: Collection[str]) -> set[str]:
    return {case.id for case in report.failing}.intersection(ids)
