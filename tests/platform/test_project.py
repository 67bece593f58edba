"""Which project a folder belongs to."""

import os
from pathlib import Path

import pytest

from orchestrator.config.loading import PROJECT_FILE
from orchestrator.platform.packages import has_own_tests
from orchestrator.platform.project import (
    CONFIG_FILE,
    ProjectOrigin,
    describe_danger,
    find_project,
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "repository"
    (top / ".git").mkdir(parents=True)
    (top / "src" / "shop").mkdir(parents=True)
    (top / "tests").mkdir()
    return top


def add_package(folder: Path) -> Path:
    (folder / "tests").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    return folder


def find(folder: Path) -> tuple[Path, ProjectOrigin]:
    found = find_project(folder)
    return found.root, found.origin


def test_the_configuration_has_one_name() -> None:
    assert CONFIG_FILE == PROJECT_FILE


def test_the_top_of_the_work_tree(repository: Path) -> None:
    for folder in ("src/shop", "tests", "."):
        assert find(repository / folder) == (repository, ProjectOrigin.GIT)


def test_the_nearest_configuration_precedes_it(repository: Path) -> None:
    (repository / CONFIG_FILE).touch()
    assert find(repository / "src/shop") == (repository, ProjectOrigin.CONFIG)
    (repository / "src" / CONFIG_FILE).touch()
    assert find(repository / "src/shop") == (repository / "src", ProjectOrigin.CONFIG)
    assert find(repository / "tests") == (repository, ProjectOrigin.CONFIG)


def test_nothing_above_the_work_tree_counts(repository: Path) -> None:
    (repository.parent / CONFIG_FILE).touch()
    assert find(repository / "src") == (repository, ProjectOrigin.GIT)


def test_the_package_at_hand(repository: Path) -> None:
    package = add_package(repository / "packages" / "a")
    (package / "src").mkdir()
    assert find(package / "src") == (package, ProjectOrigin.PACKAGE)
    assert find(repository / "packages") == (repository, ProjectOrigin.GIT)
    assert has_own_tests(package)
    (package / "tests").rmdir()
    assert find(package / "src") == (repository, ProjectOrigin.GIT)
    (repository / CONFIG_FILE).touch()
    (package / "tests").mkdir()
    assert find(package / "src") == (repository, ProjectOrigin.CONFIG)


def test_the_tests_of_a_package_may_be_anywhere_in_it(repository: Path) -> None:
    package = repository / "services" / "api"
    (package / "api" / "deep" / "tests").mkdir(parents=True)
    (package / "pyproject.toml").touch()
    assert find(package / "api") == (package, ProjectOrigin.PACKAGE)
    (package / "api" / "setup.cfg").touch()  # the tests are those of a package below
    assert find(package) == (repository, ProjectOrigin.GIT)
    assert find(package / "api" / "deep") == (package / "api", ProjectOrigin.PACKAGE)


def test_a_package_of_javascript_says_how_to_test_it(repository: Path) -> None:
    package = repository / "packages" / "a"
    (package / "src" / "test").mkdir(parents=True)
    manifest = package / "package.json"
    for text in ("{}", "[", '{"scripts": {"test": "echo \\"Error: no test specified\\""}}'):
        manifest.write_text(text, encoding="utf-8")
        assert find(package / "src") == (repository, ProjectOrigin.GIT)
    manifest.write_text('{"scripts": {"test": "node --test src/"}}', encoding="utf-8")
    assert find(package / "src") == (package, ProjectOrigin.PACKAGE)
    manifest.write_text("{}", encoding="utf-8")
    (package / "src" / "test_tools.py").touch()
    assert find(package / "src") == (package, ProjectOrigin.PACKAGE)


def test_a_search_for_tests_has_an_end(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.platform.packages._MOST_ENTRIES", 20)
    package = repository / "big"
    for number in range(30):
        (package / f"a{number:02}").mkdir(parents=True)
    (package / "pyproject.toml").touch()
    (package / "a29" / "test_a.py").touch()
    (package / "again").symlink_to(package, target_is_directory=True)
    assert find(package) == (repository, ProjectOrigin.GIT)


def test_data_hides_no_tests_of_a_package(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.platform.packages._MOST_ENTRIES", 150)
    monkeypatch.setattr("orchestrator.platform.packages.LARGE_FOLDER", 50)
    package = repository / "big"
    (package / "big" / "tests").mkdir(parents=True)
    (package / "pyproject.toml").touch()
    for folder in ("a", "z"):
        (package / folder).mkdir()
        for number in range(160):
            (package / folder / str(number)).touch()
    assert find(package) == (package, ProjectOrigin.PACKAGE)


def test_without_git_the_folders_of_the_user_are_searched(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "src"
    inner.mkdir(parents=True)
    assert find(inner) == (inner, ProjectOrigin.HERE)
    (tmp_path / "project" / CONFIG_FILE).touch()
    assert find(inner) == (tmp_path / "project", ProjectOrigin.CONFIG)
    (tmp_path / "project").chmod(0o777)  # anybody could have put it there
    assert find(inner) == (inner, ProjectOrigin.HERE)


@pytest.mark.parametrize("mark", [".git", CONFIG_FILE])
def test_the_home_folder_is_never_a_project_by_itself(home: Path, mark: str) -> None:
    """Whoever keeps dotfiles in git has a work tree with the whole home in it."""
    if mark == ".git":
        (home / mark).mkdir()
    else:
        (home / mark).touch()
    inner = home / "work" / "shop"
    inner.mkdir(parents=True)
    assert find(inner) == (inner, ProjectOrigin.HERE)
    assert find(home)[0] == home
    assert "home folder" in describe_danger(home)
    assert "root of the file system" in describe_danger(Path("/"))
    assert describe_danger(inner) == ""


def test_a_link_to_a_folder_is_followed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repository / "src")
    assert find(tmp_path / "link") == (repository, ProjectOrigin.GIT)


def test_a_home_that_is_unknown_is_no_error(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "")
    assert find(repository / "src")[0] == repository
    monkeypatch.setenv("HOME", os.fspath(repository.parent / "gone"))
    assert find(repository / "src")[0] == repository
