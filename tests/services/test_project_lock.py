"""One run at a time changes the files of a folder, whichever folder above or below it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.services.project_lock import lock_project
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import worktree_folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as store:
        yield store


@pytest.mark.parametrize(
    ("locked", "wanted"), [("a", "a"), ("a", "a/b/c"), ("a/b/c", "a"), ("a", ".")]
)
def test_a_folder_that_shares_files_is_refused(
    tmp_path: Path, store: Store, locked: str, wanted: str
) -> None:
    with lock_project(tmp_path / locked, store):
        with (
            pytest.raises(InfrastructureError, match=f"another run works in {tmp_path / locked}"),
            lock_project(tmp_path / wanted, store),
        ):
            pass
        with lock_project(tmp_path / "ab", store):  # the refused one has left nothing locked
            pass
    with lock_project(tmp_path / wanted, store):
        pass


def test_an_isolated_run_excludes_nobody(tmp_path: Path, store: Store) -> None:
    """Even where the state directory lies in the project."""
    trees = [worktree_folder(store.directory, name) for name in ("one", "another")]
    with (
        lock_project(trees[0] / "sub", store),
        lock_project(tmp_path, store),
        lock_project(trees[1], store),
        pytest.raises(InfrastructureError, match="another run works in"),
        lock_project(trees[1], store),
    ):
        pass


def test_a_lock_that_names_no_folder_excludes_nobody_else(tmp_path: Path, store: Store) -> None:
    """An earlier version has left its lock files empty."""
    with lock_project(tmp_path / "a", store):
        for path in store.locks.glob("project-*.lock"):
            path.write_bytes(b"")
        with lock_project(tmp_path, store):
            pass
