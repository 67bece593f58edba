"""Checks the project before and after a run of the suite: what is tested must not change."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.guard.bytecode import drop_project_bytecode
from orchestrator.guard.errors import translate_os_errors
from orchestrator.guard.findings import KINDS, escape_name, limit_findings
from orchestrator.guard.guarded_file_store import GuardedFileStore
from orchestrator.guard.manifest import Change, Manifest
from orchestrator.guard.protection import Protection
from orchestrator.guard.suite_writes import Contents
from orchestrator.guard.tree import FileState, Tree, unpack_stamp
from orchestrator.models import Finding, FindingKind

_SOURCE: Final = re.compile(
    r"\.(?:py|pyx|[cm]?[jt]sx?|go|rs|rb|php|java|kt|cs|c|cc|cpp|h|hpp|sh|ex|exs|lua|pl|so|pyd)$"
)
_WHEN: Final = "while the suite ran"


class SuiteWatch:
    """One watched run of the suite.

    Args:
        rules: what is guarded.
        file_store: the guarded files.
        manifest: the files as they were when the attempt started.
        contents: digests of the files' content.
    """

    def __init__(
        self,
        rules: Protection,
        file_store: GuardedFileStore,
        manifest: Manifest,
        contents: Contents,
    ) -> None:
        self._rules, self._file_store, self._manifest = rules, file_store, manifest
        self._contents = contents
        self._before: Tree = {}
        self._after: Tree = {}

    @property
    def trees(self) -> tuple[Tree, Tree]:
        """The project's files before and after the run."""
        return self._before, self._after

    def check_before(self) -> list[Change]:
        """Read the project before the suite runs; return guarded files that differ."""
        self._before = self._file_store.read_tree(self._manifest)
        self._contents.record_tree(self._before)
        return self._file_store.find_changes(self._manifest, self._before)

    def check_after(self) -> tuple[list[Finding], list[Change]]:
        """Read the project again; return findings, and the guarded files to restore."""
        tree = self._after = self._file_store.read_tree(self._manifest)
        changes = [
            change
            for change in self._file_store.find_changes(self._manifest, tree)
            if tree.get(change.name) != self._before.get(change.name)
        ]
        volatile = self._rules.volatile | self._rules.regenerated
        found = build_findings((each for each in changes if each.name not in volatile), _WHEN)
        found += self._iter_rewritten_files(tree, {change.name for change in changes})
        return limit_findings(found, "the project", "files"), changes

    def _iter_rewritten_files(self, tree: Tree, known: set[str]) -> Iterator[Finding]:
        """Yield findings for files that were written during the run, even with the same content.

        Code under test could change a file while a test reads it, and change it again before the
        second look.
        """
        volatile = self._rules.volatile | self._rules.regenerated
        for name, at in self._before.items():
            now = tree.get(name)
            if now == at:
                continue
            if name in known or name in volatile or self._rules.is_unguarded(name):
                continue
            guarded = name in self._manifest.entries
            if not guarded and not _SOURCE.search(name):
                continue
            if now is not None and self._is_usual_write(name, at, now):
                continue
            kind = KINDS[self._manifest.entries[name].kind] if guarded else FindingKind.SUSPICIOUS
            what = "deleted" if now is None else "rewritten"
            yield Finding(kind, escape_name(name), f"{what} {_WHEN}", decisive=True)

    def _is_usual_write(self, name: str, at: FileState, now: FileState) -> bool:
        """Return whether a file was touched as at the baseline, and has its former content."""
        if name not in self._rules.rewritten and unpack_stamp(at) != unpack_stamp(now):
            return False
        return name in self._rules.touched and self._contents.has_same_content(name, at, now)


def drop_bytecode(rules: Protection) -> list[Finding]:
    """Remove the project's bytecode; return findings for what cannot be removed, and would run.

    Raises:
        InfrastructureError: a file cannot be removed for another reason than its owner.
    """
    text = "bytecode that does not match its source would run, and cannot be removed"
    with translate_os_errors(rules.project):
        wrong = drop_project_bytecode(rules.project, rules.environments)
    return [Finding(FindingKind.TEST_CONFIG, name, text, decisive=True) for name in wrong]


def build_findings(changes: Iterable[Change], when: str) -> list[Finding]:
    """Return a decisive finding for each change."""
    return [
        Finding(KINDS[each.kind], escape_name(each.name), f"{each.what} {when}", decisive=True)
        for each in changes
    ]
