"""What `orchestrator --help` costs, as a ratio to `python -c "import click"`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import children
from benchmarks.machine import environment
from benchmarks.results import Table, spread

ROUNDS: Final = 40


def measure() -> Table:
    """Let the two take turns."""
    commands = {
        "click": (sys.executable, "-c", "import click"),
        "help": (sys.executable, "-m", "orchestrator", "--help"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with TemporaryDirectory(prefix="benchmark-") as folder:
        for number in range(ROUNDS + 1):
            for name, argv in commands.items():
                spent = children.run(argv, Path(folder), environment(), Path(folder) / "output")
                if spent.exit_code:
                    raise RuntimeError((Path(folder) / "output").read_text(encoding="utf-8"))
                if number:  # the first one may compile bytecode
                    seconds[name].append(spent.seconds)
    floor, ours = ([1000 * each for each in seconds[name]] for name in commands)
    ratios = [a / b for a, b in zip(ours, floor, strict=True)]
    return Table(
        f"The start of the program (median and quartiles of {ROUNDS} rounds)",
        ("what", "took", "ratio", "aim"),
        (
            ('`python -c "import click"`', spread(floor, " ms", 0), "1", ""),
            ("`orchestrator --help`", spread(ours, " ms", 0), spread(ratios, "x"), "at most 2x"),
        ),
        seconds,
    )
