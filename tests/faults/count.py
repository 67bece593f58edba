"""Adds up the kills of all workers, prints them, and fails when there were too few.

python -m tests.faults.count FOLDER
"""

import json
import sys
from pathlib import Path

AT_LEAST = 200


def main() -> int:
    folder = Path(sys.argv[1])
    parts = sorted(folder.glob("kills-*.json"))
    stored = [json.loads(part.read_text(encoding="utf-8")) for part in parts]
    sums = {
        name: sum(each[name] for each in stored)
        for name in ("kills", "runs", "bytes_lost", "doubled")
    }
    boundaries = sorted({name for each in stored for name in each["boundaries"]})
    total = {**sums, "boundaries": boundaries}
    (folder / "kills.json").write_text(json.dumps(total) + "\n", encoding="utf-8")
    for part in parts:
        part.unlink()
    print(
        f"kill -9: {sums['kills']} kills over {sums['runs']} runs, at {len(boundaries)} kinds of "
        f"boundary and at random moments; {sums['bytes_lost']} bytes of the user's lost, "
        f"{sums['doubled']} steps paid twice"
    )
    return 0 if sums["kills"] >= AT_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
