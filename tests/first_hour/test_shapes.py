"""The shapes are what their table says: their own command finds the bug, and only the bug."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.first_hour.shapes import SHAPES, Answer, Shape

pytestmark = pytest.mark.whole

TABLE = Path(__file__).parent / "README.md"


def run_suite(shape: Shape, project: Path) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        shlex.split(shape.true_command),
        cwd=project / shape.folder,
        env={**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_command_of_a_shape_fails_before_the_repair_and_passes_after_it(
    shape: Shape, project: Path
) -> None:
    shape.build(project)
    before = run_suite(shape, project)
    assert before.returncode != 0
    # A suite that cannot start would fail as well, and say nothing about the bug.
    assert "122" in before.stdout + before.stderr or shape.cases == 0, before.stdout + before.stderr
    broken = project / shape.broken
    text = broken.read_text(encoding="utf-8")
    assert text.count(shape.wrong) == 1
    broken.write_text(text.replace(shape.wrong, shape.right), encoding="utf-8")
    after = run_suite(shape, project)
    assert after.returncode == 0, after.stdout + after.stderr
    if "pytest" in shape.true_command:
        assert f"{shape.cases} passed" in after.stdout


def test_the_table_has_each_shape_once() -> None:
    text = TABLE.read_text(encoding="utf-8")
    rows = [row.split("|") for row in text.splitlines() if row.startswith("| `")]
    assert [row[1].strip(" `") for row in rows] == [shape.name for shape in SHAPES]


def test_there_are_shapes_of_each_answer() -> None:
    assert {shape.answer for shape in SHAPES} == set(Answer)
