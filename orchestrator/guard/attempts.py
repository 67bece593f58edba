"""Records, compares and restores what each attempt found: guarded files, environment, rules."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.guard.baseline import Baseline
from orchestrator.guard.environment_changes import EnvironmentGuard
from orchestrator.guard.errors import translate_os_errors
from orchestrator.guard.findings import KINDS, escape_name, limit_findings
from orchestrator.guard.guarded_file_store import MANIFEST_SUFFIX, GuardedFileStore
from orchestrator.guard.instruction_files import Instructions
from orchestrator.guard.manifest import Change, Manifest
from orchestrator.guard.protection import normalize_name
from orchestrator.guard.reverted_dependencies import has_reverted_dependency
from orchestrator.guard.shared_files import is_shared
from orchestrator.guard.tree import Tree
from orchestrator.models import Case, Finding
from orchestrator.platform import files

_REVERTED: Final = "reverted"

_REFUSAL: Final = (
    "{path} is guarded: tests that were there when this run began, and what configures them, are "
    "not to be edited. The verdict is taken on them as they were. Change the code that they test; "
    "new tests go into new files."
)

_MOST: Final = 30
_BETWEEN: Final = "between the attempts"


def find_latest_attempt(folder: Path) -> int | None:
    """Return the number of the last attempt that any process recorded in the guard's folder."""
    numbers = [
        int(match[1])
        for path in files.find_paths(folder, f"attempt-*{MANIFEST_SUFFIX}")
        if (match := re.fullmatch(r"attempt-(\d+)", path.stem))
    ]
    return max(numbers, default=None)


