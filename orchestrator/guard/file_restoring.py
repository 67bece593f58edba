"""Writes guarded files as they were, and moves the agent's versions to a backup folder.

Each step may be cut short by `kill -9` and run again: a file is replaced in one step, and what is
in the way is backed up before it is removed.
"""

import os
import shutil
from pathlib import Path, PurePosixPath

from orchestrator.guard.manifest import Entry
from orchestrator.platform import atomic, files


class FileRestorer:
    """Restores files of one project.

    Args:
        project: the project's real folder.
        backup: the folder for the replaced versions.
    """

    def __init__(self, project: Path, backup: Path) -> None:
        self._project, self._backup = project, backup

    def back_up_file(self, name: str, *, replaced: bool) -> None:
        """Copy the present version to the backup, and remove it unless it is to be replaced.

        Args:
            name: the file's.
            replaced: whether `write_entry` replaces it. It is left until then, so that no other
                process finds the file missing.

        Raises:
            OSError: it cannot be copied or removed.
        """
        full = self._project / name
        if not os.path.lexists(full) or self._is_below_link(name):
            return
        _copy_path(full, self._backup / (f"outside{name}" if name.startswith("/") else name))
        if files.is_folder(full) and not files.is_link(full):
            shutil.rmtree(full)
        elif not replaced:
            full.unlink()

    def write_entry(self, name: str, entry: Entry, data: bytes) -> None:
        """Write a file or link as a manifest has it.

        Args:
            name: the file's.
            entry: the file's in the manifest.
            data: its content, or the link's target.

        Raises:
            OSError: it cannot be written.
        """
        full = self._project / name
        self._clear_parents(name)
        full.parent.mkdir(parents=True, exist_ok=True)
        if not entry.link:
            # `alone` gives the temporary file a known name, so that `remove_temporaries` finds one
            # that `kill -9` left beside the tests.
            files.write_file(full, data, entry.mode, alone=True)
            return
        # `symlink` never replaces a file; a rename does, in one step.
        temporary = files.temporary_path(full)
        files.remove_path(temporary)
        temporary.symlink_to(os.fsdecode(data))
        atomic.move_path(temporary, full)

    def _is_below_link(self, name: str) -> bool:
        """Return whether a folder of a path is a link now: what it leads to is not touched."""
        parents = [self._project / str(each) for each in PurePosixPath(name).parents][:-1]
        return any(map(files.is_link, parents))

    def _clear_parents(self, name: str) -> None:
        """Back up and remove files and links that are in the place of a folder of the path."""
        if name.startswith("/"):
            return
        for folder in reversed(PurePosixPath(name).parents[:-1]):
            full = self._project / str(folder)
            if files.is_link(full) or (files.exists(full) and not files.is_folder(full)):
                target = self._backup / f"{folder}.instead"
                target.unlink(missing_ok=True)
                _copy_path(full, target)
                full.unlink()


def _copy_path(source: Path, target: Path) -> None:
    """Copy a file, link or folder.

    Pipes, sockets and devices are left out: to read a pipe would wait for a writer.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if files.is_folder(source) and not files.is_link(source):
        shutil.copytree(
            source, target, symlinks=True, dirs_exist_ok=True, ignore=_list_special_files
        )
    elif not files.is_special(source):
        shutil.copy2(source, target, follow_symlinks=False)


def _list_special_files(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if files.is_special(Path(folder, name))]
