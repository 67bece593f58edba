"""Nothing of a cloned or unpacked repository is executed before a person has agreed to anything."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.replay import ReplayServer
from tests.cli.conftest import TASK, Call, Shop

PROGRAMS = ("git", "bash", "sh", "env", "node", "claude", "make", "npm", "uv")


@pytest.fixture
def trapped(shop: Shop, tmp_path: Path) -> Path:
    """A project with programs of its own in what looks like an environment; where each reports."""
    ran = tmp_path / "ran"
    (shop.project / "orchestrator.yaml").unlink()
    shop.write(".venv/pyvenv.cfg", "home = /usr/bin\n")
    shop.write("Makefile", "test:\n\tpytest\n")
    for name in PROGRAMS:
        program = shop.write(
            f".venv/bin/{name}",
            f'#!/bin/sh\necho {name} >> {ran}\nexec {shutil.which(name) or "false"} "$@"\n',
        )
        program.chmod(0o755)
    return ran


@pytest.mark.parametrize(
    "words", [("doctor",), ("init",), ("run", "--dry-run", "--tests", "true", TASK)]
)
def test_no_program_of_the_project_is_found(
    call: Call, teacher: ReplayServer, trapped: Path, words: tuple[str, ...]
) -> None:
    call(*words)
    assert not trapped.exists(), trapped.read_text("utf-8")


@pytest.mark.parametrize("words", [("init", "--yes"), ("run", "--dry-run", TASK), ("doctor",)])
def test_no_filter_of_an_unpacked_repository_runs(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ran = tmp_path / "ran"
    config = {"clean": f"touch {ran}; cat", "process": f"touch {ran}", "required": "true"}
    for name, value in config.items():
        subprocess.run(
            ["git", "config", f"filter.of the archive.{name}", value], cwd=shop.project, check=True
        )
    shop.write(".gitattributes", "* filter=of\\ the\\ archive\n*.txt filter=evil\n")
    for name, value in config.items():
        subprocess.run(
            ["git", "config", f"filter.evil.{name}", value], cwd=shop.project, check=True
        )
    shop.write("word.txt", "wrong\n")
    call(*words)
    assert not ran.exists()


def test_a_preview_still_counts_what_is_not_committed(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    subprocess.run(["git", "config", "filter.x.clean", "false"], cwd=shop.project, check=True)
    shop.write(".gitattributes", "*.txt filter=x\n")
    shop.write("word.txt", "another\n")
    (found,) = call("run", "--dry-run", "--json", TASK).events
    assert found["uncommitted_files"] == 2, json.dumps(found)