class Attempts:
    """The attempts of one run, one after the other.

    Args:
        baseline: what is guarded.
        instructions: the files with learned rules.
        folder: stores what was recorded and what was reverted.
        restore: whether edits are reverted, and not only reported.
        like: states of files that are already known.
    """

    def __init__(
        self,
        baseline: Baseline,
        instructions: Instructions,
        folder: Path,
        *,
        restore: bool,
        like: Tree | None = None,
    ) -> None:
        self._baseline, self._instructions = baseline, instructions
        self._folder, self._restore = folder, restore
        self.file_store = GuardedFileStore(baseline.protection, folder, like)
        self.manifest: Manifest | None = None
        """The files as the current attempt found them: the last one recorded or loaded."""
        self._number: int | None = None
        self._judged: Manifest | None = None
        """The guarded files after the last verdict, if it was reached in this process."""
        self._between: tuple[Finding, ...] = ()
        self._missing_bytecode: frozenset[str] = frozenset()
        self._reverted: dict[str, Path] = {}

    def record_attempt(self, number: int) -> None:
        """Record the guarded files when an attempt starts; revert changes since the last one.

        Raises:
            LoopError: a file cannot be read or stored.
        """
        self._between = ()
        if self._number is not None and self._restore:
            self._between = self.check_rules(self._number, _BETWEEN)
        tree = self.file_store.read_tree(self._judged)
        if self._judged and self._restore:
            undone = self._revert_changes(self._judged, f"{number}-before", _BETWEEN, tree)
            self._between += undone
            if undone:
                tree = self.file_store.read_tree(self._judged)
        known = self._judged or self.manifest
        self.manifest = self.file_store.record_manifest(f"attempt-{number}", known, tree)
        self._number, self._reverted = number, {}
        self._instructions.record_snapshot(number)

    def load_attempt(self, number: int) -> Manifest:
        """Return the files as an attempt found them, maybe in another process.

        Raises:
            InfrastructureError: the record is gone.
        """
        if self._number != number or self.manifest is None:
            self.manifest = self.file_store.load_manifest(f"attempt-{number}")
            self._number = number
        return self.manifest

    def resume_attempt(self, number: int) -> None:
        """Load what another process recorded for an attempt, before its agent starts.

        Raises:
            LoopError: a file cannot be read or stored.
        """
        if self._number == number:
            return
        self.load_attempt(number)
        # Nobody knows whether a person or the killed agent edited them, so they are only reported.
        left = "before the attempt started again; not reverted"
        self._between = tuple(
            replace(finding, text=f"{finding.text} {left}")
            for finding in self._instructions.find_tampering(number)
        )
        self._instructions.record_snapshot(number)

    def abort_attempt(self, number: int) -> tuple[Finding, ...]:
        """Restore the rules after an interrupted agent; later changes are people's own.

        Raises:
            LoopError: a file cannot be written.
        """
        found = self.check_rules(number)
        self._instructions.remove_snapshot(number)
        self._number = None
        return found

    def revert_edits(self, number: int) -> tuple[Finding, ...]:
        """Restore the guarded files and the environment, and report what had changed.

        Raises:
            InfrastructureError: a file cannot be written, or its stored copy is gone.
        """
        manifest = self.load_attempt(number)
        self.file_store.require_copies()
        tree = self.file_store.read_tree(manifest)
        self.file_store.remove_temporaries(manifest.entries, tree)
        found = self._revert_changes(manifest, str(number), "", tree)
        found += (
            *self.file_store.report_opened_folders(),
            *self.file_store.report_closed_folders(manifest),
        )
        environment = self.check_environment(str(number))
        return (*self._between, *found, *environment, *self.check_rules(number))

    def open_folders(self, number: int) -> tuple[Finding, ...]:
        """Make folders readable that were closed since the baseline, and report them.

        Named pipes are removed, too: git would wait for them without end.

        Raises:
            InfrastructureError: a folder cannot be read.
        """
        pipes = self.file_store.remove_git_pipes(self.load_attempt(number))
        return (*self.file_store.report_opened_folders(), *pipes)

    def close_attempt(self, tree: Tree) -> None:
        """Record the files after the verdict: nobody is asked to change them before the next one.

        Raises:
            InfrastructureError: a file cannot be read.
        """
        self._judged = self.file_store.record_manifest(None, self.manifest, tree)

    def explain_refusal(self, path: Path) -> str | None:
        """Return a message for the agent if it must not write a file now, None if it may."""
        if not self.manifest:
            return None
        rules = self._baseline.protection
        # A link may lead to a guarded file, and a guarded path through a link to another one.
        real = os.path.realpath(rules.project / path)
        for full in {normalize_name(rules.project, path), normalize_name(rules.project, real)}:
            guarded = full in self.manifest.entries or bool(rules.explain_prohibition(full))
            if guarded and not rules.is_free(full) and (not is_shared(full) or full in rules.whole):
                return _REFUSAL.format(path=full)
        return None

    def is_caused_by_revert(self, case: Case) -> bool:
        """Return whether a new test fails only where something that it needs was reverted."""
        manifest = self.manifest
        if not case.is_failing or not manifest or not case.file or not manifest.is_new(case.file):
            return False
        new = [name for name in self.file_store.read_tree(manifest) if manifest.is_new(name)]
        text, project = f"{case.message}\n{case.detail}", self._baseline.protection.project
        return has_reverted_dependency(
            project, case.file, text, self._collect_reverted_files(), new
        )

    def describe_state(self) -> str:
        """Return in one line whether the tests are unchanged; empty where that is not known.

        Raises:
            InfrastructureError: a file cannot be read.
        """
        if not self.manifest:
            return ""
        if not self._restore:
            return "the tests are as the agent left them"
        changed = self.file_store.find_changes(
            self.manifest, self.file_store.read_tree(self.manifest)
        )
        if not changed:
            return "the tests are as they were when the attempt began"
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        first = f"{changed[0].name}{more}"
        return f"changed tests are not reverted yet, `orchestrator resume` does that: {first}"

    # ---- what is compared and restored -----------------------------------------------------

    def restore_files(self, changes: Sequence[Change], when: str) -> None:
        """Restore guarded files in the middle of a verdict.

        Raises:
            InfrastructureError: a file cannot be written, or its stored copy is gone.
        """
        if self.manifest:
            self.file_store.restore_files(
                self.manifest, changes, self._resolve_backup_folder(f"{self._number}-{when}")
            )

    def check_environment(self, name: str, when: str = "") -> list[Finding]:
        """Return what differs in the environment; it is restored where there is a copy.

        Args:
            name: name of the folder for the replaced files.
            when: when it changed, as text for the findings; empty before the suite runs.

        Raises:
            InfrastructureError: something cannot be read or restored.
        """
        if self._baseline.environment is None:
            return []
        with translate_os_errors(self._baseline.protection.project):
            watch = EnvironmentGuard(
                self._baseline.environment,
                self._folder,
                self._resolve_backup_folder(name),
                restore=self._restore,
            )
            found = watch.check_environment(self._missing_bytecode if when else None)
            self._missing_bytecode = watch.list_missing_bytecode()
        return [replace(each, text=_join_parts(each.text, when)) for each in found]

    def check_rules(self, number: int, when: str = "") -> tuple[Finding, ...]:
        """Revert and return the edits of learned rules since an attempt started.

        Raises:
            LoopError: a file cannot be read or written.
        """
        name = f"{number} rules {when}".rstrip().replace(" ", "-")
        aside = self._resolve_backup_folder(name) if self._restore else None
        return tuple(
            replace(each, text=_join_parts(each.text, when, "reverted" * self._restore))
            for each in self._instructions.find_tampering(number, aside)
        )

    def _collect_reverted_files(self) -> Mapping[str, Path]:
        """Return what was reverted in this attempt, also by another process."""
        aside = self._resolve_backup_folder(str(self._number))
        stored = {
            os.path.relpath(path, aside): Path(path)
            for path in files.iter_files(aside)
            if files.is_file(path)
        }
        return {**stored, **self._reverted}

    def _revert_changes(
        self, to: Manifest, name: str, when: str, tree: Tree
    ) -> tuple[Finding, ...]:
        changes = self.file_store.find_changes(to, tree)
        done = ""
        if self._restore:
            changes = [*changes, *self.file_store.find_moved_files(to, changes, tree)]
            aside = self._resolve_backup_folder(name)
            self.file_store.restore_files(to, changes, aside)
            if name.isdigit():
                self._reverted |= {change.name: aside / change.name for change in changes}
            done = "reverted"
        found = [
            Finding(KINDS[each.kind], escape_name(each.name), _join_parts(each.what, when, done))
            for each in changes
        ]
        return tuple(limit_findings(found, "the tests", "files", _MOST))

    def _resolve_backup_folder(self, name: str) -> Path:
        return self._folder / _REVERTED / name


def _join_parts(*parts: str) -> str:
    return ", ".join(filter(None, parts))
