"""Stores guarded files byte for byte, outside of the project, and restores them."""

import contextlib
import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.guard.copy_store import CopyStore
from orchestrator.guard.errors import build_lost_copy_error, translate_os_errors
from orchestrator.guard.file_changes import ChangeFinder
from orchestrator.guard.file_restoring import FileRestorer
from orchestrator.guard.findings import escape_name, limit_findings
from orchestrator.guard.manifest import Change, Entry, Manifest, PackedManifest
from orchestrator.guard.protection import Kind, Protection, collect_parents, normalize_name
from orchestrator.guard.tree import (
    ClosedFolders,
    FileState,
    Tree,
    find_named_files,
    pack_state,
    read_closed_state,
    read_content,
    unpack_mode,
    walk_tree,
)
from orchestrator.models import Finding, FindingKind
from orchestrator.platform import files

_FOLDERS: Final = "the project"
MANIFEST_SUFFIX: Final = ".manifest"
_GIT_FILES: Final = frozenset({".gitignore", ".gitattributes", ".gitmodules", ".mailmap"})


class GuardedFileStore:
    """The guarded files of one project, stored in a private folder.

    Args:
        protection: which files are guarded.
        folder: for the copies and manifests; made when it is missing.
        like: states of files that the caller holds already. Equal states share these objects,
            which saves memory.
    """

    def __init__(self, protection: Protection, folder: Path, like: Tree | None = None) -> None:
        self._protection, self._folder = protection, folder
        self._project = protection.project
        self._copies = CopyStore(folder)
        self._changes = ChangeFinder(protection, self._copies)
        self._closed = ClosedFolders(protection.closed)
        self._latest = like or {}
        self._base: tuple[str, Manifest] | None = None
        """Name and content of the last manifest that was written in full."""

    # ---- the project's files and folders ---------------------------------------------------

    def read_tree(self, manifest: Manifest | None = None) -> Tree:
        """Return the files of the project, and the guarded files outside of it.

        Opens folders of the project that were closed since the baseline, see
        `report_opened_folders`.

        Raises:
            InfrastructureError: a folder cannot be read.
        """
        rules = self._protection
        entered = self._list_relevant_folders(manifest)
        with translate_os_errors(self._project):
            self._closed.hidden.clear()
            found = walk_tree(
                self._project, rules.environments, entered, self._closed, self._latest
            )
            for name in (*rules.guarded, *rules.absent):
                if (name.startswith("/") or name not in found) and (at := self._read_state(name)):
                    found[name] = at
        self._latest = found
        return found

    def _list_relevant_folders(self, manifest: Manifest | None) -> frozenset[str]:
        return self._protection.relevant_folders | collect_parents(
            manifest.entries if manifest else ()
        )

    def _read_state(self, name: str) -> FileState | None:
        """Return the state of a file; None where there is none, or none could ever be seen."""
        try:
            at = (self._project / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            if name in self._protection.guarded and name not in self._protection.closed:
                raise
            return None
        return None if stat.S_ISDIR(at.st_mode) else pack_state(at)

    def report_opened_folders(self) -> list[Finding]:
        """Return a finding for each folder that was opened since the last call."""
        opened = sorted(self._closed.opened)
        self._closed.opened.clear()
        return limit_findings(
            (_build_folder_finding(each, "opened") for each in opened), _FOLDERS, "folders"
        )

    def report_hidden_folders(self) -> list[Finding]:
        """Return a decisive finding for each folder that the last walk could not open."""
        text = "cannot be opened: another user owns it"
        found = [
            replace(_build_folder_finding(each, text), decisive=True)
            for each in sorted(self._closed.hidden)
        ]
        return limit_findings(found, _FOLDERS, "folders")

    def report_closed_folders(self, manifest: Manifest) -> list[Finding]:
        """Return a decisive finding for each closed folder whose state differs."""
        text = "this folder cannot be listed, and was changed"
        found = [
            Finding(FindingKind.CLOSED, escape_name(name), text, decisive=True)
            for name, known in sorted(manifest.closed.items())
            if known and read_closed_state(self._project / name) != known
        ]
        return limit_findings(found, _FOLDERS, "folders")

    def remove_git_pipes(self, manifest: Manifest) -> list[Finding]:
        """Remove named pipes in the place of files that git reads by itself, and report them.

        git opens `.gitignore` and its like in every folder. On a pipe, `open` waits until somebody
        writes to it: each later git command of a run would hang. Opens the same folders as
        `read_tree`.

        Raises:
            InfrastructureError: a folder cannot be read, or a pipe not be removed.
        """
        rules, found = self._protection, []
        entered = self._list_relevant_folders(manifest)
        with translate_os_errors(self._project):
            for name in find_named_files(
                _GIT_FILES, self._project, rules.environments, entered, self._closed
            ):
                full = self._project / name
                if files.is_special(full):
                    full.unlink()
                    text = "was a named pipe, on which git hangs; removed"
                    found.append(Finding(FindingKind.CLOSED, escape_name(name), text))
        return found

    # ---- manifests -------------------------------------------------------------------------

    def record_manifest(
        self, name: str | None, known: Manifest | None = None, tree: Tree | None = None
    ) -> Manifest:
        """Store the guarded files as they are now.

        Args:
            name: of the manifest, for `load_manifest`; None for one that is not written.
            known: an earlier manifest of this folder. Files of the same state are not read again.
            tree: the project's files, if the caller has just read them.

        Raises:
            InfrastructureError: a file cannot be read or stored.
        """
        with translate_os_errors(self._folder):
            self._copies.make_folder()
            tree = self.read_tree() if tree is None else tree
            self.remove_temporaries(self._protection.guarded, tree)
            kinds = self._resolve_kinds(tree, known)
            manifest = Manifest(
                {
                    each: self._record_entry(each, kind, tree[each], known)
                    for each, kind in kinds.items()
                },
                {each: at for each, at in tree.items() if each not in kinds},
                {each: read_closed_state(self._project / each) for each in self._protection.closed},
                _read_file_clock(self._folder),
            )
            if name:
                self._write_manifest(name, manifest)
        return manifest

    def _resolve_kinds(self, tree: Tree, known: Manifest | None) -> dict[str, Kind]:
        """Return the guarded files of a tree. What was not guarded before never becomes so."""
        others = known.others if known else {}
        return {
            name: kind
            for name in tree
            if name not in others and (kind := self._changes.resolve_kind(name))
        }

    def _record_entry(self, name: str, kind: Kind, at: FileState, known: Manifest | None) -> Entry:
        before = known.entries.get(name) if known else None
        if before and before.kind is kind and before.state == at:
            return before
        mode = unpack_mode(at)
        link = stat.S_ISLNK(mode)
        full = self._project / name
        readable = link or (stat.S_ISREG(mode) and os.access(full, os.R_OK))
        digest = self._copies.write_copy(read_content(full, at)) if readable else ""
        return Entry(kind, digest, stat.S_IMODE(mode), link, at)

    def _write_manifest(self, name: str, manifest: Manifest) -> None:
        """Write the first manifest in full, and later ones as differences from it."""
        if self._base and self._base[0] != name:
            base_name, base = self._base
            data = manifest.pack(base, base_name)
        else:
            data, self._base = manifest.pack(), (name, manifest)
        files.write_file(self._resolve_manifest_path(name), data)

    def _resolve_manifest_path(self, name: str) -> Path:
        return self._folder / f"{name}{MANIFEST_SUFFIX}"

    def load_manifest(self, name: str) -> Manifest:
        """Return the manifest that was recorded under a name.

        Raises:
            InfrastructureError: it is missing or damaged.
        """
        packed = self._read_manifest(name)
        if not packed.base:
            self._base = (name, packed.differences)
            return packed.differences
        if not self._base or self._base[0] != packed.base:
            self._base = (packed.base, self.load_manifest(packed.base))
        return packed.apply_to_base(self._base[1])

    def _read_manifest(self, name: str) -> PackedManifest:
        path = self._resolve_manifest_path(name)
        try:
            return PackedManifest.read(path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise build_lost_copy_error(path) from error

    # ---- changes ---------------------------------------------------------------------------

    def require_copies(self) -> None:
        """Check that the folder with the copies is still there.

        Raises:
            InfrastructureError: it is gone, so the original content of the tests is unknown.
        """
        if not files.is_folder(self._copies.folder):
            raise build_lost_copy_error(self._folder)

    def find_changes(self, manifest: Manifest, tree: Tree) -> list[Change]:
        """Return the guarded files that differ from a manifest, by name.

        Raises:
            InfrastructureError: a file or a stored copy cannot be read.
        """
        with translate_os_errors(self._project):
            changes = list(self._changes.iter_changes(manifest, tree))
        return sorted(changes, key=lambda change: change.name)

    def find_moved_files(
        self, manifest: Manifest, changes: Collection[Change], tree: Tree
    ) -> list[Change]:
        """Return new files that are deleted guarded files under another path."""
        return self._changes.find_moved_files(manifest, changes, tree)

    def restore_files(self, manifest: Manifest, changes: Collection[Change], aside: Path) -> None:
        """Restore changed files; their present versions go to the folder `aside`.

        May be run again after it was interrupted, with the same result.

        Raises:
            InfrastructureError: a file cannot be written, or its copy is missing or damaged.
        """
        lost = []
        restorer = FileRestorer(self._project, aside)
        with translate_os_errors(self._project):
            for change in changes:
                entry = manifest.entries.get(change.name)
                data = self._copies.read_copy(entry.digest) if entry else b""
                if data is None:
                    lost.append(change.name)
                    continue
                restorer.back_up_file(change.name, replaced=entry is not None)
                if entry:
                    restorer.write_entry(change.name, entry, data)
        if lost:
            raise InfrastructureError(
                f"cannot restore {', '.join(lost[:5])}: the copies in {self._folder} are missing "
                "or damaged",
                "restore them with git checkout or from a backup; then run again",
            )

    def remove_temporaries(self, names: Iterable[str], tree: Tree) -> None:
        """Remove temporary files that a killed `restore_files` left beside guarded files.

        Args:
            names: of the guarded files.
            tree: the project's files; what is removed is deleted from it.
        """
        for name in names:
            temporary = files.temporary_path(self._project / name)
            if tree.pop(normalize_name(self._project, temporary), None) or name.startswith("/"):
                with contextlib.suppress(OSError):  # another user's folder
                    files.remove_path(temporary)


def _build_folder_finding(folder: str, what: str) -> Finding:
    text = f"this folder was closed after the baseline, which hides the files in it; {what}"
    return Finding(FindingKind.CLOSED, escape_name(folder or "."), text)


def _read_file_clock(folder: Path) -> int:
    """Return the time in nanoseconds, by the clock that dates changes of files.

    The kernel dates files by the time of the last timer tick, some milliseconds behind
    `time.time_ns`; and a network file system by its server's clock. So a file is written and asked.
    """
    mark = folder / "mark"
    mark.write_bytes(b"")
    return mark.stat().st_ctime_ns
