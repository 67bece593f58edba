"""Compares the environment with its state at the baseline, and restores what can be restored.

Only files for which `lstat` returns something else are read.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from orchestrator.guard.environment_copies import EnvironmentCopies, digest_file
from orchestrator.guard.environment_state import (
    CACHE,
    EnvironmentState,
    SiteFolder,
    list_bytecode,
    read_site_folder,
)
from orchestrator.guard.findings import limit_findings
from orchestrator.guard.installed_packages import find_reinstalled_files
from orchestrator.guard.startup_files import is_harmless
from orchestrator.guard.tree import read_signature
from orchestrator.models import Finding, FindingKind
from orchestrator.platform import files


class EnvironmentGuard:
    """Compares the environment with its state at the baseline, and restores what can be restored.

    Args:
        state: the state at the baseline.
        folder: where the copies are stored.
        aside: where replaced files are moved to.
        restore: whether to restore, and not only to report.
    """

    def __init__(
        self, state: EnvironmentState, folder: Path, aside: Path, *, restore: bool
    ) -> None:
        self._state, self._restore = state, restore
        self._copies = EnvironmentCopies(state.copies, folder, aside)

    def list_missing_bytecode(self) -> frozenset[str]:
        """List recorded bytecode that is gone, which Python compiles again when it needs it."""
        return frozenset(path for path in self._state.caches if not os.path.lexists(path))

    def check_environment(self, compiled: Collection[str] | None = None) -> list[Finding]:
        """Return findings for all differences; files with a copy are restored.

        Args:
            compiled: None before the suite runs. Afterwards the bytecode that was missing when it
                started: Python may have compiled it, and that of modules never imported before.

        Raises:
            OSError: something cannot be read, or restored.
        """
        state = self._state
        found = [*self._iter_program_findings()]
        changed = [p for p, was in state.runner.items() if read_signature(p) != was]
        found += self._iter_runner_findings(changed)
        others = [p for p, was in state.installed.items() if read_signature(p) != was]
        found += self._iter_installed_findings(others)
        for site in state.sites:
            found += self._iter_site_findings(site)
        found += [
            _build_finding(path, "new on Python's search path, where nothing was")
            for path in state.absent
            if os.path.lexists(path)
        ]
        found += self._iter_cache_findings(frozenset({*changed, *others}), compiled)
        return limit_findings(found, "the environment")

    def _iter_program_findings(self) -> Iterator[Finding]:
        for path, was in self._state.fixed.items():
            if read_signature(path) != was and not self._copies.is_unchanged(path):
                yield from self._restore_file(path, "interpreter or program changed")

    def _iter_runner_findings(self, changed: Collection[str]) -> Iterator[Finding]:
        if not (changed := [path for path in changed if not self._copies.is_unchanged(path)]):
            return
        upgraded = find_reinstalled_files(changed, self._state.records)
        for path in changed:
            if path in upgraded:
                # To restore some files of another version would break the runner.
                text = "the test runner was upgraded; the baseline was taken with another one"
                yield _build_finding(path, text)
                return
            yield from self._restore_file(path, "the test runner was changed")

    def _iter_installed_findings(self, changed: Collection[str]) -> Iterator[Finding]:
        changed = [path for path in changed if self._has_digest_changed(path)]
        if not changed:
            return
        upgraded = find_reinstalled_files(changed, self._state.records)
        reported: set[str] = set()
        for path in changed:
            if path not in upgraded:
                yield _build_finding(path, "an installed file was changed by hand")
            elif upgraded[path] and upgraded[path] not in reported:
                reported.add(upgraded[path])
                text = "an installed package was replaced by its installer"
                yield Finding(FindingKind.TEST_CONFIG, upgraded[path], text)

    def _iter_site_findings(self, was: SiteFolder) -> Iterator[Finding]:
        for path, signature in was.starts.items():
            if read_signature(path) != signature and not self._copies.is_unchanged(path):
                if os.path.lexists(path) and is_harmless(path):
                    continue
                yield from self._restore_file(path, "read at the start of Python, changed")
        if read_signature(was.path) == was.signature:
            return
        now = read_site_folder(was.path)
        for path in sorted(now.starts.keys() - was.starts.keys()):
            if is_harmless(path):
                continue
            yield from self._move_aside(path, "read at the start of Python or pytest, added")
        # A new package is no offence, because agents install what they need. It is one if it hides
        # a module of a folder that comes later on the search path.
        later = self._list_later_modules(was.path)
        for name in sorted(set(now.names) - set(was.names)):
            if name in later:
                yield _build_finding(f"{was.path}/{name}", "found before a module of the same name")

    def _list_later_modules(self, folder: str) -> set[str]:
        """Return the names of modules in the folders that are searched after one."""
        folders = [site.path for site in self._state.sites]
        return {
            name
            for site in self._state.sites[folders.index(folder) + 1 :]
            for name in site.names
            if "." not in name
        }

    def _iter_cache_findings(
        self, changed: Collection[str], compiled: Collection[str] | None
    ) -> Iterator[Finding]:
        """Remove bytecode that changed alone, and yield findings for what the suite may have run.

        Alone: its source did not change. Only bytecode of recorded files counts: a `__pycache__`
        folder holds that of others too.
        """
        known = self._state.caches
        sources = self._state.runner.keys() | self._state.installed.keys()
        paths = {path for path, was in known.items() if read_signature(path) != was}
        folders = {path for path in paths if path.endswith(f"/{CACHE}")}
        added = {path for folder in folders for path in list_bytecode(folder)} - known.keys()
        for path in sorted((paths - folders) | added):
            if not path.endswith(".pyc"):
                yield from self._iter_package_findings(path)
                continue
            source = _resolve_source(path)
            # A changed source is reported itself, and Python compiles it again.
            if source in changed or source not in sources or not os.path.lexists(path):
                continue
            # In every mode, because nobody's work is lost. Before the suite this is no finding:
            # nothing of it runs, and another process of this environment may have compiled it,
            # of which nobody must accuse the agent.
            removed = _remove_file(path)
            is_new = compiled is not None and (path in compiled or not known.get(path))
            if is_new or (removed and compiled is None):
                continue
            text = "bytecode changed while its source did not"
            yield _build_finding(path, text)  # the suite may have run it

    def _iter_package_findings(self, folder: str) -> Iterator[Finding]:
        """Yield findings for new files that Python finds before a package's own modules.

        For `import name`, a folder `name/` with an `__init__.py`, and an extension module, come
        before `name.py`.
        """
        sources = {*self._state.runner, *self._state.installed}
        stems = {Path(each).stem for each in sources if os.path.dirname(each) == folder}  # noqa: PTH120
        for item in files.list_folder(folder):
            stem = item.name.partition(".")[0]
            if item.path in sources or stem not in stems or stem == "__init__":
                continue
            package = files.exists(f"{item.path}/__init__.py")
            package = package and item.path + "/__init__.py" not in sources
            if package or item.name.endswith((".so", ".pyd")):
                yield _build_finding(item.path, "found in the place of an installed module")

    # ---- one file --------------------------------------------------------------------------

    def _has_digest_changed(self, path: str) -> bool:
        known = self._state.digests.get(path) or self._state.copies.get(path)
        return known is None or digest_file(path) != known

    def _restore_file(self, path: str, text: str) -> Iterator[Finding]:
        if self._restore and self._copies.restore_file(path):
            yield Finding(FindingKind.TEST_CONFIG, path, f"{text}, restored")
        else:
            yield _build_finding(path, text)

    def _move_aside(self, path: str, text: str) -> Iterator[Finding]:
        if not self._restore:
            yield _build_finding(path, text)
            return
        self._copies.move_aside(path)
        yield Finding(FindingKind.TEST_CONFIG, path, f"{text}, reverted")


def _build_finding(path: str, text: str) -> Finding:
    return Finding(FindingKind.TEST_CONFIG, path, text, decisive=True)


def _remove_file(path: str) -> bool:
    """Remove a file; return whether it is gone."""
    try:
        Path(path).unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _resolve_source(cache: str) -> str:
    folder, _, name = cache.rpartition(f"/{CACHE}/")
    return f"{folder}/{name.partition('.cpython-')[0]}.py"
