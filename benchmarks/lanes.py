"""What it costs to watch seven lanes, as a ratio to plain git in the same run.

A few files are changed in each lane before each measurement, and the two take turns. CPU time is
measured, with that of the children: on a busy machine only that means something.
"""

import itertools
import os
import resource
import shutil
import statistics
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

from benchmarks import projects
from benchmarks.results import Table, spread
from orchestrator.workspace.lanes import LaneRepository, open_lane_repository

FILES: Final = 5_000
LANES: Final = 7
ROUNDS: Final = 7
_FLOOR: Final = "git add -A, write-tree, commit-tree; git merge-tree"
_OURS: Final = "snapshots of all lanes, all pairs merged"
_AIMS: Final = {_OURS: "well below 1 s"}
T = TypeVar("T")


def measure() -> Table:
    """Generate a repository with lanes, and measure in it."""
    with TemporaryDirectory(prefix="benchmark-") as temporary:
        project = Path(temporary) / "project"
        projects.generate(project, FILES)
        projects.commit(project)
        folder = Path(temporary) / "lists" / "one" / "repository.git"
        seconds = _take_turns(open_lane_repository(project, folder))
    floor = statistics.median(seconds[_FLOOR])
    rows = []
    for name, values in seconds.items():
        took = [1000 * value for value in values]
        shown = spread(took, " ms", 0) if len(took) > 1 else f"{took[0]:.0f} ms"
        ratio = f"{statistics.median(values) / floor:.2f}x"
        rows.append((name, shown, ratio, _AIMS.get(name, "")))
    return Table(
        f"{LANES} lanes of {FILES:,} files (CPU time, median and quartiles of {ROUNDS} rounds)",
        ("what", "took", "ratio", "aim"),
        tuple(rows),
        seconds,
    )


def _take_turns(lanes: LaneRepository) -> dict[str, list[float]]:
    """Seconds of each thing that was done."""
    created, base = _timed(lanes.create_base)
    folders = [lanes.folder.parent / "lanes" / str(number + 1) for number in range(LANES)]
    added = [_timed(partial(lanes.add_lane, folder, base))[0] for folder in folders]
    plain = _PlainLanes(lanes.folder, folders, base)
    floor, own, resets = [], [], []
    for number in range(ROUNDS):
        _change(folders, 2 * number)
        floor.append(_timed(plain.find_conflicts)[0])
        _change(folders, 2 * number + 1)
        took, conflicts = _timed(partial(_watch, lanes, folders, base))
        own.append(took)
        assert len(conflicts) == LANES * (LANES - 1) // 2
        resets.append(_timed(partial(lanes.reset_lane, folders[0], base))[0])
    published, _ = _timed(partial(lanes.publish, _commit(lanes, folders[1], base), "published"))
    return {
        _FLOOR: floor,
        _OURS: own,
        "create_base": [created],
        "add_lane": added,
        "reset_lane": resets,
        "publish": [published],
    }


def _watch(lanes: LaneRepository, folders: list[Path], base: str) -> list[object]:
    commits = {str(folder): _commit(lanes, folder, base) for folder in folders}
    return list(lanes.find_conflicts(commits))


def _commit(lanes: LaneRepository, folder: Path, base: str) -> str:
    return lanes.snapshot_lane(folder, base, "at work")


def _change(folders: list[Path], number: int) -> None:
    """Change three files of a lane of its own, and a line that all lanes change."""
    for lane, folder in enumerate(folders):
        for part in range(3):
            own = folder / "part0" / f"package{lane}" / f"m{lane * 100 + part}.py"
            own.write_text(f"round = {number}\n", encoding="utf-8")
        shared = folder / "part1" / "package20" / "m2000.py"
        shared.write_text(f"lane = {lane}\nround = {number}\n", encoding="utf-8")


class _PlainLanes:
    """The same with git alone, as a script would do it."""

    def __init__(self, repository: Path, folders: list[Path], base: str) -> None:
        self._repository, self._folders, self._base = repository, folders, base
        for number, folder in enumerate(folders):
            entry = (folder / ".git").read_text(encoding="utf-8").removeprefix("gitdir:").strip()
            shutil.copy2(Path(entry) / "index", repository / f"plain{number}.index")

    def find_conflicts(self) -> bytes:
        commits = []
        for number, folder in enumerate(self._folders):
            index = self._repository / f"plain{number}.index"
            self._git(folder, "add", "-A", index=index)
            tree = self._git(folder, "write-tree", index=index).decode().strip()
            made = self._git(folder, "commit-tree", tree, "-p", self._base, "-m", "at work")
            commits.append(made.decode().strip())
        pairs = itertools.combinations(commits, 2)
        lines = "".join(f"{one} {other}\n" for one, other in pairs)
        options = ("--write-tree", "-z", "--name-only", "--no-messages", "--stdin")
        return self._git(self._repository, "merge-tree", *options, stdin=lines.encode())

    def _git(
        self, folder: Path, *arguments: str, stdin: bytes = b"", index: Path | None = None
    ) -> bytes:
        return subprocess.run(
            ["git", "-c", "user.name=b", "-c", "user.email=b@example.org", *arguments],
            cwd=folder,
            env={**os.environ, **({"GIT_INDEX_FILE": str(index)} if index else {})},
            input=stdin,
            capture_output=True,
            check=True,
        ).stdout


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started = _read_cpu_time()
    result = work()
    return _read_cpu_time() - started, result


def _read_cpu_time() -> float:
    """Return the seconds that this process and its children have computed."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(each) for each in who]
    return sum(each.ru_utime + each.ru_stime for each in used)
