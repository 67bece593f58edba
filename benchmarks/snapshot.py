"""What a snapshot costs, as a ratio to plain `git add -A && git write-tree` in the same run.

Changes one file of a generated repository before each measurement, and lets the two take turns, so
that both meet the same state of the machine.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

from benchmarks import projects
from benchmarks.results import Table, spread
from orchestrator.workspace import open_workspace

FILES: Final = 20_000
ROUNDS: Final = 15
T = TypeVar("T")


def measure() -> Table:
    """Generate a repository, and measure in it."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        project, state = Path(folder) / "project", Path(folder) / "state"
        projects.generate(project, FILES)
        projects.commit(project)
        seconds = _take_turns(project, state)
    floor = statistics.median(seconds["git add -A && git write-tree"])
    rows = []
    for name, values in seconds.items():
        took = [1000 * value for value in values]
        shown = spread(took, " ms", 0) if len(took) > 1 else f"{took[0]:.0f} ms"
        aim = "at most 1.2x" if name == "snapshot" else ""
        rows.append((name, shown, f"{statistics.median(values) / floor:.2f}x", aim))
    return Table(
        f"Snapshots of {FILES:,} files (median and quartiles of {ROUNDS} rounds)",
        ("what", "took", "ratio", "aim"),
        tuple(rows),
        seconds,
    )


def _take_turns(project: Path, state: Path) -> dict[str, list[float]]:
    """Seconds of each thing that was done."""
    opening, workspace = _timed(lambda: open_workspace(project, state))
    first, before = _timed(workspace.take_snapshot)
    _plain(project)
    floor, ours, diffs = [], [], []
    for number in range(ROUNDS):
        changed = project / "part0" / "package0" / "m0.py"
        changed.write_text(f"round = {number}\n", encoding="utf-8")
        floor.append(_timed(lambda: _plain(project))[0])
        changed.write_text(f"round_of_ours = {number}\n", encoding="utf-8")
        took, after = _timed(workspace.take_snapshot)
        ours.append(took)
        diffs.append(_timed(partial(workspace.diff_snapshots, before, after, state / "patch"))[0])
        before = after
    return {
        "git add -A && git write-tree": floor,
        "snapshot": ours,
        "diff of one changed file": diffs,
        "open_workspace, once a run": [opening],
        "first snapshot of a run": [first],
    }


def _plain(project: Path) -> None:
    """Do the least that gives a tree of the present files."""
    projects.git(project, "add", "-A")
    projects.git(project, "write-tree")


def _timed(function: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result
