"""Small projects, and a PATH with programs that only exist."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Build = Callable[..., Path]
Tools = Callable[..., dict[str, str]]

TEST = "def test_it():\n    assert True\n"


def write_files(project: Path, files: Mapping[str, str]) -> Path:
    """Write files of a project; a name that ends with a slash is a folder."""
    for name, text in files.items():
        path = project / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text(text, encoding="utf-8")
    return project


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def build(files: Mapping[str, str]) -> Path:
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        return write_files(project, files)

    return build


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """Return an environment in which these programs are installed, and a Python with pytest."""

    def tools(*names: str) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
            (folder / name).chmod(0o755)
        path = f"{folder}{os.pathsep}{Path(sys.executable).parent}"
        return {"PATH": path, "HOME": str(tmp_path)}

    return tools
