"""Compares a suite's report with the baseline's.

Tests were restored before the suite ran, so a case that no longer runs was hidden by something
else: by what the code under test does, or in a way that no other check knows.
"""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from orchestrator.guard.findings import limit_findings
from orchestrator.models import Case, CaseOutcome, Finding, FindingKind, SuiteReport
from orchestrator.platform import files


def list_case_files(report: SuiteReport) -> set[str]:
    """Return the files whose cases a report lists, as paths from the project's folder."""
    return {case.file for case in report.cases if case.file}


def list_test_files(report: SuiteReport, project: Path) -> list[str]:
    """Return the existing files that hold the cases of a report, in the order of the cases."""
    names = dict.fromkeys(case.file for case in report.cases if case.file)
    return [name for name in names if files.is_file(project / name)]


def find_hidden_cases(baseline: SuiteReport, report: SuiteReport) -> list[Finding]:
    """Return findings for cases that ran at the baseline, and are skipped or missing now."""
    now = {case.id: case for case in report.cases}
    running = [case for case in report.cases if case.outcome is not CaseOutcome.SKIPPED]
    functions = Counter(map(_resolve_function_name, running))
    known = {case.id for case in baseline.cases}
    fresh = Counter(_resolve_function_name(case) for case in running if case.id not in known)
    files = {case.file for case in running if not case.collecting}
    found: list[Finding] = []
    for case in baseline.cases:
        present = now.get(case.id)
        if case.outcome is CaseOutcome.SKIPPED or (
            present and present.outcome is not CaseOutcome.SKIPPED
        ):
            continue
        if case.collecting:
            if case.file not in files:
                text = "could not be imported at the start, and nothing of it runs now"
                found.append(_build_finding(case, text))
        elif present:
            found.append(_build_finding(case, f"{case.outcome} at the start, skipped now"))
        elif case.is_failing and fresh[_resolve_function_name(case)]:
            # An id with the time or a random number in it differs in each run.
            fresh[_resolve_function_name(case)] -= 1
            text = f"{case.outcome} at the start, not run now; a new one of this test is"
            found.append(_build_finding(case, text, decisive=False))
        elif case.is_failing or not functions[_resolve_function_name(case)]:
            found.append(_build_finding(case, f"{case.outcome} at the start, not run now"))
        else:
            # Parameters often come from the code under test: the test itself still runs.
            text = f"{case.outcome} at the start, not run now; others of this test are"
            found.append(_build_finding(case, text, decisive=False))
    return limit_findings(found, "the suite", "cases")


def find_inconsistencies(report: SuiteReport, baseline: SuiteReport | None = None) -> list[Finding]:
    """Return contradictions between a report and the runner's own stream of results.

    Args:
        report: the suite's report.
        baseline: the baseline's report; contradictions that it has too are no findings.
    """
    where = report.command or "the suite"
    before = set(baseline.forged) if baseline else set()
    found = [
        Finding(FindingKind.INCONSISTENT, where, text, True)
        for text in report.forged
        if text not in before
    ]
    if not report.failing and report.has_verdict and not report.complete:
        text = "the runner's last record is missing: it was ended, or replaced, before its end"
        found.append(Finding(FindingKind.INCONSISTENT, where, text, decisive=True))
    return limit_findings(found, "the suite", "cases")


def is_control_run(alone: SuiteReport, files: Collection[str]) -> bool:
    """Return whether a run left the agent's new tests out; a wrapper may ignore the selection."""
    return not list_case_files(alone) & set(files)


def find_dependent_passes(
    report: SuiteReport, alone: SuiteReport, files: Collection[str], baseline: SuiteReport
) -> list[Finding]:
    """Return findings for cases that pass in the whole suite, and fail without the new tests.

    Args:
        report: the report of the whole suite.
        alone: the report of the suite without the new tests.
        files: the files with the new tests.
        baseline: the baseline's report.
    """
    green = {case.id for case in report.cases if case.outcome is CaseOutcome.PASSED}
    red = {case.id for case in report.failing}
    found = [
        Finding(
            FindingKind.HIDDEN,
            case.id,
            f"passes only beside the new tests in {', '.join(sorted(files)[:3])}",
            decisive=True,
        )
        for case in alone.cases
        if case.is_failing and (case.id in green or (case.collecting and case.id not in red))
    ]
    # A case under an id that the whole suite does not have, or no case at all: the two runs cannot
    # be compared case by case, and the old tests do not pass on their own.
    unknown = [case for case in alone.failing if case.id not in red]
    if not found and (unknown or not (alone.has_passed or alone.failing)):
        text = f"the old tests do not pass without the new ones: {alone.summary}"
        found = [Finding(FindingKind.HIDDEN, alone.command, text, decisive=True)]
    return [*find_inconsistencies(alone, baseline), *limit_findings(found, "the suite", "cases")]


def _build_finding(case: Case, text: str, *, decisive: bool = True) -> Finding:
    return Finding(FindingKind.HIDDEN, case.id, text, decisive)


def _resolve_function_name(case: Case) -> str:
    return case.function or case.id
