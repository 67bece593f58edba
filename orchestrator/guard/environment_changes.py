"""Compares the environment with what it was, and restores what can be restored.

Only what `lstat` says is another is read.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from orchestrator.guard.environment_copies import EnvironmentCopies, digest_of
from orchestrator.guard.environment_state import (
    CACHE,
    EnvironmentState,
    SiteFolder,
    bytecode_in,
    look_at_site,
)
from orchestrator.guard.findings import bound_findings
from orchestrator.guard.packages import installed_as_recorded
from orchestrator.guard.startup_files import is_harmless
from orchestrator.guard.tree import signature_at
from orchestrator.models import Finding, FindingKind
from orchestrator.platform import files


class EnvironmentGuard:
    """Compares the environment with what it was, and restores what can be restored.

    Args:
        state: as it was at the baseline.
        folder: holds the copies.
        aside: takes what is replaced.
        restore: whether to restore at all.
    """

    def __init__(
        self, state: EnvironmentState, folder: Path, aside: Path, *, restore: bool
    ) -> None:
        self._state, self._restore = state, restore
        self._copies = EnvironmentCopies(state.copies, folder, aside)

    def findings(self, *, suite_ran: bool = False) -> list[Finding]:
        """Return what differs, restored where a copy is kept.

        Args:
            suite_ran: whether it differs since the suite began. Then Python may have compiled what
                it had not imported before, as in an environment that came without bytecode.

        Raises:
            OSError: something cannot be read, or restored.
        """
        state = self._state
        found = [*self._fixed()]
        changed = [p for p, was in state.runner.items() if signature_at(p) != was]
        found += self._runner(changed)
        others = [p for p, was in state.installed.items() if signature_at(p) != was]
        found += self._installed(others)
        for site in state.sites:
            found += self._site(site)
        found += [
            _decisive(path, "new on Python's search path, where nothing was")
            for path in state.absent
            if os.path.lexists(path)
        ]
        found += self._caches(frozenset({*changed, *others}), suite_ran=suite_ran)
        return bound_findings(found, "the environment")

    def _fixed(self) -> Iterator[Finding]:
        for path, was in self._state.fixed.items():
            if signature_at(path) != was and not self._copies.has(path):
                yield from self._restore_file(path, "interpreter or program changed")

    def _runner(self, changed: Collection[str]) -> Iterator[Finding]:
        if not (changed := [path for path in changed if not self._copies.has(path)]):
            return
        upgraded = installed_as_recorded(changed, self._state.records)
        for path in changed:
            if path in upgraded:
                text = "the test runner was upgraded; the baseline was taken with another one"
                yield _decisive(path, text)
                return
            yield from self._restore_file(path, "the test runner was changed")

    def _installed(self, changed: Collection[str]) -> Iterator[Finding]:
        changed = [path for path in changed if self._digest_differs(path)]
        if not changed:
            return
        upgraded = installed_as_recorded(changed, self._state.records)
        reported: set[str] = set()
        for path in changed:
            if path not in upgraded:
                yield _decisive(path, "an installed file was changed by hand")
            elif upgraded[path] and upgraded[path] not in reported:
                reported.add(upgraded[path])
                text = "an installed package was replaced by its installer"
                yield Finding(FindingKind.STEERING, upgraded[path], text)

    def _site(self, was: SiteFolder) -> Iterator[Finding]:
        for path, signature in was.starts.items():
            if signature_at(path) != signature and not self._copies.has(path):
                if os.path.lexists(path) and is_harmless(path):
                    continue
                yield from self._restore_file(path, "read at the start of Python, changed")
        if signature_at(was.path) == was.signature:
            return
        now = look_at_site(was.path)
        for path in sorted(now.starts.keys() - was.starts.keys()):
            if is_harmless(path):
                continue
            yield from self._move_aside(path, "read at the start of Python or pytest, added")
        later = self._taken_after(was.path)
        for name in sorted(set(now.names) - set(was.names)):
            if name in later:
                yield _decisive(f"{was.path}/{name}", "found before a module of the same name")

    def _taken_after(self, folder: str) -> set[str]:
        """Return the names of modules in the folders that are searched after one."""
        folders = [site.path for site in self._state.sites]
        return {
            name
            for site in self._state.sites[folders.index(folder) + 1 :]
            for name in site.names
            if "." not in name
        }

    def _caches(self, changed: Collection[str], *, suite_ran: bool) -> Iterator[Finding]:
        """Yield findings for bytecode that changed while its source did not; drop it.

        Only that of recorded files counts: a folder of packages holds that of others too.
        """
        known = self._state.caches
        sources = self._state.runner.keys() | self._state.installed.keys()
        paths = {path for path, was in known.items() if signature_at(path) != was}
        folders = {path for path in paths if path.endswith(f"/{CACHE}")}
        added = {path for folder in folders for path in bytecode_in(folder)} - known.keys()
        for path in sorted((paths - folders) | added):
            if not path.endswith(".pyc"):
                yield from self._package(path)
                continue
            source = _source_of(path)
            if source in changed or source not in sources or not os.path.lexists(path):
                continue
            if self._restore:
                Path(path).unlink(missing_ok=True)
            if suite_ran and not known.get(path):
                continue
            text = "bytecode changed while its source did not" + ", removed" * self._restore
            yield Finding(FindingKind.STEERING, path, text, decisive=not self._restore)

    def _package(self, folder: str) -> Iterator[Finding]:
        """Yield findings for new files in a package's folder that are found before its own."""
        sources = {*self._state.runner, *self._state.installed}
        stems = {Path(each).stem for each in sources if os.path.dirname(each) == folder}  # noqa: PTH120
        for item in files.list_folder(folder):
            stem = item.name.partition(".")[0]
            if item.path in sources or stem not in stems or stem == "__init__":
                continue
            package = files.exists(f"{item.path}/__init__.py")
            package = package and item.path + "/__init__.py" not in sources
            if package or item.name.endswith((".so", ".pyd")):
                yield _decisive(item.path, "found in the place of an installed module")

    # ---- one file --------------------------------------------------------------------------

    def _digest_differs(self, path: str) -> bool:
        known = self._state.digests.get(path) or self._state.copies.get(path)
        return known is None or digest_of(path) != known

    def _restore_file(self, path: str, text: str) -> Iterator[Finding]:
        if self._restore and self._copies.restore(path):
            yield Finding(FindingKind.STEERING, path, f"{text}, restored")
        else:
            yield _decisive(path, text)

    def _move_aside(self, path: str, text: str) -> Iterator[Finding]:
        if not self._restore:
            yield _decisive(path, text)
            return
        self._copies.move_aside(path)
        yield Finding(FindingKind.STEERING, path, f"{text}, reverted")


def _decisive(path: str, text: str) -> Finding:
    return Finding(FindingKind.STEERING, path, text, decisive=True)


def _source_of(cache: str) -> str:
    folder, _, name = cache.rpartition(f"/{CACHE}/")
    return f"{folder}/{name.partition('.cpython-')[0]}.py"
