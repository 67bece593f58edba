"""Looks whether the verdict on an attempt can be believed: what is new, added, hidden, missing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orchestrator.guard import cases
from orchestrator.guard.baseline import Baseline
from orchestrator.guard.counts import fewer_tests
from orchestrator.guard.doctests import edited_doctests, names_with_doctests
from orchestrator.guard.manifest import Manifest
from orchestrator.guard.protection import name_of
from orchestrator.guard.scan.answers import Answers, answers_in
from orchestrator.guard.scan.patches import read_patch
from orchestrator.guard.shadows import shadowing, sourceless
from orchestrator.guard.tree import Tree
from orchestrator.guard.weighing import Scan
from orchestrator.models import Diff, Finding, SuiteReport
from orchestrator.platform import files

_LARGEST_TEST: Final = 10_000_000


@dataclass(frozen=True)
class Checks:
    """The checks of one attempt, of which none changes anything.

    Args:
        baseline: what is guarded.
        before: the suite's report of the run's beginning.
        manifest: the files as the attempt found them.
        command: the suite's.
        task: what was asked for; values that it names may stand in the code.
        home: the home folder of the suite's user.
    """

    baseline: Baseline
    before: SuiteReport
    manifest: Manifest
    command: str
    task: str
    home: str

    def findings(
        self, report: SuiteReport, diff: Diff, tree: Tree, *, solved: bool
    ) -> Iterator[Finding]:
        """Yield why a verdict is not to be believed.

        Args:
            report: the run that it rests on.
            diff: what the agent changed.
            tree: the files as they are now.
            solved: whether the attempt counts as solved, if it is believed.
        """
        protection = self.baseline.protection
        changed = self.manifest.changed(tree)
        yield from shadowing(protection, [name for name in tree if self.manifest.is_new(name)])
        yield from sourceless(protection, tree, changed)
        yield from self._edited_doctests(report, tree)
        yield from self._scan(diff, changed)
        if solved:
            yield from cases.hidden(self.before, report)
        yield from filter(self._is_unexplained, cases.inconsistent(report, self.before))
        yield from fewer_tests(self.before, report)

    def _edited_doctests(self, report: SuiteReport, tree: Tree) -> list[Finding]:
        if not self.baseline.doctests:
            return []
        protection = self.baseline.protection
        names = names_with_doctests(protection, self.command, report, tree)
        return edited_doctests(protection.project, self.baseline.doctests, names)

    def _scan(self, diff: Diff, changed: list[str]) -> list[Finding]:
        protection, known = self.baseline.protection, self.manifest
        sources = {name: known.is_new(name) for name in changed if name not in protection.guarded}
        others = [name for name in known.others if name not in sources]
        patch = read_patch(diff.patch)
        scan = Scan(protection, patch, self._answers(), known.taken, self.home)
        return scan.findings(sources, others)

    def _answers(self) -> Answers:
        """Return what the tests that failed at the baseline expect."""
        failing = {
            words[-1]
            for case in self.before.failing
            if (words := re.findall(r"\w+", case.function or case.id.split("[")[0]))
        }
        protection = self.baseline.protection
        names = sorted(protection.tests) if failing else ()
        texts = [files.read_bytes(protection.project / name, _LARGEST_TEST) for name in names]
        return answers_in(texts, failing, self.task)

    def _is_unexplained(self, finding: Finding) -> bool:
        """Return whether a finding is not about what a guarded file does, which is as it was."""
        file = re.search(r" (?:by|of) (/.+)$", finding.text)
        project = self.baseline.protection.project
        return not file or name_of(project, file[1]) not in self.manifest.entries
