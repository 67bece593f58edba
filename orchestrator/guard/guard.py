"""The guard of one run: remembers, refuses, restores, and looks whether a verdict holds."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from orchestrator.guard.attempts import Attempts, latest_attempt
from orchestrator.guard.baseline import Baseline
from orchestrator.guard.checks import Checks
from orchestrator.guard.control_run import ControlRun
from orchestrator.guard.derivation import Basis
from orchestrator.guard.instructions import Instructions
from orchestrator.guard.manifest import Manifest
from orchestrator.guard.protection import Guarded
from orchestrator.guard.suite_watch import SuiteWatch, drop_bytecode, findings_of
from orchestrator.guard.suite_writes import SuiteWrites, is_source
from orchestrator.guard.tree import Tree
from orchestrator.models import Case, Diff, Finding, Findings, SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.rulebook.shelf import Shelf
from orchestrator.suites.environment import project_environment
from orchestrator.suites.pytest.settings import plugins_by_environment


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
    shelves: Sequence[Shelf] = ()
    locks: Path | None = None
    task: str = ""
    _report: SuiteReport | None = None
    """The suite's before any agent worked."""
    _baseline: Baseline | None = None
    _attempts: Attempts | None = None
    _left: Tree | None = None
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
            self._recall_or_derive(report, footprint)

    def guarded(self) -> tuple[Guarded, ...]:
        """Return the guarded files, with the reason for each."""
        if self.mode is GuardMode.OFF or not self._baseline:
            return ()
        guarded = self._baseline.protection.guarded
        return tuple(sorted(guarded.values(), key=lambda each: each.path))

    @property
    def written_by_suite(self) -> frozenset[str]:
        """The files whose content runs of the suite changed so far, whatever the guard's mode."""
        return self._writes.names

    @property
    def suite_output(self) -> frozenset[str]:
        """Those of them that nobody else writes: neither code, nor configuration, nor guarded."""
        guarded = self._baseline.protection.guarded if self._baseline else {}
        return frozenset(
            name for name in self.written_by_suite if not is_source(name) and name not in guarded
        )

    @property
    def rewritten_each_time(self) -> frozenset[str]:
        """The files whose content the suite changed at the baseline already, code too."""
        return self._writes.at_baseline

    # ---- an attempt ------------------------------------------------------------------------

    def remember(self, attempt: int) -> None:
        """Remember the guarded files as the attempt finds them.

        What changed since the last verdict in this process was changed by something that the
        agent left running: nobody else was asked to work. After a pause it is the user's.

        Raises:
            InfrastructureError: a file cannot be read or kept.
        """
        if self.mode is not GuardMode.OFF:
            self._all_attempts.remember(attempt)

    def take_up(self, attempt: int) -> None:
        """Let an agent begin with what was remembered for an attempt, maybe by another process.

        Then the rules are remembered again: people may have changed them while the attempt lay
        half done. Where nobody can tell their changes from those of an agent that was killed, that
        is reported.

        Raises:
            LoopError: a file cannot be read or kept.
        """
        if self.mode is not GuardMode.OFF:
            self._all_attempts.take_up(attempt)

    def refuse(self, path: Path) -> str | None:
        """Return why a file must not be written now, in words for the agent; None if it may be."""
        if self.mode is not GuardMode.RESTORE or not self._attempts:
            return None
        return self._attempts.refuse(path)

    def break_off(self, attempt: int) -> Findings:
        """Restore the rules after an agent that did not finish; what changes now is people's.

        Raises:
            LoopError: a file cannot be written.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        return Findings(self._all_attempts.break_off(attempt))

    def open_folders(self, attempt: int) -> Findings:
        """Open the folders that were closed since the baseline, before anybody looks at the files.

        Raises:
            InfrastructureError: a folder cannot be read.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        return Findings(self._all_attempts.open_folders(attempt))

    def revert(self, attempt: int) -> Findings:
        """Make the guarded files and the environment what they were, before the suite judges.

        Raises:
            InfrastructureError: a file cannot be written, or what was kept of it is gone.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        return Findings(self._all_attempts.revert(attempt))

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
            return self._writes.watch(run, baseline=True)[0], Findings()
        self._left = None
        attempts = self._recall_latest() if self.mode is not GuardMode.OFF else None
        if attempts is None or attempts.manifest is None:
            return self._writes.watch(run)[0], Findings()
        rules, restore = self._derived.protection, self.mode is GuardMode.RESTORE
        watch = SuiteWatch(rules, attempts.kept, attempts.manifest, self._writes.contents)
        found: list[Finding] = []
        early = watch.before()
        if early and restore:
            # Nobody is asked to work now: something that the agent left behind does.
            attempts.restore(early, "late")
            found += findings_of(early, "after it was restored")
            watch.before()
        found += drop_bytecode(rules)
        report = run()
        seen, changes = watch.after()
        self._writes.add(*watch.looks)
        if changes and restore:
            attempts.restore(changes, "suite")
        environment = attempts.check_environment("suite", "while the suite ran")
        self._left = None if (changes or environment) and restore else watch.looks[1]
        found = [*seen, *found, *(replace(each, decisive=True) for each in environment)]
        found += attempts.kept.opened_findings()
        return report, Findings(tuple(self._weighed(found)))

    def collect_writes(self, run: Callable[[], SuiteReport]) -> tuple[SuiteReport, frozenset[str]]:
        """Run the suite where nothing is judged; return the files whose content it changed too.

        Raises:
            InfrastructureError: something cannot be read or kept.
        """
        self._left = None
        report, writes = self._writes.watch(run)
        return report, writes.changed

    # ---- the verdict -----------------------------------------------------------------------

    def check(
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
        manifest = attempts.recall(attempt)
        tree = self._look_after_suite(attempts, manifest)
        home = (self.environment or os.environ).get("HOME", os.path.expanduser("~"))  # noqa: PTH111
        checks = Checks(self._derived, self._report, manifest, self.command, self.task, home)
        hidden = attempts.kept.hidden_findings()
        found = self._weighed((*hidden, *checks.findings(report, diff, tree, solved=solved)))
        if self.mode is GuardMode.FLAG:
            return Findings(tuple(found))
        if rerun and solved and not any(finding.decisive for finding in found):
            found += self._control.findings(
                self._report, report, manifest, lambda old: self.watch_suite(lambda: rerun(old))
            )
            tree = self._look_after_suite(attempts, manifest)
        found += attempts.kept.opened_findings()
        found += attempts.check_rules(attempt, "while the suite ran")
        attempts.close(tree)
        return Findings(tuple(found))

    def reverted_for(self, case: Case) -> bool:
        """Return whether a new test fails only where something that it needs was reverted."""
        return self._attempts is not None and self._attempts.reverted_for(case)

    def describe_state(self) -> str:
        """Return in one line whether the tests are as they were; empty where nobody knows.

        Raises:
            InfrastructureError: a file cannot be read.
        """
        return self._attempts.describe_state() if self._attempts else ""

    # ---- below: the parts ------------------------------------------------------------------

    @property
    def _own(self) -> Path:
        if self.folder is None:
            raise RuntimeError("the guard has no folder yet")
        return self.folder

    @property
    def _derived(self) -> Baseline:
        # Where nobody has taken a baseline, names of files are all that there is.
        report = self._report or SuiteReport(SuiteOutcome.NO_TESTS, None)
        return self._recall_or_derive(report, None)

    def _recall_or_derive(self, report: SuiteReport, footprint: Footprint | None) -> Baseline:
        if self._baseline is None:
            self._baseline = Baseline.recall(self._own) or Baseline.derive(
                self._basis(report, footprint), self._writes.first, self._own
            )
        return self._baseline

    def _basis(self, report: SuiteReport, footprint: Footprint | None) -> Basis:
        env = project_environment(self.project, self.environment)
        return Basis(
            self.project,
            self.command,
            report,
            footprint,
            unguarded=self.unguarded,
            path=env.get("PATH", os.defpath),
            plugins=plugins_by_environment(env),
            task=self.task,
        )

    @property
    def _all_attempts(self) -> Attempts:
        if self._attempts is None:
            instructions = Instructions(self.shelves, self._own, self.locks or self._own / "locks")
            restore, like = self.mode is GuardMode.RESTORE, self._writes.contents.states()
            self._attempts = Attempts(
                self._derived, instructions, self._own, restore=restore, like=like
            )
        return self._attempts

    def _look_after_suite(self, attempts: Attempts, manifest: Manifest) -> Tree:
        """Return the files that the verdict rests on: those that the suite left."""
        tree = attempts.kept.look(manifest) if self._left is None else self._left
        self._left = None
        return tree

    def _recall_latest(self) -> Attempts | None:
        """Return the attempts, if any process has remembered one in this run."""
        if self._attempts and self._attempts.manifest:
            return self._attempts
        number = latest_attempt(self._own)
        if number is None:
            return None
        self._all_attempts.recall(number)
        return self._all_attempts

    @cached_property
    def _writes(self) -> SuiteWrites:
        return SuiteWrites(self.project, self.folder)

    @cached_property
    def _control(self) -> ControlRun:
        return ControlRun(self.project)

    def _weighed(self, found: Iterable[Finding]) -> list[Finding]:
        if self.mode is GuardMode.FLAG:
            return [replace(finding, decisive=False) for finding in found]
        return list(found)


def guard_of(
    project: Path,
    mode: GuardMode,
    command: str,
    environment: Mapping[str, str] | None = None,
    shelves: Sequence[Shelf] = (),
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
        shelves=shelves or (Shelf(project),),
        locks=locks,
    )


def no_guard() -> Guard:
    """Return a guard that guards nothing."""
    return Guard(Path(), GuardMode.OFF)
