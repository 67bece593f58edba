"""Restores the files of an earlier snapshot, and nothing else."""

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
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
from orchestrator.workspace.trees import EXECUTABLE, Change, list_changes, list_paths

_IGNORE_FILE: Final = b".gitignore"
_OPENED_NOTE: Final = "opened"
"""Name of the note on the folders that a restore has opened, beside those on trees."""


@dataclass(frozen=True)
class Restoration:
    """One restore.

    Args:
        private: the private git directory.
        state: folder in which the files are laid out before they go into place.
        hidden: paths that a snapshot could not see; folders end in a slash.
    """

    private: PrivateGit
    state: Path
    hidden: frozenset[bytes]

    def restore_files(self, to: str, changed_since: str, now: str) -> set[bytes]:
        """Restore what `to` has, where it differs from `changed_since`. All three are trees.

        Returns:
            The paths that were left alone.

        Raises:
            InfrastructureError: git failed.
            OSError: a file cannot be written.
        """
        git = self.private.project
        wanted = list_changes(git, changed_since, to)
        edited = {change.path: change.after for change in list_changes(git, changed_since, now)}
        still = [change for change in wanted if edited.get(change.path) != change.after]
        left_alone = {
            change.path for change in still if change.path in edited or self._is_hidden(change.path)
        }
        goes = [c.path for c in still if c.path not in left_alone and not c.after.exists]
        comes = [c for c in still if c.path not in left_alone and c.after.exists]
        if any(_file_name(change.path) == _IGNORE_FILE for change in wanted):
            left_alone |= self._find_ignored(to, goes)
        with TemporaryDirectory(dir=self.state) as scratch:
            # All is laid out before anything is touched: the disk may be full.
            self._check_out_files(to, [change.path for change in comes], Path(scratch))
            self._record_modes(changed_since, goes, [change.path for change in comes])
            modes = self._modes.read_modes(to)
            with self._open_folders([change.path for change in wanted], modes):
                self._remove_temporaries([change.path for change in wanted])
                # A folder may stand where a file comes back, so what goes, goes first.
                for path in goes:
                    if path not in left_alone:
                        self._remove_file(path)
                left_alone |= {
                    c.path for c in comes if not self._install_file(c, Path(scratch), modes)
                }
        with contextlib.suppress(OSError):  # the files themselves are back
            drop_bytecode(
                git.folder, [os.fsdecode(c.path) for c in still if c.path not in left_alone]
            )
        return left_alone

    def _is_hidden(self, path: bytes) -> bool:
        return any(
            path == hidden or (hidden.endswith(b"/") and path.startswith(hidden))
            for hidden in self.hidden
        )

    def _find_ignored(self, tree: str, paths: list[bytes]) -> set[bytes]:
        """Those of some paths that the ignore rules of a tree cover.

        The agent may have changed the rules: what was ignored before is no new file of its own.
        """
        git = self.private.project
        rules = [path for path in list_paths(git, tree) if _file_name(path) == _IGNORE_FILE]
        with TemporaryDirectory(dir=self.state) as scratch:
            inside = Path(os.fsdecode(self.private.prefix))
            (Path(scratch) / inside).mkdir(parents=True, exist_ok=True)
            self._check_out_files(tree, rules, Path(scratch) / inside)
            for above in inside.parents:
                source = self.private.top / above / ".gitignore"
                if source.is_file():
                    shutil.copyfile(source, Path(scratch) / above / ".gitignore")
            asked = ("check-ignore", "-z", "--stdin", "--no-index")
            found = git.with_folder(Path(scratch) / inside, GIT_WORK_TREE=scratch).run(
                *asked, stdin=b"".join(path + b"\0" for path in paths), allowed=(0, 1)
            )
        return set(found.stdout.split(b"\0")[:-1])

    def _check_out_files(self, tree: str, paths: Iterable[bytes], folder: Path) -> None:
        """Write some files of a tree into a folder of ours."""
        listed = b"".join(path + b"\0" for path in paths)
        if not listed:
            return
        project = self.private.project.folder
        with TemporaryDirectory(dir=self.state) as scratch:
            git = self.private.project.with_folder(
                project, GIT_INDEX_FILE=f"{scratch}/index", GIT_WORK_TREE=str(project)
            )
            git.run("read-tree", tree)
            git.run("checkout-index", "-z", "--stdin", f"--prefix={folder}/", stdin=listed)

    def _resolve_path(self, path: bytes) -> Path:
        return self.private.project.folder / os.fsdecode(path)

    def _remove_file(self, path: bytes) -> None:
        self._resolve_path(path).unlink()
        for folder in iter_parents(path):
            try:
                self._resolve_path(folder).rmdir()
            except OSError:
                return  # not empty: somebody needs it

    def _install_file(self, change: Change, laid_out: Path, modes: Mapping[bytes, int]) -> bool:
        """Put one file or link in place, in one step. Gives False when something is in the way."""
        source, target = laid_out / os.fsdecode(change.path), self._resolve_path(change.path)
        self._clear_special(change.path)
        if not self._make_parents(change.path, modes):
            return False
        if _is_real_folder(target) and not _remove_empty_folder(target):
            return False
        temporary = self._temporary_path(change.path)
        try:
            _copy_file(source, temporary, change, target, modes)
            atomic.move_path(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def _temporary_path(self, path: bytes) -> Path:
        """Return where a file is written before it is moved into place.

        Its name is short, because the file's own may be as long as a name can be, and it is the
        same each time, so that one that a killed process left behind is found.
        """
        name = hashlib.sha256(path).hexdigest()[:8]
        return self._resolve_path(path).parent / f".restore-{name}"

    def _make_parents(self, path: bytes, modes: Mapping[bytes, int]) -> bool:
        """Make the folders above a path. A link among them would lead somewhere else: False."""
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
        """Remove pipes and sockets that stand where a folder above a path was."""
        for folder in iter_parents(path):
            if self._is_inside(folder) and files.is_special(self._resolve_path(folder)):
                self._resolve_path(folder).unlink()

    def _remove_temporaries(self, paths: Iterable[bytes]) -> None:
        """Remove what a process that was killed here has left."""
        folders = set()
        for path in filter(self._is_inside, paths):
            folders |= set(iter_parents(path))
            with contextlib.suppress(OSError):  # its folder may be a file by now
                self._temporary_path(path).unlink()
        for folder in folders:
            with contextlib.suppress(OSError):
                self._temporary_path(folder).rmdir()

    @contextlib.contextmanager
    def _open_folders(self, paths: Iterable[bytes], modes: Mapping[bytes, int]) -> Iterator[None]:
        """Let the owner write the folders above some paths for a while, also those that come back.

        Their modes are written down before the first is opened: a process that is killed here
        leaves them to the next.
        """
        folders = sorted({b""} | {folder for path in paths for folder in iter_parents(path)})
        closed = self._modes.read_modes(_OPENED_NOTE)
        for folder in filter(self._is_inside, folders):  # the outer first: it may hide the inner
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
                    with contextlib.suppress(OSError):  # another user's: it was never opened
                        self._resolve_path(folder).chmod(closed[folder])
            self._modes.forget_tree(_OPENED_NOTE)

    def _is_inside(self, path: bytes) -> bool:
        """Return whether no link leads a path out of the project."""
        return not any(files.is_link(self._resolve_path(folder)) for folder in iter_parents(path))

    @property
    def _modes(self) -> Modes:
        return Modes(self.private.project.folder, self.state / "modes")

    def _record_modes(self, tree: str, goes: list[bytes], comes: list[bytes]) -> None:
        """Remember the modes of what is about to be replaced or removed, for when it comes back."""
        folders = {folder for path in goes for folder in iter_parents(path)}
        self._modes.record_paths(tree, (*goes, *comes, *sorted(folders)))


def _copy_file(
    source: Path, temporary: Path, change: Change, target: Path, modes: Mapping[bytes, int]
) -> None:
    if source.is_symlink():
        temporary.symlink_to(source.readlink())
        return
    # Nobody else may read it before it has its mode, nor open it to read it later.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    shutil.copyfile(source, temporary)
    executable, remembered = change.after.mode == EXECUTABLE, modes.get(change.path)
    if remembered is not None and bool(remembered & stat.S_IXUSR) == executable:
        mode = remembered
    elif target.is_file() and not target.is_symlink():
        # git knows only whether a file is executable; the rest is as the user had it.
        mode = stat.S_IMODE(target.stat().st_mode) & 0o666
        mode |= compute_execute_bits(mode) if executable else 0
    else:
        mode = modes.get(USUAL_FILE, source.stat().st_mode & 0o666)
        mode |= compute_execute_bits(mode) if executable else 0
    temporary.chmod(mode)


def _remove_empty_folder(folder: Path) -> bool:
    """Remove a folder in which there is no file; return whether it is gone.

    A restore that was cut short leaves such folders, and so does an agent, with pipes in them.
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


def _file_name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _is_real_folder(full: Path) -> bool:
    return full.is_dir() and not full.is_symlink()
