"""Runs the suite under the guard's watch, and remembers the files as its last run left them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from orchestrator.guard.attempts import Attempts
from orchestrator.guard.manifest import Manifest
from orchestrator.guard.protection import Protection
from orchestrator.guard.suite_watch import SuiteWatch, build_findings, drop_bytecode
from orchestrator.guard.suite_writes import SuiteWrites, Writes
from orchestrator.guard.tree import Tree
from orchestrator.models import Finding, SuiteReport


class SuiteRuns:
    """The runs of the suite in one run of the loop.

    Args:
        project: the project's folder.
        folder: stores the names of the files that the suite changes.
    """

    def __init__(self, project: Path, folder: Path) -> None:
        self.writes = SuiteWrites(project, folder)
        self._tree: Tree | None = None
        """The files as the last run of the suite left them, if nothing was restored since."""

    def run_unguarded(
        self, run: Callable[[], SuiteReport], *, baseline: bool = False
    ) -> tuple[SuiteReport, Writes]:
        """Run the suite, and return which files it wrote too.

        Raises:
            InfrastructureError: something cannot be read or stored.
        """
        self._tree = None
        return self.writes.watch_run(run, baseline=baseline)

    def run_guarded(
        self,
        run: Callable[[], SuiteReport],
        protection: Protection,
        attempts: Attempts,
        manifest: Manifest,
        *,
        restore: bool,
    ) -> tuple[SuiteReport, list[Finding]]:
        """Run the suite, and return the changes of guarded files and sources around it too.

        Args:
            run: runs the suite.
            protection: what is guarded.
            attempts: the attempts of the run.
            manifest: the guarded files as the latest attempt found them.
            restore: whether changes are reverted, and not only reported.

        Raises:
            InfrastructureError: something cannot be read or restored.
        """
        self._tree = None
        watch = SuiteWatch(protection, attempts.file_store, manifest, self.writes.contents)
        found: list[Finding] = []
        early = watch.check_before()
        if early and restore:
            # Nobody is asked to work now: a process that the agent left behind does.
            attempts.restore_files(early, "late")
            found += build_findings(early, "after it was restored")
            watch.check_before()
        found += drop_bytecode(protection)
        report = run()
        seen, changes = watch.check_after()
        self.writes.record_writes(*watch.trees)
        if changes and restore:
            attempts.restore_files(changes, "suite")
        environment = attempts.check_environment("suite", "while the suite ran")
        self._tree = None if (changes or environment) and restore else watch.trees[1]
        found = [*seen, *found, *(replace(each, decisive=True) for each in environment)]
        return report, [*found, *attempts.file_store.report_opened_folders()]

    def consume_tree(self, attempts: Attempts, manifest: Manifest) -> Tree:
        """Return the files that the verdict rests on: as the suite's last run left them.

        The next call reads them from disk, because they may have changed in between.
        """
        tree = attempts.file_store.read_tree(manifest) if self._tree is None else self._tree
        self._tree = None
        return tree
