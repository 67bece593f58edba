"""Keeps guarded files byte for byte, outside of the project, and restores them."""

import ast
import contextlib
import difflib
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.guard.copy_store import CopyStore, compute_digest
from orchestrator.guard.findings import escape_name, limit_findings
from orchestrator.guard.manifest import Change, Entry, Manifest, PackedManifest
from orchestrator.guard.protection import Kind, Protection, collect_parents, normalize_name
from orchestrator.guard.scripts import parse_source
from orchestrator.guard.shared_files import is_shared, read_test_config
from orchestrator.guard.tree import (
    ClosedFolders,
    FileState,
    Tree,
    find_named_files,
    pack_state,
    read_closed_state,
    unpack_mode,
    walk_tree,
)
from orchestrator.models import Finding, FindingKind
from orchestrator.platform import atomic, files

_ALIKE: Final = 0.6
"""How much of a file's lines makes another one the same file, moved."""
_FOLDERS: Final = "the project"
MANIFEST_SUFFIX: Final = ".manifest"
_GIT_FILES: Final = frozenset({".gitignore", ".gitattributes", ".gitmodules", ".mailmap"})


class GuardedFileStore:
    """The guarded files of one project, kept in a folder of our own.

    Args:
        protection: which files are guarded.
        folder: where they are kept; made when it is missing.
        like: states of files that somebody holds already; of what is the same no other is made.
    """

    def __init__(self, protection: Protection, folder: Path, like: Tree | None = None) -> None:
        self._protection, self._folder = protection, folder
        self._project = protection.project
        self._copies = CopyStore(folder)
        self._closed = ClosedFolders(protection.closed)
        self._latest = like or {}
        self._base: tuple[str, Manifest] | None = None
        """The manifest that was last written whole, and its name."""

    def read_tree(self, manifest: Manifest | None = None) -> Tree:
        """Return the files of the project, and those outside of it that are guarded.

        A folder of the project that was closed since the baseline is opened, see
        `opened_findings`.

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

    def report_opened_folders(self) -> list[Finding]:
        """Return a finding for each folder that was opened since this was last asked."""
        opened = sorted(self._closed.opened)
        self._closed.opened.clear()
        return limit_findings(
            (_build_folder_finding(each, "opened") for each in opened), _FOLDERS, "folders"
        )

    def report_hidden_folders(self) -> list[Finding]:
        """Return a decisive finding for each folder that the last look could not open."""
        text = "cannot be opened: another user owns it"
        found = [
            replace(_build_folder_finding(each, text), decisive=True)
            for each in sorted(self._closed.hidden)
        ]
        return limit_findings(found, _FOLDERS, "folders")

    def report_closed_folders(self, manifest: Manifest) -> list[Finding]:
        """Return a decisive finding for each closed folder that is not as it was remembered."""
        text = "it cannot be looked into, and was changed"
        found = [
            Finding(FindingKind.CLOSED, escape_name(name), text, decisive=True)
            for name, known in sorted(manifest.closed.items())
            if known and read_closed_state(self._project / name) != known
        ]
        return limit_findings(found, _FOLDERS, "folders")

    def remove_git_pipes(self, manifest: Manifest) -> list[Finding]:
        """Remove pipes in the place of files that git reads by itself: it would wait for a writer.

        The folders that a look opens are opened.

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
                    text = "a pipe stood in its place, for which git waits; removed"
                    found.append(Finding(FindingKind.CLOSED, escape_name(name), text))
        return found

    def _read_state(self, name: str) -> FileState | None:
        """Return the state of a file; None where there is none, or never could be seen."""
        try:
            at = (self._project / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            if name in self._protection.guarded and name not in self._protection.closed:
                raise
            return None
        return None if stat.S_ISDIR(at.st_mode) else pack_state(at)

    def record_manifest(
        self, name: str | None, known: Manifest | None = None, tree: Tree | None = None
    ) -> Manifest:
        """Keep what is guarded now.

        Args:
            name: of this moment, for `recall`; None for one that is not asked for again.
            known: what was remembered earlier in this folder; saves reading what is the same.
            tree: the project as it is, if somebody has just looked.

        Raises:
            InfrastructureError: a file cannot be read, or kept.
        """
        with translate_os_errors(self._folder):
            self._copies.make_folder()
            tree = self.read_tree() if tree is None else tree
            self.remove_temporaries(self._protection.guarded, tree)
            others = known.others if known else {}  # a name's kind stays what it is
            kinds = {
                each: kind
                for each in tree
                if each not in others and (kind := self._resolve_kind(each))
            }
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

    def _write_manifest(self, name: str, manifest: Manifest) -> None:
        """Write a manifest: whole at first, later what differs from that one."""
        if self._base and self._base[0] != name:
            base_name, base = self._base
            data = manifest.pack(base, base_name)
        else:
            data, self._base = manifest.pack(), (name, manifest)
        files.write_file(self._resolve_manifest_path(name), data)

    def _resolve_manifest_path(self, name: str) -> Path:
        return self._folder / f"{name}{MANIFEST_SUFFIX}"

    def load_manifest(self, name: str) -> Manifest:
        """Return what was remembered under a name.

        Raises:
            InfrastructureError: it is not there any more, or cannot be read.
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
            raise _build_copy_error(path) from error

    def require_copies(self) -> None:
        """Check that what was kept is still there.

        Raises:
            InfrastructureError: the folder is gone, so nobody knows what the tests were.
        """
        if not files.is_folder(self._copies.folder):
            raise _build_copy_error(self._folder)

    def find_changes(self, manifest: Manifest, tree: Tree) -> list[Change]:
        """Return what is not as it was, in the order of the names.

        Raises:
            InfrastructureError: a file cannot be read.
        """
        with translate_os_errors(self._project):
            changes = [
                *self._iter_changes(manifest, tree),
                *(
                    Change(name, Kind.CONFIG, "added")
                    for name, at in tree.items()
                    if manifest.others.get(name) != at
                    and name not in manifest.entries
                    and self._resolve_kind(name)
                    and not self._is_without_effect(name, at)
                ),
            ]
        return sorted(changes, key=lambda change: change.name)

    def find_moved_files(
        self, manifest: Manifest, changes: Collection[Change], tree: Tree
    ) -> list[Change]:
        """Return new files that are guarded ones under another path, which comes back.

        Two test files of one name keep pytest from collecting either.
        """
        deleted = {
            PurePosixPath(each.name).name: each for each in changes if each.what == "deleted"
        }
        found: list[Change] = []
        for name in tree if deleted else ():
            was = deleted.get(PurePosixPath(name).name)
            new = name not in manifest.entries and name not in manifest.others
            if (
                was
                and new
                and not name.startswith("/")
                and self._is_similar(name, was.name, manifest)
            ):
                found.append(Change(name, was.kind, f"moved from {was.name}"))
        return found

    def _is_similar(self, name: str, was: str, manifest: Manifest) -> bool:
        before, now = self._copies.read_copy(manifest.entries[was].digest), self._read_bytes(name)
        if before is None or now is None:
            return False
        lines, others = before.splitlines(), now.splitlines()
        return difflib.SequenceMatcher(None, lines, others).ratio() > _ALIKE

    def restore_files(self, manifest: Manifest, changes: Collection[Change], aside: Path) -> None:
        """Make changed files what they were; their present versions go to the folder `aside`.

        Done again after it was cut short, it comes to the same.

        Raises:
            InfrastructureError: a file cannot be written, or its copy is not what was kept.
        """
        lost = []
        with translate_os_errors(self._project):
            for change in changes:
                entry = manifest.entries.get(change.name)
                data = self._copies.read_copy(entry.digest) if entry else b""
                if data is None:
                    lost.append(change.name)
                    continue
                self._back_up_file(change.name, aside, replaced=entry is not None)
                if entry:
                    self._write_entry(change.name, entry, data, aside)
        if lost:
            raise InfrastructureError(
                f"cannot restore {', '.join(lost[:5])}: the copies kept in {self._folder} were "
                "changed or are gone",
                "restore them yourself, with git checkout or a backup; then run again",
            )

    def remove_temporaries(self, names: Iterable[str], tree: Tree) -> None:
        """Remove what a process that was killed in `restore` has left beside guarded files.

        Args:
            names: of the guarded files.
            tree: the project as it is; what is removed is taken out of it.
        """
        for name in names:
            temporary = files.temporary_path(self._project / name)
            if tree.pop(normalize_name(self._project, temporary), None) or name.startswith("/"):
                with contextlib.suppress(OSError):  # another user's folder
                    files.remove_path(temporary)

    # ---- below: one file -------------------------------------------------------------------

    def _resolve_kind(self, name: str) -> Kind | None:
        guarded = self._protection.guarded.get(name)
        if guarded:
            return None if self._protection.is_free(name) else guarded.kind
        return Kind.CONFIG if self._protection.explain_prohibition(name) else None

    def _iter_changes(self, manifest: Manifest, tree: Tree) -> Iterator[Change]:
        for name, entry in manifest.entries.items():
            at = tree.get(name)
            if at is None:
                was = self._read_recorded_config(name, entry) if self._is_shared(name) else True
                if was is not None:
                    yield Change(name, entry.kind, "deleted")
            elif at != entry.state and not self._is_unchanged(name, entry, at):
                yield Change(name, entry.kind, "changed")

    def _is_shared(self, name: str) -> bool:
        return is_shared(name) and name not in self._protection.whole

    def _read_recorded_config(self, name: str, entry: Entry) -> object:
        data = self._copies.read_copy(entry.digest)
        if data is None:
            raise _build_copy_error(self._copies.folder / entry.digest)
        return read_test_config(name, data)

    def _is_without_effect(self, name: str, at: FileState) -> bool:
        plain = stat.S_ISREG(unpack_mode(at))
        if plain and name.endswith("/__init__.py") and name not in self._protection.absent:
            return not _has_code(self._read_bytes(name) or b"")
        return (
            plain
            and self._is_shared(name)
            and read_test_config(name, self._read_bytes(name)) is None
        )

    def _is_unchanged(self, name: str, entry: Entry, at: FileState) -> bool:
        mode = unpack_mode(at)
        if not entry.digest or stat.S_ISLNK(mode) != entry.link:
            return False
        if not (entry.link or stat.S_ISREG(mode)):
            return False
        if not self._is_shared(name) or entry.link:
            executable = (mode ^ entry.mode) & 0o111
            return not executable and self._compute_digest(name, at) == entry.digest
        return read_test_config(name, self._read_bytes(name)) == self._read_recorded_config(
            name, entry
        )

    def _record_entry(self, name: str, kind: Kind, at: FileState, known: Manifest | None) -> Entry:
        before = known.entries.get(name) if known else None
        if before and before.kind is kind and before.state == at:
            return before
        mode = unpack_mode(at)
        link = stat.S_ISLNK(mode)
        full = self._project / name
        readable = link or (stat.S_ISREG(mode) and os.access(full, os.R_OK))
        digest = self._copies.write_copy(_read_content(full, at)) if readable else ""
        return Entry(kind, digest, stat.S_IMODE(mode), link, at)

    def _compute_digest(self, name: str, at: FileState) -> str:
        return compute_digest(_read_content(self._project / name, at))

    def _read_bytes(self, name: str) -> bytes | None:
        return files.read_whole_file(self._project / name)

    def _back_up_file(self, name: str, aside: Path, *, replaced: bool) -> None:
        """Keep what is there now, and remove it unless a file replaces it in one step."""
        full = self._project / name
        if not os.path.lexists(full) or self._is_below_link(name):
            return
        target = aside / (f"outside{name}" if name.startswith("/") else name)
        _copy_path(full, target)
        if files.is_folder(full) and not files.is_link(full):
            shutil.rmtree(full)
        elif not replaced:
            full.unlink()

    def _is_below_link(self, name: str) -> bool:
        parents = [self._project / str(each) for each in PurePosixPath(name).parents][:-1]
        return any(map(files.is_link, parents))

    def _write_entry(self, name: str, entry: Entry, data: bytes, aside: Path) -> None:
        full = self._project / name
        self._clear_parents(name, aside)
        full.parent.mkdir(parents=True, exist_ok=True)
        if not entry.link:
            files.write_file(full, data, entry.mode, alone=True)
            return
        temporary = files.temporary_path(full)
        files.remove_path(temporary)
        temporary.symlink_to(os.fsdecode(data))
        atomic.move_path(temporary, full)

    def _clear_parents(self, name: str, aside: Path) -> None:
        """Set aside files and links that stand where a folder of the path was."""
        if name.startswith("/"):
            return
        for folder in reversed(PurePosixPath(name).parents[:-1]):
            full = self._project / str(folder)
            if files.is_link(full) or (files.exists(full) and not files.is_folder(full)):
                target = aside / f"{folder}.instead"
                target.unlink(missing_ok=True)
                _copy_path(full, target)
                full.unlink()


@contextlib.contextmanager
def translate_os_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` into an error that says what is wrong, and what to do."""
    try:
        yield
    except OSError as error:
        raise InfrastructureError(
            f"the tests cannot be guarded: {error.filename or path}: {error.strerror}",
            "make it readable and writable, or free some space; then run again",
        ) from error


def _copy_path(source: Path, target: Path) -> None:
    """Copy a file, link or folder; of pipes, sockets and devices there is nothing to copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if files.is_folder(source) and not files.is_link(source):
        shutil.copytree(
            source, target, symlinks=True, dirs_exist_ok=True, ignore=_list_special_files
        )
    elif not files.is_special(source):
        shutil.copy2(source, target, follow_symlinks=False)


def _list_special_files(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if files.is_special(Path(folder, name))]


def _build_folder_finding(folder: str, what: str) -> Finding:
    text = f"it was closed since the baseline, which hides the files in it; {what}"
    return Finding(FindingKind.CLOSED, escape_name(folder or "."), text)


def _read_content(path: Path, at: FileState) -> bytes:
    if stat.S_ISLNK(unpack_mode(at)):
        return os.fsencode(path.readlink())
    return path.read_bytes()


def _build_copy_error(path: Path) -> InfrastructureError:
    return InfrastructureError(
        f"the tests cannot be restored: what was kept of them is gone or damaged ({path})",
        "look at the tests with git diff, and begin a new run",
    )


def _has_code(source: bytes) -> bool:
    """Return whether a Python file does anything when it is imported."""
    tree = parse_source(source)
    return tree is None or any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in tree.body
    )


def _read_file_clock(folder: Path) -> int:
    """Return the time by the clock that dates changes of files."""
    mark = folder / "mark"
    mark.write_bytes(b"")
    return mark.stat().st_ctime_ns
