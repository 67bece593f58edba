"""The guard of one run: protects the tests from edits, and checks that verdicts are reliable."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from orchestrator.guard.attempts import Attempts, find_latest_attempt
from orchestrator.guard.baseline import Baseline
from orchestrator.guard.control_run import ControlRun
from orchestrator.guard.instruction_files import Instructions
from orchestrator.guard.manifest import Manifest
from orchestrator.guard.mode import GuardMode
from orchestrator.guard.protection import GuardedFile
from orchestrator.guard.protection_derivation import Basis
from orchestrator.guard.suite_runs import SuiteRuns
from orchestrator.guard.suite_writes import is_source
from orchestrator.guard.verdict_checks import VerdictChecks
from orchestrator.models import Attempt, Case, Diff, Finding, Findings, SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.pytest.settings import list_environment_plugins

Rerun = Callable[[Sequence[str]], SuiteReport]
"""Runs the cases with the given ids again."""


@dataclass
class Guard:
    """Guards the tests during one run.

    Args:
        project: the project's folder, without symbolic links in its path.
        mode: what happens to edits to guarded files.
        folder: stores guarded content and reverted edits, including for a process that resumes.
        command: the suite's command.
        environment: the base of the suite's environment; this process's environment if None.
        unguarded: globs of files that are never guarded.
        rule_files: the active rulebooks, which the agent must not write either.
        locks: the folder of the rulebooks' lock files; a subfolder of `folder` if None.
        task: the task's text; values that it mentions may be hard-coded.
    """

    project: Path
    mode: GuardMode
    folder: Path
    command: str = ""
    environment: Mapping[str, str] | None = None
    unguarded: tuple[str, ...] = ()
    rule_files: Sequence[RuleFiles] = ()
    locks: Path | None = None
    task: str = ""
    _report: SuiteReport | None = None
    """The suite's report before any agent worked."""
    _baseline: Baseline | None = None
    _attempts: Attempts | None = None

    # ---- the baseline ----------------------------------------------------------------------

    def record_baseline(self, report: SuiteReport, footprint: Footprint | None) -> None:
        """Derive what is guarded from the baseline, or load what an earlier process derived.

        Args:
            report: the suite's report from before any agent worked.
            footprint: what the suite recorded; if None, file names decide what is guarded.

        Raises:
            InfrastructureError: something cannot be read or stored.
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
        """The files that the suite has changed in its runs so far; recorded in every mode."""
        return self._suite_runs.writes.names

    @property
    def suite_output(self) -> frozenset[str]:
        """Those of `suite_written_files` that are neither code nor configuration nor guarded."""
        guarded = self._baseline.protection.guarded if self._baseline else {}
        return frozenset(
            name for name in self.suite_written_files if not is_source(name) and name not in guarded
        )

    @property
    def baseline_written_files(self) -> frozenset[str]:
        """The files, including code, that the suite changed in its baseline run."""
        return self._suite_runs.writes.at_baseline

    # ---- an attempt ------------------------------------------------------------------------

    def record_attempt(self, attempt: int) -> None:
        """Record the guarded files as they are when the attempt starts.

        Changes since the last verdict in this process are reverted: they come from something that
        the agent left running, because nobody else was asked to work. Changes made while the run
        was paused are the user's, and are not reverted.

        Raises:
            InfrastructureError: a file cannot be read or stored.
        """
        if self.mode is not GuardMode.OFF:
            self._all_attempts.record_attempt(attempt)

    def resume_attempt(self, attempt: int) -> None:
        """Load the record of an attempt, possibly by another process, before its agent starts.

        The rules are recorded again, because people may have edited them after the attempt was
        interrupted. Edits that the killed agent may have made are reported.

        Raises:
            LoopError: a file cannot be read or stored.
        """
        if self.mode is not GuardMode.OFF:
            self._all_attempts.resume_attempt(attempt)

    def explain_refusal(self, path: Path) -> str | None:
        """Return a message for the agent if it must not write a file now, None if it may."""
        if self.mode is not GuardMode.RESTORE or not self._attempts:
            return None
        return self._attempts.explain_refusal(path)

    def abort_attempt(self, attempt: int) -> Findings:
        """Restore the rules after an agent was interrupted; later changes count as the user's.

        Raises:
            LoopError: a file cannot be written.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        return Findings(self._all_attempts.abort_attempt(attempt))

    def open_folders(self, attempt: int) -> Findings:
        """Make folders readable that lost read permission since the baseline, to compare files.

        Raises:
            InfrastructureError: a folder cannot be read.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        return Findings(self._all_attempts.open_folders(attempt))

    def review(self, attempt: Attempt) -> Findings:
        """Revert an attempt's edits to guarded files with `revert_edits`, and report them.

        Raises:
            InfrastructureError: a file cannot be restored.
        """
        return self.revert_edits(attempt.number)

    def revert_edits(self, attempt: int) -> Findings:
        """Restore the guarded files and the environment, before the suite judges the attempt.

        Raises:
            InfrastructureError: a file cannot be written, or its stored copy is gone.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        return Findings(self._all_attempts.revert_edits(attempt))

    # ---- runs of the suite -----------------------------------------------------------------

    def watch_suite(
        self, run: Callable[[], SuiteReport], *, baseline: bool = False
    ) -> tuple[SuiteReport, Findings]:
        """Run the suite, and compare the files before and after it.

        Args:
            run: runs the suite.
            baseline: whether it is the first run, whose changes count as the suite's own output.

        Returns:
            The report, and findings for forbidden changes to guarded files, which are restored, and
            to the project's sources.

        Raises:
            InfrastructureError: something cannot be read or restored.
        """
        attempts = None if baseline else self._load_latest_attempt()
        if attempts is None or attempts.manifest is None:
            return self._suite_runs.run_unguarded(run, baseline=baseline)[0], Findings()
        rules, restore = self._current_baseline.protection, self.mode is GuardMode.RESTORE
        report, found = self._suite_runs.run_guarded(
            run, rules, attempts, attempts.manifest, restore=restore
        )
        return report, Findings(tuple(self._apply_mode(found)))

    def collect_writes(self, run: Callable[[], SuiteReport]) -> tuple[SuiteReport, frozenset[str]]:
        """Run the suite without judging the result; also return which files it changed.

        Raises:
            InfrastructureError: something cannot be read or stored.
        """
        report, writes = self._suite_runs.run_unguarded(run)
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
        """Check whether the verdict on an attempt can be trusted.

        Args:
            attempt: its number.
            report: the run that the verdict is based on, made after `revert_edits`.
            diff: what the agent changed.
            rerun: reruns selected cases, for the control run: the old tests without the new ones.
                There is no control run if None.
            solved: whether the attempt counts as solved, if its verdict is trusted.

        Raises:
            InfrastructureError: something cannot be read or stored.
        """
        if self.mode is GuardMode.OFF or not self._report:
            return Findings()
        attempts = self._all_attempts
        manifest = attempts.load_attempt(attempt)
        tree = self._suite_runs.consume_tree(attempts, manifest)
        checks = self._build_checks(self._report, manifest)
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
            tree = self._suite_runs.consume_tree(attempts, manifest)
        found += attempts.file_store.report_opened_folders()
        found += attempts.check_rules(attempt, "while the suite ran")
        attempts.close_attempt(tree)
        return Findings(tuple(found))

    def is_caused_by_revert(self, case: Case) -> bool:
        """Return whether a new test fails only because something that it needs was reverted."""
        return self._attempts is not None and self._attempts.is_caused_by_revert(case)

    def describe_state(self) -> str:
        """Return one line that says whether the tests are unchanged; empty if that is not known.

        Raises:
            InfrastructureError: a file cannot be read.
        """
        return self._attempts.describe_state() if self._attempts else ""

    # ---- the components, each created on first use --------------------------------------------

    @property
    def _current_baseline(self) -> Baseline:
        # Without a recorded baseline, only file names show what has to be guarded.
        report = self._report or SuiteReport(SuiteOutcome.NO_TESTS, None)
        return self._ensure_baseline(report, None)

    def _build_checks(self, before: SuiteReport, manifest: Manifest) -> VerdictChecks:
        # `Path.home` raises for a user without a home folder; `expanduser` returns `~` as it is.
        home = (self.environment or os.environ).get("HOME", os.path.expanduser("~"))  # noqa: PTH111
        return VerdictChecks(
            self._current_baseline, before, manifest, self.command, self.task, home
        )

    def _ensure_baseline(self, report: SuiteReport, footprint: Footprint | None) -> Baseline:
        if self._baseline is None:
            self._baseline = Baseline.load(self.folder) or Baseline.derive(
                self._build_basis(report, footprint), self._suite_runs.writes.first, self.folder
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
                self.rule_files, self.folder, self.locks or self.folder / "locks"
            )
            restore, like = (
                self.mode is GuardMode.RESTORE,
                self._suite_runs.writes.contents.list_states(),
            )
            self._attempts = Attempts(
                self._current_baseline, instructions, self.folder, restore=restore, like=like
            )
        return self._attempts

    def _load_latest_attempt(self) -> Attempts | None:
        """Return the attempts, if any process has recorded one in this run."""
        if self.mode is GuardMode.OFF:
            return None
        if self._attempts and self._attempts.manifest:
            return self._attempts
        number = find_latest_attempt(self.folder)
        if number is None:
            return None
        self._all_attempts.load_attempt(number)
        return self._all_attempts

    @cached_property
    def _suite_runs(self) -> SuiteRuns:
        return SuiteRuns(self.project, self.folder)

    @cached_property
    def _control_run(self) -> ControlRun:
        return ControlRun(self.project)

    def _apply_mode(self, found: Iterable[Finding]) -> list[Finding]:
        if self.mode is GuardMode.FLAG:
            return [replace(finding, decisive=False) for finding in found]
        return list(found)
