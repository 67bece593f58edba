"""The guard of one run: remembers, refuses, puts back, and looks whether a verdict holds."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from orchestrator.guard import cases, scan
from orchestrator.guard.essence import shared
from orchestrator.guard.instructions import Instructions
from orchestrator.guard.pristine import Change, Look, Manifest, Pristine
from orchestrator.guard.watch import Kind, Watch, in_tests, is_test, watch
from orchestrator.memory.shelf import Shelf
from orchestrator.models import Diff, Finding, FindingKind, Findings, SuiteReport

_KINDS: Final = {Kind.TEST: FindingKind.TEST, Kind.STEERING: FindingKind.STEERING}
_LARGEST_SOURCE: Final = 2_000_000
_SHOWN: Final = 30

_REFUSAL: Final = (
    "{path} is guarded: tests that were there when this run began, and what steers them, are not "
    "to be edited. The verdict is taken on them as they were. Change the code that they test; "
    "new tests go into new files."
)


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
        project: the project's directory.
        mode: what becomes of edits.
        watch: which files are guarded.
        folder: keeps pristine content, and what was put back. Set it before anything is asked but
            `refuse`.
        shelves: the rulebooks in force, which are not the agent's to write either.
        locks: where rulebooks have their lock files; some folder of our own if None.
    """

    project: Path
    mode: GuardMode
    watch: Watch
    folder: Path | None = None
    shelves: Sequence[Shelf] = ()
    locks: Path | None = None
    _baseline: SuiteReport | None = None
    _manifest: Manifest | None = None
    _settled: Manifest | None = None
    """Guarded files as the last attempt's verdict left them, if that was in this process."""
    _between: tuple[Finding, ...] = ()
    _remembered: int | None = None
    """The attempt whose files `_manifest` has."""

    def take_baseline(self, report: SuiteReport) -> None:
        """Take the report that later ones are held against."""
        self._baseline = report

    def remember(self, attempt: int) -> None:
        """Remember the guarded files as the attempt finds them.

        What changed since the last verdict in this process was changed by something that the
        agent left running: nobody else was asked to work. After a pause it is the user's.

        Raises:
            InfrastructureError: a file cannot be read or kept.
        """
        if self.mode is GuardMode.OFF:
            return
        self._between = ()
        if self._remembered is not None and self.mode is GuardMode.RESTORE:
            self._between = self._rules_tampered(self._remembered, "between the attempts")
        look = self._pristine.look(self._settled)
        if self._settled and self.mode is GuardMode.RESTORE:
            when = "between the attempts"
            undone = self._undo(self._settled, f"{attempt}-before", when, look)
            self._between += undone
            if undone:
                look = self._pristine.look(self._settled)
        collected = cases.case_files(self._baseline) if self._baseline else set()
        known = self._settled or self._manifest
        self._manifest = self._pristine.remember(f"attempt-{attempt}", collected, known, look)
        self._remembered = attempt
        self._instructions.remember(attempt)

    def take_up(self, attempt: int) -> None:
        """Let an agent begin with what was remembered for an attempt, maybe by another process.

        Then the rules are remembered anew: people may have changed them while the attempt lay
        half done. Where nobody can tell their changes from those of an agent that was killed, that
        is reported.

        Raises:
            LoopError: a file cannot be read or kept.
        """
        if self.mode is GuardMode.OFF or self._remembered == attempt:
            return
        self._recall(attempt)
        left = "before the attempt began again; left as it is"
        self._between = tuple(
            replace(finding, text=f"{finding.text} {left}")
            for finding in self._instructions.tampered(attempt)
        )
        self._instructions.remember(attempt)

    def break_off(self, attempt: int) -> Findings:
        """Put the rules back after an agent that did not finish; what changes now is people's.

        Raises:
            LoopError: a file cannot be written.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        found = self._rules_tampered(attempt)
        self._instructions.forget(attempt)
        self._remembered = None
        return Findings(found)

    def refuse(self, path: Path) -> str | None:
        """Why a file must not be written now, in words for the agent; None if it may be."""
        if self.mode is not GuardMode.RESTORE or not self._manifest:
            return None
        names = {Path(os.path.normpath(self.project / path)), (self.project / path).resolve()}
        for full in names:
            if full.is_relative_to(self.project):
                name = full.relative_to(self.project).as_posix()
                guarded = name in self._manifest.entries or self.watch.steers(name)
                if guarded and not shared(name):
                    return _REFUSAL.format(path=name)
        return None

    def put_back(self, attempt: int) -> Findings:
        """Make the guarded files what they were, before the suite judges.

        Raises:
            InfrastructureError: a file cannot be written.
        """
        self._recall(attempt)
        if not self._manifest:
            return Findings()
        found = self._undo(self._manifest, str(attempt), "", self._pristine.look(self._manifest))
        if self.mode is GuardMode.RESTORE:
            self._pristine.drop_caches(self._manifest)
        return Findings((*self._between, *found, *self._rules_tampered(attempt)))

    def check(
        self, attempt: int, report: SuiteReport, diff: Diff, rerun: Rerun | None = None
    ) -> Findings:
        """Look whether the verdict on an attempt can be believed.

        Args:
            attempt: its number.
            report: the verdict, taken after `put_back`.
            diff: what the agent changed.
            rerun: runs selected cases again; without it that is not done.
        """
        self._recall(attempt)
        if not self._manifest or not self._baseline:
            return Findings()
        look = self._pristine.look(self._manifest)
        found = self._during_suite(attempt, look)
        if found:
            look = self._pristine.look(self._manifest)
        found += self._scanned(diff, look)
        found += cases.hidden(self._baseline, report)
        found += cases.disagreeing(self._baseline, report)
        if self.mode is GuardMode.FLAG:
            return Findings(tuple(replace(finding, decisive=False) for finding in found))
        if rerun and report.passed and not any(finding.decisive for finding in found):
            found += self._without_new_tests(report, rerun)
            look = self._pristine.look(self._manifest)
        found += self._rules_tampered(attempt, "while the suite ran")
        entries = self._manifest.entries
        self._settled = self._pristine.remember(None, entries, self._manifest, look)
        return Findings(tuple(found))

    # ---- below: one look each --------------------------------------------------------------

    def _recall(self, attempt: int) -> None:
        if self.mode is not GuardMode.OFF and self._remembered != attempt:
            self._manifest = self._pristine.recall(f"attempt-{attempt}")
            self._remembered = attempt

    @property
    def _pristine(self) -> Pristine:
        return Pristine(self.project, self.watch, self._kept)

    @property
    def _kept(self) -> Path:
        if self.folder is None:
            raise RuntimeError("the guard has no folder yet")
        return self.folder

    def _undo(self, to: Manifest, name: str, when: str, look: Look) -> tuple[Finding, ...]:
        changes = self._pristine.changes(to, look)
        done = ""
        if self.mode is GuardMode.RESTORE:
            self._pristine.put_back(to, changes, self._kept / "put-back" / name)
            done = "put back"
        found = [_finding(change, ", ".join(filter(None, (when, done)))) for change in changes]
        more = len(found) - _SHOWN
        if more > 0:
            rest = Finding(FindingKind.TEST, "the tests", f"and {more} more files")
            return (*found[:_SHOWN], rest)
        return tuple(found)

    def _during_suite(self, attempt: int, look: Look) -> list[Finding]:
        """Guarded code that the code under test changed while it was being tested."""
        if self.mode is not GuardMode.RESTORE or not self._manifest:
            return []
        changes = [
            change
            for change in self._pristine.changes(self._manifest, look)
            # Tests may write data of their own; nothing writes tests.
            if change.kind is Kind.STEERING or is_test(change.path) or change.path.endswith(".py")
        ]
        kept = self._kept / "put-back" / f"{attempt}-suite"
        self._pristine.put_back(self._manifest, changes, kept)
        return [
            replace(_finding(change, "while the suite ran"), decisive=True) for change in changes
        ]

    def _scanned(self, diff: Diff, look: Look) -> list[Finding]:
        if not self._manifest:
            return []
        lines = scan.added_lines(diff.patch)
        found = []
        for path, new in self._pristine.new_sources(self._manifest, look).items():
            full = self.project / path
            if full.is_symlink() or not full.is_file() or full.stat().st_size > _LARGEST_SOURCE:
                continue
            # What git does not see is in no patch: then any line may be new.
            added = None if new else lines.get(path)
            for text in scan.suspicious(full.read_bytes(), added, test=in_tests(path)):
                found.append(Finding(FindingKind.SUSPICIOUS, _shown(path), text, decisive=True))
        return found[:_SHOWN]

    def _without_new_tests(self, report: SuiteReport, rerun: Rerun) -> list[Finding]:
        """New tests may do anything in the process of the old ones, so those run alone too."""
        if not self._baseline or not self._manifest:
            return []
        new = cases.case_files(report) - cases.case_files(self._baseline)
        new = {path for path in new if path not in self._manifest.entries}
        old = sorted(cases.test_files(self._baseline, self.project))
        if not new or not old:
            return []
        return cases.agreeing(report, rerun(old), new)

    # ---- the learned rules -----------------------------------------------------------------

    @property
    def _instructions(self) -> Instructions:
        return Instructions(self.shelves, self._kept, self.locks or self._kept / "locks")

    def _rules_tampered(self, attempt: int, when: str = "") -> tuple[Finding, ...]:
        restore = self.mode is GuardMode.RESTORE
        name = f"{attempt} rules {when}".rstrip().replace(" ", "-")
        aside = self._kept / "put-back" / name if restore else None
        return tuple(
            replace(each, text=", ".join(filter(None, (each.text, when, "put back" * restore))))
            for each in self._instructions.tampered(attempt, aside)
        )


def guard_of(
    project: Path,
    mode: GuardMode,
    command: str,
    environment: Mapping[str, str] | None = None,
    shelves: Sequence[Shelf] = (),
    locks: Path | None = None,
) -> Guard:
    """The guard for a run, which still needs a folder.

    Args:
        project: the project's directory.
        mode: what becomes of edits.
        command: the suite's command.
        environment: what the suite's environment is made from; ours if None.
        shelves: the rulebooks in force; the project's if there are none.
        locks: where rulebooks have their lock files; some folder of our own if None.
    """
    project = project.resolve()
    guarded = watch(project, command, environment)
    return Guard(project, mode, guarded, shelves=shelves or (Shelf(project),), locks=locks)


def no_guard() -> Guard:
    """A guard that guards nothing."""
    nothing: frozenset[str] = frozenset()
    here = Path()
    return Guard(here, GuardMode.OFF, Watch(here, nothing, nothing, nothing, nothing))


def _finding(change: Change, done: str) -> Finding:
    text = f"{change.what}, {done}" if done else change.what
    return Finding(_KINDS[change.kind], _shown(change.path), text)


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
