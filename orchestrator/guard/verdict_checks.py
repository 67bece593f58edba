"""Checks whether the verdict on an attempt can be trusted; changes nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orchestrator.guard.attempt_scan import AttemptScan
from orchestrator.guard.baseline import Baseline
from orchestrator.guard.case_counts import find_missing_tests
from orchestrator.guard.doctests import find_doctest_files, find_edited_doctests
from orchestrator.guard.manifest import Manifest
from orchestrator.guard.protection import normalize_name
from orchestrator.guard.report_comparison import find_hidden_cases, find_inconsistencies
from orchestrator.guard.scan.expected_answers import Answers, collect_answers
from orchestrator.guard.scan.patches import read_patch
from orchestrator.guard.shadowing_modules import iter_shadowing_findings, iter_sourceless_findings
from orchestrator.guard.tree import Tree
from orchestrator.models import Diff, Finding, SuiteReport
from orchestrator.platform import files

_LARGEST_TEST: Final = 10_000_000


@dataclass(frozen=True)
class VerdictChecks:
    """The checks of one attempt. None of them changes anything.

    Args:
        baseline: what is guarded.
        before: the baseline's report.
        manifest: the files as they were when the attempt started.
        command: the suite's command.
        task: the task's text; values that it names may be written into code.
        home: the home folder of the suite's user.
    """

    baseline: Baseline
    before: SuiteReport
    manifest: Manifest
    command: str
    task: str
    home: str

    def iter_findings(
        self, report: SuiteReport, diff: Diff, tree: Tree, *, solved: bool
    ) -> Iterator[Finding]:
        """Yield reasons not to trust a verdict.

        Args:
            report: the run that the verdict rests on.
            diff: what the agent changed.
            tree: the present files.
            solved: whether the verdict is that the attempt is solved.
        """
        protection = self.baseline.protection
        changed = self.manifest.find_changed_files(tree)
        yield from iter_shadowing_findings(
            protection, [name for name in tree if self.manifest.is_new(name)]
        )
        yield from iter_sourceless_findings(protection, tree, changed)
        yield from self._find_edited_doctests(report, tree)
        yield from self._scan_changes(diff, changed)
        if solved:
            yield from find_hidden_cases(self.before, report)
        yield from filter(self._is_unexplained, find_inconsistencies(report, self.before))
        yield from find_missing_tests(self.before, report)

    def _find_edited_doctests(self, report: SuiteReport, tree: Tree) -> list[Finding]:
        if not self.baseline.doctests:
            return []
        protection = self.baseline.protection
        names = find_doctest_files(protection, self.command, report, tree)
        return find_edited_doctests(protection.project, self.baseline.doctests, names)

    def _scan_changes(self, diff: Diff, changed: list[str]) -> list[Finding]:
        protection, known = self.baseline.protection, self.manifest
        sources = {name: known.is_new(name) for name in changed if name not in protection.guarded}
        others = [name for name in known.others if name not in sources]
        patch = read_patch(diff.patch)
        scan = AttemptScan(protection, patch, self._read_answers(), known.recorded_at, self.home)
        return scan.scan_files(sources, others)

    def _read_answers(self) -> Answers:
        """Return inputs and expected values of the tests that failed at the baseline."""
        failing = {
            words[-1]
            for case in self.before.failing
            if (words := re.findall(r"\w+", case.function or case.id.split("[")[0]))
        }
        protection = self.baseline.protection
        names = sorted(protection.tests) if failing else ()
        texts = [files.read_bytes(protection.project / name, _LARGEST_TEST) for name in names]
        return collect_answers(texts, failing, self.task)

    def _is_unexplained(self, finding: Finding) -> bool:
        """Return whether a finding is not explained by a guarded file, which is unchanged.

        The text of a forged result ends with the file that reported it. A conftest of the project
        may do so honestly.
        """
        file = re.search(r" (?:by|of) (/.+)$", finding.text)
        project = self.baseline.protection.project
        return not file or normalize_name(project, file[1]) not in self.manifest.entries
