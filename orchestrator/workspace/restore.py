"""Restore the files of an earlier snapshot, and nothing else."""

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from orchestrator.platform import atomic, files
from orchestrator.workspace.bytecode import drop_bytecode
from orchestrator.workspace.modes import (
    USUAL_FILE,
    USUAL_FOLDER,
    Modes,
    compute_execute_bits,
    iter_parents,
)
from orchestrator.workspace.private import PrivateGit
from orchestrator.workspace.restore_obstacles import DiskState, inspect_disk
from orchestrator.workspace.restore_plan import RestorePlanner
from orchestrator.workspace.tree_files import check_out_files
from orchestrator.workspace.trees import EXECUTABLE, Change

_OPENED_NOTE: Final = "opened"
"""Name of the file with the folders that a restore has opened, beside those of the trees."""


FileSignature = tuple[int, int, int]
"""Inode, size and time of change of a file or link, in nanoseconds."""


def sign_files(project: Path, paths: Iterable[bytes]) -> dict[bytes, FileSignature | None]:
    """Return the signature of each path that can be reached."""
    found: dict[bytes, FileSignature | None] = {}
    for path in paths:
        with contextlib.suppress(PermissionError):
            found[path] = sign_file(project / os.fsdecode(path))
    return found


def sign_file(path: Path) -> FileSignature | None:
    """Return what changes when a file or link is written; None if there is neither.

    Raises:
        PermissionError: a folder above it may not be entered.
    """
    try:
        status = path.lstat()
    except PermissionError:
        raise
    except (OSError, ValueError):
        return None
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class Restoration:
    """One restore.

    Args:
        private: the private git directory.
        state: the folder in which files are written before they are moved into place.
        hidden: paths that a snapshot could not see; folders end in a slash.
        seen: the files that may be touched, as they were before the present tree was determined;
            without those in a folder that could not be entered.
    """

    private: PrivateGit
    state: Path
    hidden: frozenset[bytes]
    seen: Mapping[bytes, FileSignature | None]

    def restore_files(self, to: str, changed_since: str, now: str) -> set[bytes]:
        """Restore the files of `to` that differ from `changed_since`. All three are tree ids.

        Returns:
            The paths that were left alone.

        Raises:
            InfrastructureError: git failed.
            OSError: a file cannot be written.
        """
        planner = RestorePlanner(self.private, self.state, self.hidden)
        plan = planner.plan_restore(to, changed_since, now)
        left_alone = set(plan.left)
        goes, comes = plan.removed, plan.written
        with TemporaryDirectory(dir=self.state) as scratch:
            # All files are written before the project is touched, because the disk may be full.
            installed = [change.path for change in comes]
            check_out_files(self.private, self.state, to, installed, Path(scratch))
            self._record_modes(changed_since, goes, installed)
            modes = self._modes.read_modes(to)
            with self._open_folders(plan.differing, modes):
                self._remove_temporaries(plan.differing)
                # Removals come first: there may be a folder where a file has to be restored.
                left_alone |= {path for path in goes if not self._remove_file(path)}
                left_alone |= {
                    change.path
                    for change in comes
                    if not self._install_file(
                        change, Path(scratch), modes, is_absent=change.path in plan.absent
                    )
                }
        with contextlib.suppress(OSError):  # the files themselves are restored
            restored = {*goes, *installed} - left_alone
            drop_bytecode(self.private.project.folder, map(os.fsdecode, restored))
        return left_alone

    def _resolve_path(self, path: bytes) -> Path:
        return self.private.project.folder / os.fsdecode(path)

    def _remove_file(self, path: bytes) -> bool:
        """Remove one file or link; return False if it is no longer what the present tree has."""
        if self._is_touched(path):
            return False
        self._resolve_path(path).unlink()
        for folder in iter_parents(path):
            try:
                self._resolve_path(folder).rmdir()
            except OSError:
                break  # not empty
        return True

    def _is_touched(self, path: bytes) -> bool:
        """Return whether somebody has written a file since the present tree was determined.

        Laying out the files of a large restore takes seconds, in which a person may save one.
        """
        return path in self.seen and sign_file(self._resolve_path(path)) != self.seen[path]

    def _install_file(
        self, change: Change, laid_out: Path, modes: Mapping[bytes, int], *, is_absent: bool
    ) -> bool:
        """Install one file or link atomically; return False if something is in its place.

        Args:
            change: the file.
            laid_out: the folder with the files to install.
            modes: the modes of files and folders.
            is_absent: whether the present tree lacks it, and so has no copy of what may be there.
        """
        source, target = laid_out / os.fsdecode(change.path), self._resolve_path(change.path)
        self._clear_special(change.path)
        if not self._make_parents(change.path, modes):
            return False
        if _is_real_folder(target) and not _remove_empty_folder(target):
            return False
        temporary = self._temporary_path(change.path)
        try:
            _copy_file(source, temporary, change, target, modes)
            if self._is_touched(change.path) or (is_absent and self._is_taken(change)):
                return False
            atomic.move_path(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def _is_taken(self, change: Change) -> bool:
        """Return whether something that no snapshot has is where a file is to be written."""
        found = inspect_disk(self.private.project.folder, change.path, change.after)
        return found in {DiskState.OTHER, DiskState.BLOCKED}

    def _temporary_path(self, path: bytes) -> Path:
        """Return where a file is written before it is moved into place.

        The name is short, because the file's own name may have the maximal length. It is the same
        each time, so that a file left behind by a killed process is found.
        """
        name = hashlib.sha256(path).hexdigest()[:8]
        return self._resolve_path(path).parent / f".restore-{name}"

    def _make_parents(self, path: bytes, modes: Mapping[bytes, int]) -> bool:
        """Create the folders above a path; return False if one is a link or a file."""
        for folder in reversed(list(iter_parents(path))):
            full = self._resolve_path(folder)
            if not os.path.lexists(full):
                temporary = self._temporary_path(folder)
                temporary.mkdir()
                mode = modes.get(folder, modes.get(USUAL_FOLDER))
                if mode is not None:
                    temporary.chmod(mode | stat.S_IRWXU)
                atomic.move_path(temporary, full)
            elif not _is_real_folder(full):
                return False
        return True

    def _clear_special(self, path: bytes) -> None:
        """Remove pipes and sockets that took the place of a folder above a path."""
        for folder in iter_parents(path):
            if self._is_inside(folder) and files.is_special(self._resolve_path(folder)):
                self._resolve_path(folder).unlink()

    def _remove_temporaries(self, paths: Iterable[bytes]) -> None:
        """Remove the temporary files of an earlier restore that was killed."""
        folders = set()
        for path in filter(self._is_inside, paths):
            folders |= set(iter_parents(path))
            with contextlib.suppress(OSError):  # the folder may be a file by now
                self._temporary_path(path).unlink()
        for folder in folders:
            with contextlib.suppress(OSError):
                self._temporary_path(folder).rmdir()

    @contextlib.contextmanager
    def _open_folders(self, paths: Iterable[bytes], modes: Mapping[bytes, int]) -> Iterator[None]:
        """Make the folders above some paths writable within the block, restored ones included.

        Their modes are stored before the first one is changed, so that after a kill the next
        restore can reset them.
        """
        folders = sorted({b""} | {folder for path in paths for folder in iter_parents(path)})
        closed = self._modes.read_modes(_OPENED_NOTE)
        for folder in filter(
            self._is_inside, folders
        ):  # outer folders first: they may hide inner ones
            if found := self._modes.find_closed_folders([folder], modes):
                closed = found | closed
                self._modes.write_modes(_OPENED_NOTE, closed)
            if folder in closed and _is_real_folder(self._resolve_path(folder)):
                files.open_folder(self._resolve_path(folder))
        try:
            yield
        finally:
            for folder in sorted(closed, reverse=True):
                if self._is_inside(folder) and _is_real_folder(self._resolve_path(folder)):
                    with contextlib.suppress(OSError):  # it is another user's, and was never opened
                        self._resolve_path(folder).chmod(closed[folder])
            self._modes.forget_tree(_OPENED_NOTE)

    def _is_inside(self, path: bytes) -> bool:
        """Return whether no folder above a path is a link, which may lead out of the project."""
        return not any(files.is_link(self._resolve_path(folder)) for folder in iter_parents(path))

    @property
    def _modes(self) -> Modes:
        return Modes(self.private.project.folder, self.state / "modes")

    def _record_modes(self, tree: str, goes: Sequence[bytes], comes: Sequence[bytes]) -> None:
        """Store the modes of files that will be replaced or removed, for a later restore."""
        folders = {folder for path in goes for folder in iter_parents(path)}
        self._modes.record_paths(tree, (*goes, *comes, *sorted(folders)))


def _copy_file(
    source: Path, temporary: Path, change: Change, target: Path, modes: Mapping[bytes, int]
) -> None:
    if source.is_symlink():
        temporary.symlink_to(source.readlink())
        return
    # Created with mode 0600: another user could open it now and read it later, whatever its mode.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    shutil.copyfile(source, temporary)
    executable, remembered = change.after.mode == EXECUTABLE, modes.get(change.path)
    if remembered is not None and bool(remembered & stat.S_IXUSR) == executable:
        mode = remembered
    elif target.is_file() and not target.is_symlink():
        # git records only whether a file is executable; the other bits are those of the old file.
        mode = stat.S_IMODE(target.stat().st_mode) & 0o666
        mode |= compute_execute_bits(mode) if executable else 0
    else:
        mode = modes.get(USUAL_FILE, source.stat().st_mode & 0o666)
        mode |= compute_execute_bits(mode) if executable else 0
    temporary.chmod(mode)


def _remove_empty_folder(folder: Path) -> bool:
    """Remove a folder that contains no file; return whether it is gone.

    An interrupted restore leaves such folders, and an agent may leave some with pipes in them.
    """
    below = [Path(above, name) for above, _, names in os.walk(folder) for name in names]
    if not all(map(files.is_special, below)):
        return False
    try:
        for path in below:
            path.unlink()
        for above, _, _ in os.walk(folder, topdown=False):
            Path(above).rmdir()
    except OSError:
        return False
    return True


def _is_real_folder(full: Path) -> bool:
    return full.is_dir() and not full.is_symlink()
