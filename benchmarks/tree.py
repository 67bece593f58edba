"""What grows with the files of a project: opening it, the guard of one attempt, memory, its notes.

Each size is measured in a process of its own, and in CPU time with that of the children: on a busy
machine only that means something. The suite and the agent do next to nothing.
"""

import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import projects
from benchmarks.machine import ROOT
from benchmarks.results import Table
from orchestrator.guard import Guard, GuardMode, build_guard
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.workspace import GitWorkspace, open_workspace

SIZES: Final = (50_000, 100_000)
ATTEMPTS: Final = 4
_FLOOR: Final = "git add -A && git write-tree"
_CHANGED: Final = "part0/package0/m0.py"
_GREEN: Final = SuiteReport(
    SuiteOutcome.PASSED,
    0,
    (Case("tests/test_m.py::test_m", CaseOutcome.PASSED, file="tests/test_m.py"),),
)
_ROWS: Final = (
    (_FLOOR, " s", ""),
    ("snapshot", " s", ""),
    ("open_workspace", " s", ""),
    ("guard, one look", " s", ""),
    ("guard, a whole attempt", " s", ""),
    ("memory beyond the start", " MB", "60 MB"),
    ("note on the first attempt", " MB", ""),
    ("note on a later attempt", " MB", ""),
)
"""What is measured, its unit, and the aim for the larger project."""


def measure() -> Table:
    """Generate a project of each size, and measure in it; the last column but one is the growth."""
    found = [_measure_apart(size) for size in SIZES]
    rows = []
    for name, unit, aim in _ROWS:
        small, large = (each[name] for each in found)
        growth = f"{large / small:.1f}x" if small > 0.01 else ""
        rows.append((name, f"{small:.2f}{unit}", f"{large:.2f}{unit}", growth, aim or "2x"))
    return Table(
        f"What grows with a project's files (CPU time, median of {ATTEMPTS} attempts)",
        ("what", *(f"{size:,} files" for size in SIZES), "growth", "aim"),
        tuple(rows),
        {name: [each[name] for each in found] for name, _, _ in _ROWS},
    )


def _measure_apart(size: int) -> dict[str, float]:
    with TemporaryDirectory(prefix="benchmark-") as folder:
        project = Path(folder) / "project"
        projects.large(project, size)
        argv = [sys.executable, "-m", "benchmarks.tree", str(project), str(Path(folder) / "state")]
        done = subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measure_here(project: Path, state: Path) -> dict[str, float]:
    began = _peak_memory()
    opening = _cpu(lambda: open_workspace(project, state / "run"))
    workspace = open_workspace(project, state / "run")
    guard = build_guard(
        project, GuardMode.RESTORE, "python -m pytest tests", folder=state / "guard"
    )
    guard.watch_suite(lambda: _GREEN, baseline=True)
    guard.record_baseline(_GREEN, None)
    seconds: dict[str, list[float]] = {}
    for number in range(1, ATTEMPTS + 1):
        for name, spent in _make_attempt(project, workspace, guard, number).items():
            seconds.setdefault(name, []).append(spent)
    notes = sorted((state / "guard").glob("attempt-*"))
    return {
        **{name: statistics.median(each) for name, each in seconds.items()},
        "open_workspace": opening,
        "memory beyond the start": _peak_memory() - began,
        "note on the first attempt": notes[0].stat().st_size / 1e6,
        "note on a later attempt": notes[-1].stat().st_size / 1e6,
    }


def _make_attempt(
    project: Path, workspace: GitWorkspace, guard: Guard, number: int
) -> dict[str, float]:
    """Change one file, and return what was spent on it, by what was done."""
    remembering = _cpu(lambda: guard.record_attempt(number))
    before, changed = workspace.take_snapshot(), project / _CHANGED
    changed.write_text(f"of_git = {number}\n", encoding="utf-8")
    floor = _cpu(lambda: _plain(project))
    changed.write_text(f"of_ours = {number}\n", encoding="utf-8")
    opening = _cpu(lambda: guard.open_folders(number))
    snapshot = _cpu(workspace.take_snapshot)
    diff = workspace.diff_snapshots(before, workspace.take_snapshot(), project.parent / "patch")
    look = _cpu(lambda: guard.revert_edits(number))
    suite = _cpu(lambda: guard.watch_suite(lambda: _GREEN))
    verdict = _cpu(lambda: guard.check_verdict(number, _GREEN, diff))
    return {
        _FLOOR: floor,
        "snapshot": snapshot,
        "guard, one look": look,
        "guard, a whole attempt": remembering + opening + look + suite + verdict,
    }


def _plain(project: Path) -> None:
    projects.git(project, "add", "-A")
    projects.git(project, "write-tree")


def _cpu(function: Callable[[], object]) -> float:
    """Return the seconds of CPU time that a function takes, its children included."""
    before = _spent()
    function()
    return _spent() - before


def _spent() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak_memory() -> float:
    """Return the most memory that this process had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(_measure_here(Path(sys.argv[1]), Path(sys.argv[2]))))
