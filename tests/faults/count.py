"""Adds up the kills of all workers, prints them, and fails when there were too few.

python -m tests.faults.count FOLDER [--sample]
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

AT_LEAST = 200
AT_LEAST_IN_COMPARISONS = 100
AT_LEAST_HANDED_OVER = 40
AT_LEAST_IN_SWAPS = 100
AT_LEAST_IN_LISTS = 150
AT_LEAST_IN_FLEETS = 50
SAMPLE = 4
"""A sample has to have as many as a whole run, divided by this."""


def main() -> int:
    folder = Path(sys.argv[1])
    part = SAMPLE if "--sample" in sys.argv else 1
    enough = [
        _count_kills(folder) >= AT_LEAST / part,
        _count_kills_in_comparisons(folder) >= AT_LEAST_IN_COMPARISONS / part,
        _count_handover_kills(folder) >= AT_LEAST_HANDED_OVER / part,
        _count_swap_kills(folder) >= AT_LEAST_IN_SWAPS / part,
        _count_list_kills(folder) >= AT_LEAST_IN_LISTS / part,
        _count_fleet_kills(folder) >= AT_LEAST_IN_FLEETS / part,
    ]
    return 0 if all(enough) else 1


def _count_swap_kills(folder: Path) -> int:
    stored = _take_parts(folder, "swap-kills-*.json")
    sums = _sums(stored, ("kills", "swapped", "bytes_lost"))
    _write(folder / "swap-kills.json", sums)
    print(f"kill -9 within swaps: {sums['kills']} kills, {sums['bytes_lost']} bytes lost")
    return sums["kills"]


def _count_list_kills(folder: Path) -> int:
    stored = _take_parts(folder, "list-kills-*.json")
    sums = _sums(stored, ("kills", "lists", "commits_lost", "doubled"))
    _write(folder / "list-kills.json", sums)
    print(
        f"kill -9 of task lists: {sums['kills']} kills over {sums['lists']} lists, "
        f"{sums['commits_lost']} commits lost, {sums['doubled']} landings or rules twice"
    )
    return sums["kills"]


def _count_fleet_kills(folder: Path) -> int:
    stored = _take_parts(folder, "fleet-kills-*.json")
    sums = _sums(stored, ("kills", "jobs", "lost", "doubled"))
    _write(folder / "fleet-kills.json", sums)
    print(
        f"kill -9 of workers and reapers: {sums['kills']} kills over {sums['jobs']} jobs, "
        f"{sums['lost']} jobs lost, {sums['doubled']} results twice"
    )
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


def _count_handover_kills(folder: Path) -> int:
    stored = _take_parts(folder, "handover-kills-*.json")
    sums = _sums(stored, ("kills", "runs", "bytes_lost", "doubled"))
    _write(folder / "handover-kills.json", sums)
    print(
        f"kill -9 of one process after the other: {sums['kills']} kills over {sums['runs']} runs, "
        f"{sums['doubled']} steps finished twice"
    )
    return sums["kills"]


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
