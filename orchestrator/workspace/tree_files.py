"""Write files of a tree somewhere else than into the project."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.platform import atomic, files
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.workspace.private import PrivateGit


def check_out_files(
    private: PrivateGit, state: Path, tree: str, paths: Iterable[bytes], folder: Path
) -> None:
    """Write some files of a tree into a private folder.

    Args:
        private: the private git directory.
        state: the folder for temporary files.
        tree: the tree's id.
        paths: the files.
        folder: the folder, which exists.

    Raises:
        InfrastructureError: git failed.
        OSError: a temporary file cannot be written.
    """
    listed = b"".join(path + b"\0" for path in paths)
    if not listed:
        return
    project = private.project.folder
    with TemporaryDirectory(dir=state) as scratch:
        git = private.project.with_folder(
            project, GIT_INDEX_FILE=f"{scratch}/index", GIT_WORK_TREE=str(project)
        )
        git.run("read-tree", tree)
        git.run("checkout-index", "-z", "--stdin", f"--prefix={folder}/", stdin=listed)


def copy_files(
    private: PrivateGit, state: Path, tree: str, paths: Iterable[bytes], folder: Path
) -> None:
    """Write some files of a tree into a new folder, which exists as a whole or not at all.

    Args:
        private: the private git directory.
        state: the folder for temporary files.
        tree: the tree's id.
        paths: the files.
        folder: the folder; nothing is done if it exists.

    Raises:
        InfrastructureError: git failed.
        OSError: the folder cannot be written.
    """
    if files.exists(folder):
        return
    make_private_folder(folder.parent)
    with TemporaryDirectory(dir=folder.parent, prefix=".draft-") as scratch:
        draft = Path(scratch, "files")
        draft.mkdir()
        check_out_files(private, state, tree, paths, draft)
        atomic.move_path(draft, folder)
    atomic.sync_folder(folder.parent)
