"""The guard of one run: remembers, refuses, puts back, and looks whether a verdict holds."""

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.guard import cases, rules, scan
from orchestrator.guard.essence import shared
from orchestrator.guard.pristine import Change, Look, Manifest, Pristine
from orchestrator.guard.watch import Kind, Watch, in_tests, is_test, watch
from orchestrator.memory import files
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
        shelf: the files with the learned rules, which are not the agent's to write either.
    """

    project: Path
    mode: GuardMode
    watch: Watch
    folder: Path | None = None
    shelf: Shelf | None = None
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
        look = self._pristine.look(self._settled)
        if self._settled and self.mode is GuardMode.RESTORE:
            when = "between the attempts"
            self._between = self._undo(self._settled, f"{attempt}-before", when, look)
            if self._between:
                look = self._pristine.look(self._settled)
        collected = cases.case_files(self._baseline) if self._baseline else set()
        known = self._settled or self._manifest
        self._manifest = self._pristine.remember(f"attempt-{attempt}", collected, known, look)
        self._remembered = attempt
        self._keep_rules(attempt)

    def take_up(self, attempt: int) -> None:
        """Go on with what was remembered for an attempt, maybe by another process."""
        if self.mode is not GuardMode.OFF and self._remembered != attempt:
            self._manifest = self._pristine.recall(f"attempt-{attempt}")
            self._remembered = attempt

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
        self.take_up(attempt)
        if not self._manifest:
            return Findings()
        found = self._undo(self._manifest, str(attempt), "", self._pristine.look(self._manifest))
        if self.mode is GuardMode.RESTORE:
            self._pristine.drop_caches(self._manifest)
        return Findings((*self._between, *found, *self._rules_found(attempt)))

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
        self.take_up(attempt)
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
        entries = self._manifest.entries
        self._settled = self._pristine.remember(None, entries, self._manifest, look)
        return Findings(tuple(found))

    # ---- below: one look each --------------------------------------------------------------

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

    def _keep_rules(self, attempt: int) -> None:
        kept = self._kept / f"rules-{attempt}"
        shutil.rmtree(kept, ignore_errors=True)
        for name, data in self._read_rules().items():
            (kept / name).parent.mkdir(parents=True, exist_ok=True)
            (kept / name).write_bytes(data)

    def _rules_found(self, attempt: int) -> tuple[Finding, ...]:
        now, kept = self._read_rules(), self._kept / f"rules-{attempt}"
        before = {
            path.relative_to(kept).as_posix(): path.read_bytes()
            for path in kept.rglob("*")
            if path.is_file()
        }
        found = []
        for name in sorted({*before, *now}):
            old, new = before.get(name), now.get(name)
            if old == new or not rules.rewritten(old, new):
                continue
            if self.mode is GuardMode.RESTORE:
                self._write_rules(name, rules.with_rules_of(old, new), attempt)
            done = "changed, put back" if self.mode is GuardMode.RESTORE else "changed"
            found.append(Finding(FindingKind.RULES, name, done))
        return tuple(found)

    def _read_rules(self) -> dict[str, bytes]:
        """The files that rules stand in, or would, as far as they are there."""
        if self.shelf is None:
            return {}
        found = {}
        for name in self.shelf.possible():
            with contextlib.suppress(RulebookError):
                content = files.read(self.shelf.path(name))
                if content.stat:
                    found[name] = content.data
        return found

    def _write_rules(self, name: str, data: bytes | None, attempt: int) -> None:
        if self.shelf is None:
            return
        kept = self._kept / "put-back" / str(attempt) / name
        if (now := self._read_rules().get(name)) is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(now)
        try:
            path = self.shelf.path(name)
        except RulebookError:  # a link to somewhere else, which was none before
            path = self.shelf.freed(name)
        with files.explained(path, "written"):
            if data is None:
                path.unlink(missing_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, data, files.read(path))


def guard_of(
    project: Path,
    mode: GuardMode,
    command: str,
    environment: Mapping[str, str] | None = None,
    shelf: Shelf | None = None,
) -> Guard:
    """The guard for a run, which still needs a folder.

    Args:
        project: the project's directory.
        mode: what becomes of edits.
        command: the suite's command.
        environment: what the suite's environment is made from; ours if None.
        shelf: the files with the learned rules; the project's if None.
    """
    project = project.resolve()
    guarded = watch(project, command, environment)
    return Guard(project, mode, guarded, shelf=shelf or Shelf(project))


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
