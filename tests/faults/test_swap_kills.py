"""`kill -9` while the tree before an attempt is made in place, stands there, or is taken away.

Whoever comes next puts the attempt's files back before anything else. git and the processes are
real.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.workspace import open_workspace
from orchestrator.workspace.swap import SwapNote, finish_swap
from tests.sampling import sample_every_sixth

pytestmark = [pytest.mark.kills, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
KILLS = 40
"""Of each part."""
PARTS = 3
FILES = 40
LONGEST_SECONDS = 0.6
"""About three turns: swaps are cut short at their beginning, in the middle and at their end."""


def contents(project: Path) -> dict[str, bytes]:
    files = (path for path in sorted(project.rglob("*")) if path.is_file())
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("part", sample_every_sixth(range(PARTS)))
def test_no_byte_of_the_attempt_or_the_user_is_lost(tmp_path: Path, part: int) -> None:
    project, state = tmp_path / "project", tmp_path / "state"
    (project / "pkg").mkdir(parents=True)
    for number in range(FILES):
        (project / "pkg" / f"m{number}.py").write_text(f"old = {number}\n", encoding="utf-8")
    (project / "mine.txt").write_text("mine\n", encoding="utf-8")
    workspace = open_workspace(project, state / "run")
    before = workspace.take_snapshot()
    for number in range(0, FILES, 2):
        (project / "pkg" / f"m{number}.py").write_text(f"new = {number}\n", encoding="utf-8")
    (project / "pkg" / "m1.py").unlink()
    (project / "added" / "deep").mkdir(parents=True)
    (project / "added" / "deep" / "new.py").write_text("new = 1\n", encoding="utf-8")
    after = workspace.take_snapshot()
    expected, chance = contents(project), random.Random(part)  # noqa: S311 -- repeatable, not secret
    swapped = lost = 0
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.swapper", project, state, before.tree, after.tree],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, LONGEST_SECONDS))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        swapped += contents(project) != expected
        finished = finish_swap(project, state)
        assert finished is None or not finished.left
        now = contents(project)
        lost += sum(len(data) for path, data in expected.items() if now.get(path) != data)
        assert now == expected
        assert not SwapNote.for_project(project, state).path.exists()
    # Kills that always came between two turns would show nothing.
    assert swapped > KILLS // 4
    if folder := os.environ.get("ORCHESTRATOR_FIGURES"):
        values = {"kills": KILLS, "swapped": swapped, "bytes_lost": lost}
        Path(folder, f"swap-kills-{part}.json").write_text(json.dumps(values), encoding="utf-8")
