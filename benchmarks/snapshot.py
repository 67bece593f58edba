"""What a snapshot costs, as a ratio to plain `git add -A && git write-tree` in the same run.

    python -m benchmarks.snapshot [FILES]

Generates a repository (20,000 files unless told), changes one file before each measurement, and
lets the two take turns, so that both meet the same state of the machine. Prints medians.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from orchestrator.workspace import open_workspace

ROUNDS = 15
T = TypeVar("T")


def main() -> None:
    """Generate, measure, print."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        project, state = Path(folder) / "project", Path(folder) / "state"
        generate(project, files)
        measure(project, state, files)


def generate(project: Path, files: int) -> None:
    """Make a packed repository with files of 1 to 4 kB, a hundred to a folder."""
    for number in range(files):
        path = project / f"part{number // 2000}" / f"package{number // 100}" / f"m{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        line = f"value_{number} = {number}  # generated\n"
        path.write_text(line * (30 + number % 90), encoding="utf-8")
    git(project, "init", "--quiet")
    git(project, "add", "-A")
    for key, value in (("user.name", "b"), ("user.email", "b@example.org"), ("gc.auto", "0")):
        git(project, "config", key, value)
    git(project, "commit", "-qm", "all")
    git(project, "gc", "--quiet")


def measure(project: Path, state: Path, files: int) -> None:
    """Print what each thing took."""
    opening, workspace = timed(lambda: open_workspace(project, state))
    first, before = timed(workspace.snapshot)
    plain(project)
    floor, ours, diffs = [], [], []
    for number in range(ROUNDS):
        changed = project / "part0" / "package0" / "m0.py"
        changed.write_text(f"round = {number}\n", encoding="utf-8")
        floor.append(timed(lambda: plain(project))[0])
        changed.write_text(f"round_of_ours = {number}\n", encoding="utf-8")
        took, after = timed(workspace.snapshot)
        ours.append(took)
        diffs.append(timed(partial(workspace.diff, before, after, state / "patch"))[0])
        before = after
    base = statistics.median(floor)
    print(f"{files} files, {os.cpu_count()} cores, medians of {ROUNDS}")
    for name, seconds in (
        ("git add -A && git write-tree", base),
        ("snapshot", statistics.median(ours)),
        ("diff of one changed file", statistics.median(diffs)),
        ("open_workspace, once a run", opening),
        ("first snapshot of a run", first),
    ):
        print(f"  {name:32} {1000 * seconds:8.1f} ms   {seconds / base:5.2f}x")


def plain(project: Path) -> None:
    """Do the least that gives a tree of the present files."""
    git(project, "add", "-A")
    git(project, "write-tree")


def git(project: Path, *arguments: str) -> None:
    """Run git as a shell script would."""
    subprocess.run(["git", *arguments], cwd=project, check=True, stdout=subprocess.DEVNULL)


def timed(function: Callable[[], T]) -> tuple[float, T]:
    """Give the seconds that a call took, and its result."""
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
