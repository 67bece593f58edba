"""Folders that others decide on."""

import hashlib
import os
from pathlib import Path

import pytest

from orchestrator.platform import files, folders


def test_the_folders_up_to_the_top_of_the_work_tree(tmp_path: Path) -> None:
    below = tmp_path / "shop" / "src" / "api"
    below.mkdir(parents=True)
    assert folders.list_enclosing_folders(below) == [str(below)]  # it is in none
    (tmp_path / "shop" / ".git").write_text("gitdir: elsewhere\n", encoding="ascii")
    chain = [below, below.parent, tmp_path / "shop"]
    assert folders.list_enclosing_folders(str(below)) == [str(folder) for folder in chain]
    assert files.list_enclosing_folders(below) == chain
    assert files.find_git_top(below) == tmp_path / "shop"
    assert files.find_git_top(tmp_path) == tmp_path


@pytest.mark.parametrize("folder", ["/", "", "nowhere/at/all"])
def test_a_folder_that_is_none_stands_for_itself(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert folders.list_enclosing_folders(folder) == [folder]


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"CLAUDE_CONFIG_DIR": "/c", "HOME": "/h"}, "/c"),
        ({"CLAUDE_CONFIG_DIR": "~/c"}, "HOME/c"),
        ({"CLAUDE_CONFIG_DIR": "", "HOME": "/h"}, "/h/.claude"),
        ({}, "HOME/.claude"),
    ],
)
def test_where_claude_codes_configuration_is(
    variables: dict[str, str], found: str, home: Path
) -> None:
    assert folders.find_config_folder(variables) == found.replace("HOME", str(home))


def test_the_name_of_a_path_is_as_in_every_version_so_far(tmp_path: Path) -> None:
    assert folders.hash_path("/home/dev/shop") == "e828acfc792e3bbc"
    path = tmp_path / "sh\udcffop"
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()
    assert folders.hash_path(path) == folders.hash_path(str(path)) == digest[:16]
