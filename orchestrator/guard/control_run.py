"""Runs the old tests alone: in one process with them, new tests may manipulate them."""

from collections.abc import Callable
from pathlib import Path

from orchestrator.guard.manifest import Manifest
from orchestrator.guard.report_comparison import (
    find_dependent_passes,
    find_inconsistencies,
    is_control_run,
    list_case_files,
    list_test_files,
)
from orchestrator.models import Finding, Findings, SuiteReport

WatchedRun = Callable[[list[str]], tuple[SuiteReport, Findings]]
"""Runs the selected test files, and checks the project before and after."""


class ControlRun:
    """Compares a suite that includes new tests with a run of the old tests alone.

    Args:
        project: the project's folder.
    """

    def __init__(self, project: Path) -> None:
        self._project = project
        self._can_select = True
        """Whether the suite runs only the selected files, as far as is known."""

    def compare_runs(
        self, baseline: SuiteReport, report: SuiteReport, manifest: Manifest, run: WatchedRun
    ) -> list[Finding]:
        """Return findings for cases that pass only beside the new tests, and for changed files.

        A case has to fail in two runs without the new tests, because some old tests are flaky.

        Args:
            baseline: the baseline's report.
            report: the report of the whole suite.
            manifest: the files as they were when the attempt started.
            run: runs the old tests.
        """
        new = list_case_files(report) - list_case_files(baseline) - manifest.entries.keys()
        old = list_test_files(baseline, self._project)
        if not (self._can_select and new and old):
            return []
        alone, watched = run(old)
        self._can_select = is_control_run(alone, new)
        if not self._can_select:
            return [*watched.found, *find_inconsistencies(alone, baseline)]
        found = find_dependent_passes(report, alone, new, baseline)
        if not found:
            return list(watched.found)
        again, watched_again = run(old)
        second = {each.where for each in find_dependent_passes(report, again, new, baseline)}
        steady = [each for each in found if each.where in second]
        return [*watched.found, *watched_again.found, *steady]
