"""Adds up the kills of all workers, prints them, and fails when there were too few.

python -m tests.faults.count FOLDER [--sample]
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AT_LEAST = 200
AT_LEAST_IN_COMPARISONS = 100
SAMPLE = 4
"""A sample has to have as many as a whole run, divided by this."""


@dataclass(frozen=True)
class Kind:
    """Kills whose figures are only added up."""

    name: str
    """Of the file with the sums; the workers' files have it before their own."""
    at_least: int
    sums: tuple[str, ...]
    line: str
    """What is printed, with the names of sums."""
    sample: int = SAMPLE
    """A sample has to have as many as a whole run, divided by this."""


KINDS = (
    Kind(
        "handover-kills",
        40,
        ("kills", "runs", "bytes_lost", "doubled"),
        "kill -9 of one process after the other: {kills} kills over {runs} runs, "
        "{doubled} steps finished twice",
    ),
    Kind(
        "swap-kills",
        100,
        ("kills", "swapped", "bytes_lost"),
        "kill -9 within swaps: {kills} kills, {bytes_lost} bytes lost",
    ),
    Kind(
        "list-kills",
        150,
        ("kills", "lists", "commits_lost", "doubled"),
        "kill -9 of task lists: {kills} kills over {lists} lists, {commits_lost} commits lost, "
        "{doubled} landings or rules twice",
    ),
    Kind(
        "fleet-kills",
        50,
        ("kills", "jobs", "lost", "doubled"),
        "kill -9 of workers and reapers: {kills} kills over {jobs} jobs, {lost} jobs lost, "
        "{doubled} results twice",
        sample=6,  # its parts are sampled by sixths, and all are about as large
    ),
)


def main() -> int:
    folder = Path(sys.argv[1])
    is_sample = "--sample" in sys.argv
    part = SAMPLE if is_sample else 1
    enough = [
        _count_kills(folder) >= AT_LEAST / part,
        _count_kills_in_comparisons(folder) >= AT_LEAST_IN_COMPARISONS / part,
        *(
            _add_up(folder, kind) >= kind.at_least / (kind.sample if is_sample else 1)
            for kind in KINDS
        ),
    ]
    return 0 if all(enough) else 1


def _add_up(folder: Path, kind: Kind) -> int:
    sums = _sums(_take_parts(folder, f"{kind.name}-*.json"), kind.sums)
    _write(folder / f"{kind.name}.json", sums)
    print(kind.line.format_map(sums))
    return sums["kills"]


def _count_kills(folder: Path) -> int:
    stored = _take_parts(folder, "kills-*.json")
    sums = _sums(stored, ("kills", "runs", "bytes_lost", "doubled"))
    boundaries = sorted({name for each in stored for name in each["boundaries"]})
    _write(folder / "kills.json", {**sums, "boundaries": boundaries})
    print(
        f"kill -9: {sums['kills']} kills over {sums['runs']} runs, at {len(boundaries)} kinds of "
        f"boundary and at random moments; {sums['bytes_lost']} bytes of the user's lost, "
        f"{sums['doubled']} steps paid twice"
    )
    return sums["kills"]


def _count_kills_in_comparisons(folder: Path) -> int:
    stored = _take_parts(folder, "comparison-kills-*.json")
    sums = _sums(stored, ("runs", "swapped", "bytes_lost", "left_running"))
    steps: Counter[str] = Counter()
    for each in stored:
        steps.update(each["steps"])
    kills = steps.total()
    _write(folder / "comparison-kills.json", {"kills": kills, "steps": steps, **sums})
    print(f"kill -9 within comparisons: {kills} kills over {sums['runs']} runs, ", end="")
    print(f"{sums['swapped']} while files were swapped; {sums['bytes_lost']} bytes lost")
    for name, count in sorted(steps.items()):
        print(f"  {count:4} {name}")
    return kills


def _take_parts(folder: Path, pattern: str) -> list[dict[str, Any]]:
    """Read what each worker counted, and remove it."""
    parts = sorted(folder.glob(pattern))
    stored = [json.loads(part.read_text(encoding="utf-8")) for part in parts]
    for part in parts:
        part.unlink()
    return stored


def _sums(stored: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, int]:
    return {name: sum(each[name] for each in stored) for name in names}


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
