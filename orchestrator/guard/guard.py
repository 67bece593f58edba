"""The guard of one run: remembers, refuses, restores, and looks whether a verdict holds."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from orchestrator.guard.attempts import Attempts, find_latest_attempt
from orchestrator.guard.baseline import Baseline
from orchestrator.guard.checks import Checks
from orchestrator.guard.control_run import ControlRun
from orchestrator.guard.derivation import Basis
from orchestrator.guard.instructions import Instructions
from orchestrator.guard.manifest import Manifest
from orchestrator.guard.protection import GuardedFile
from orchestrator.guard.suite_watch import SuiteWatch, build_findings, drop_bytecode
from orchestrator.guard.suite_writes import SuiteWrites, is_source
from orchestrator.guard.tree import Tree
from orchestrator.models import Case, Diff, Finding, Findings, SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.pytest.settings import list_environment_plugins


class GuardMode(StrEnum):
    """What becomes of edits of guarded files."""

    RESTORE = "restore"
    FLAG = "flag"
    OFF = "off"


Rerun = Callable[[Sequence[str]], SuiteReport]
"""Runs the suite again on the selected ids."""


@dataclass
class Guard:
    """The guard of the tests of one run.

    Args:
        project: the project's real folder.
        mode: what becomes of edits.
        command: the suite's.
        environment: what the suite's environment is made from; ours if None.
        unguarded: globs of files that are never guarded.
        folder: keeps guarded content, and what was reverted. Set it before anything is asked but
            `refuse`.
        shelves: the active rulebooks, which are not the agent's to write either.
        locks: where rulebooks have their lock files; some folder of our own if None.
        task: what was asked for; values that it names may stand in the code.
    """

    project: Path
    mode: GuardMode
    command: str = ""
    environment: Mapping[str, str] | None = None
    unguarded: tuple[str, ...] = ()
    folder: Path | None = None
    rule_files: Sequence[RuleFiles] = ()
    locks: Path | None = None
    task: str = ""
    _report: SuiteReport | None = None
    """The suite's before any agent worked."""
    _baseline: Baseline | None = None
    _attempts: Attempts | None = None
    _suite_tree: Tree | None = None
    """The files as the last run of the suite left them, if nothing was restored since."""

    # ---- the baseline ----------------------------------------------------------------------

    def record_baseline(self, report: SuiteReport, footprint: Footprint | None) -> None:
        """Derive what is guarded from the baseline, or recall what an earlier process derived.

        Args:
            report: of the suite, before any agent worked.
            footprint: what the suite recorded; without one, names of files decide.

        Raises:
            InfrastructureError: something cannot be read or kept.
        """
        self._report = report
        if self.mode is not GuardMode.OFF:
            self._ensure_baseline(report, footprint)

    def list_guarded_files(self) -> tuple[GuardedFile, ...]:
        """Return the guarded files, with the reason for each."""
        if self.mode is GuardMode.OFF or not self._baseline:
            return ()
        guarded = self._baseline.protection.guarded
        return tuple(sorted(guarded.values(), key=lambda each: each.path))

    @property
    def suite_written_files(self) -> frozenset[str]:
        """The files whose content runs of the suite changed so far, whatever the guard's mode."""
        return self._writes.names

    @property
    def suite_output(self) -> frozenset[str]:
        """Those of them that nobody else writes: neither code, nor configuration, nor guarded."""
        guarded = self._baseline.protection.guarded if self._baseline else {}
        return frozenset(
            name for name in self.suite_written_files if not is_source(name) and name not in guarded
        )

    @property
    def baseline_written_files(self) -> frozenset[str]:
        """The files whose content the suite changed at the baseline already, code too."""
        return self._writes.at_baseline

    # ---- an attempt ------------------------------------------------------------------------

    def record_attempt(self, attempt: int) -> None:
        """Remember the guarded files as the attempt finds them.

        What changed since the last verdict in this process was changed by something that the
        agent left running: nobody else was asked to work. After a pause it is the user's.

        Raises:
            InfrastructureError: a file cannot be read or kept.
        """
        if self.mode is not GuardMode.OFF:
            self._all_attempts.record_attempt(attempt)

    def resume_attempt(self, attempt: int) -> None:
        """Let an agent begin with what was remembered for an attempt, maybe by another process.

        Then the rules are remembered again: people may have changed them while the attempt lay
        half done. Where nobody can tell their changes from those of an agent that was killed, that
        is reported.

        Raises:
            LoopError: a file cannot be read or kept.
        """
        if self.mode is not GuardMode.OFF:
            self._all_attempts.resume_attempt(attempt)

    def explain_refusal(self, path: Path) -> str | None:
        """Return why a file must not be written now, in words for the agent; None if it may be."""
        if self.mode is not GuardMode.RESTORE or not self._attempts:
            return None
        return self._attempts.explain_refusal(path)

    def abort_attempt(self, attempt: int) -> Findings:
        """Restore the rules after an agent that did not finish; what changes now is people's.

        Raises:
            LoopError: a file cannot be written.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        return Findings(self._all_attempts.abort_attempt(attempt))

    def open_folders(self, attempt: int) -> Findings:
        """Open the folders that were closed since the baseline, before anybody looks at the files.

        Raises:
            InfrastructureError: a folder cannot be read.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        return Findings(self._all_attempts.open_folders(attempt))

    def revert_edits(self, attempt: int) -> Findings:
        """Make the guarded files and the environment what they were, before the suite judges.

        Raises:
            InfrastructureError: a file cannot be written, or what was kept of it is gone.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        return Findings(self._all_attempts.revert_edits(attempt))

    # ---- runs of the suite -----------------------------------------------------------------

    def watch_suite(
        self, run: Callable[[], SuiteReport], *, baseline: bool = False
    ) -> tuple[SuiteReport, Findings]:
        """Run the suite, and look before and after it.

        Args:
            run: runs the suite.
            baseline: whether it is the first run: what changes then, the suite itself writes.

        Returns:
            The report, and what changed that must not: guarded files, which are restored, and the
            project's sources.

        Raises:
            InfrastructureError: something cannot be read or restored.
        """
        if baseline:
            return self._writes.watch_run(run, baseline=True)[0], Findings()
        self._suite_tree = None
        attempts = self._load_latest_attempt() if self.mode is not GuardMode.OFF else None
        if attempts is None or attempts.manifest is None:
            return self._writes.watch_run(run)[0], Findings()
        rules, restore = self._current_baseline.protection, self.mode is GuardMode.RESTORE
        watch = SuiteWatch(rules, attempts.file_store, attempts.manifest, self._writes.contents)
        found: list[Finding] = []
        early = watch.check_before()
        if early and restore:
            # Nobody is asked to work now: something that the agent left behind does.
            attempts.restore_files(early, "late")
            found += build_findings(early, "after it was restored")
            watch.check_before()
        found += drop_bytecode(rules)
        report = run()
        seen, changes = watch.check_after()
        self._writes.record_writes(*watch.trees)
        if changes and restore:
            attempts.restore_files(changes, "suite")
        environment = attempts.check_environment("suite", "while the suite ran")
        self._suite_tree = None if (changes or environment) and restore else watch.trees[1]
        found = [*seen, *found, *(replace(each, decisive=True) for each in environment)]
        found += attempts.file_store.report_opened_folders()
        return report, Findings(tuple(self._apply_mode(found)))

    def collect_writes(self, run: Callable[[], SuiteReport]) -> tuple[SuiteReport, frozenset[str]]:
        """Run the suite where nothing is judged; return the files whose content it changed too.

        Raises:
            InfrastructureError: something cannot be read or kept.
        """
        self._suite_tree = None
        report, writes = self._writes.watch_run(run)
        return report, writes.changed

    # ---- the verdict -----------------------------------------------------------------------

    def check_verdict(
        self,
        attempt: int,
        report: SuiteReport,
        diff: Diff,
        rerun: Rerun | None = None,
        *,
        solved: bool = True,
    ) -> Findings:
        """Look whether the verdict on an attempt can be believed.

        Args:
            attempt: its number.
            report: the run that the verdict rests on, made after `revert`.
            diff: what the agent changed.
            solved: whether the attempt counts as solved, if it is believed.
            rerun: runs selected cases again; without it that is not done.

        Raises:
            InfrastructureError: something cannot be read or kept.
        """
        if self.mode is GuardMode.OFF or not self._report:
            return Findings()
        attempts = self._all_attempts
        manifest = attempts.load_attempt(attempt)
        tree = self._consume_suite_tree(attempts, manifest)
        home = (self.environment or os.environ).get("HOME", os.path.expanduser("~"))  # noqa: PTH111
        checks = Checks(
            self._current_baseline, self._report, manifest, self.command, self.task, home
        )
        hidden = attempts.file_store.report_hidden_folders()
        found = self._apply_mode(
            (*hidden, *checks.iter_findings(report, diff, tree, solved=solved))
        )
        if self.mode is GuardMode.FLAG:
            return Findings(tuple(found))
        if rerun and solved and not any(finding.decisive for finding in found):
            found += self._control_run.compare_runs(
                self._report, report, manifest, lambda old: self.watch_suite(lambda: rerun(old))
            )
            tree = self._consume_suite_tree(attempts, manifest)
        found += attempts.file_store.report_opened_folders()
        found += attempts.check_rules(attempt, "while the suite ran")
        attempts.close_attempt(tree)
        return Findings(tuple(found))

    def is_caused_by_revert(self, case: Case) -> bool:
        """Return whether a new test fails only where something that it needs was reverted."""
        return self._attempts is not None and self._attempts.is_caused_by_revert(case)

    def describe_state(self) -> str:
        """Return in one line whether the tests are as they were; empty where nobody knows.

        Raises:
            InfrastructureError: a file cannot be read.
        """
        return self._attempts.describe_state() if self._attempts else ""

    # ---- below: the parts ------------------------------------------------------------------

    @property
    def _own_folder(self) -> Path:
        if self.folder is None:
            raise RuntimeError("the guard has no folder yet")
        return self.folder

    @property
    def _current_baseline(self) -> Baseline:
        # Where nobody has taken a baseline, names of files are all that there is.
        report = self._report or SuiteReport(SuiteOutcome.NO_TESTS, None)
        return self._ensure_baseline(report, None)

    def _ensure_baseline(self, report: SuiteReport, footprint: Footprint | None) -> Baseline:
        if self._baseline is None:
            self._baseline = Baseline.load(self._own_folder) or Baseline.derive(
                self._build_basis(report, footprint), self._writes.first, self._own_folder
            )
        return self._baseline

    def _build_basis(self, report: SuiteReport, footprint: Footprint | None) -> Basis:
        env = build_project_environment(self.project, self.environment)
        return Basis(
            self.project,
            self.command,
            report,
            footprint,
            unguarded=self.unguarded,
            path=env.get("PATH", os.defpath),
            plugins=list_environment_plugins(env),
            task=self.task,
        )

    @property
    def _all_attempts(self) -> Attempts:
        if self._attempts is None:
            instructions = Instructions(
                self.rule_files, self._own_folder, self.locks or self._own_folder / "locks"
            )
            restore, like = self.mode is GuardMode.RESTORE, self._writes.contents.list_states()
            self._attempts = Attempts(
                self._current_baseline, instructions, self._own_folder, restore=restore, like=like
            )
        return self._attempts

    def _consume_suite_tree(self, attempts: Attempts, manifest: Manifest) -> Tree:
        """Return the files that the verdict rests on: those that the suite left."""
        tree = (
            attempts.file_store.read_tree(manifest)
            if self._suite_tree is None
            else self._suite_tree
        )
        self._suite_tree = None
        return tree

    def _load_latest_attempt(self) -> Attempts | None:
        """Return the attempts, if any process has remembered one in this run."""
        if self._attempts and self._attempts.manifest:
            return self._attempts
        number = find_latest_attempt(self._own_folder)
        if number is None:
            return None
        self._all_attempts.load_attempt(number)
        return self._all_attempts

    @cached_property
    def _writes(self) -> SuiteWrites:
        return SuiteWrites(self.project, self.folder)

    @cached_property
    def _control_run(self) -> ControlRun:
        return ControlRun(self.project)

    def _apply_mode(self, found: Iterable[Finding]) -> list[Finding]:
        if self.mode is GuardMode.FLAG:
            return [replace(finding, decisive=False) for finding in found]
        return list(found)


def build_guard(
    project: Path,
    mode: GuardMode,
    command: str,
    environment: Mapping[str, str] | None = None,
    shelves: Sequence[RuleFiles] = (),
    locks: Path | None = None,
    unguarded: Sequence[str] = (),
) -> Guard:
    """Return the guard for a run, which still needs a folder.

    Args:
        project: the project's directory.
        mode: what becomes of edits.
        command: the suite's command.
        environment: what the suite's environment is made from; ours if None.
        shelves: the active rulebooks; the project's if there are none.
        locks: where rulebooks have their lock files; some folder of our own if None.
        unguarded: globs of files that are never guarded.
    """
    project = project.resolve()
    return Guard(
        project,
        mode,
        command,
        environment,
        tuple(unguarded),
        rule_files=shelves or (RuleFiles(project),),
        locks=locks,
    )


def build_disabled_guard() -> Guard:
    """Return a guard that guards nothing."""
    return Guard(Path(), GuardMode.OFF)
