"""Files that are not in the last commit are counted as a person would."""

from pathlib import Path

from orchestrator.workspace.uncommitted import count_uncommitted_files
from tests.workspace.repositories import commit, git, repository, snapshot_git_folder


def test_files_that_are_not_committed(project: Path) -> None:
    repository(project, a_txt="one\n", b_txt="two\n", _gitignore="*.log\n")
    assert count_uncommitted_files(project) == 0
    (project / "a.txt").write_text("1\n", encoding="utf-8")
    (project / "b.txt").unlink()
    (project / "new").mkdir()
    for name in ("x\ny", "z"):
        (project / "new" / name).touch()
    (project / "made.log").touch()
    (project / "node_modules").mkdir()
    (project / "node_modules" / "x.js").touch()
    untouched = snapshot_git_folder(project / ".git")
    assert count_uncommitted_files(project) == 4
    assert count_uncommitted_files(project / "new") == 2
    assert snapshot_git_folder(project / ".git") == untouched
    git(project, "add", "-A")
    commit(project)
    assert count_uncommitted_files(project) == 0


def test_a_repository_without_a_commit(project: Path) -> None:
    repository(project)
    (project / "a.txt").touch()
    git(project, "add", "a.txt")
    (project / "b.txt").touch()
    assert count_uncommitted_files(project) == 2


def test_a_folder_without_git(project: Path) -> None:
    (project / "a.txt").touch()
    assert count_uncommitted_files(project) is None
    assert count_uncommitted_files(project / "nosuch") is None


def test_a_repository_inside_is_no_file_that_an_undo_brings_back(project: Path) -> None:
    repository(project, a_txt="one\n")
    repository(project / "inner", b_txt="two\n")
    assert count_uncommitted_files(project) == 0
    (project / "new").touch()
    assert count_uncommitted_files(project) == 1
