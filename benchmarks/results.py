"""Tables of figures: kept in one file beside each other, printed, and put into the README."""

import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

README: Final = Path(__file__).with_name("README.md")
FILE: Final = Path(tempfile.gettempdir()) / "prompt-learning-loop-benchmarks.json"

BEGIN: Final = "<!-- figures: written by `python -m benchmarks --write` -->"
END: Final = "<!-- end of figures -->"


@dataclass(frozen=True)
class Table:
    """What one part of the benchmark found.

    Args:
        title: what was measured.
        header: the columns' names.
        rows: the figures, as they are to be read.
        samples: every single measurement, by name: seconds, bytes or plain numbers.
        machine: where and when, and how busy the machine was.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)

    @property
    def markdown(self) -> str:
        """The table, under its title, with the machine below."""
        lines = [self.header, tuple("---" for _ in self.header), *self.rows]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        facts = "; ".join(f"{name} {value}" for name, value in self.machine.items())
        return f"### {self.title}\n\n{text}\n\n<sub>{facts}</sub>\n"

    @property
    def plain(self) -> str:
        """The table for a terminal."""
        lines = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = "\n".join(
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        )
        return f"{self.title}\n{text}\n"


def load(file: Path = FILE) -> dict[str, Table]:
    """The tables that were kept, by part; none when there is no file."""
    if not file.exists():
        return {}
    kept: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return {
        part: Table(
            table["title"],
            tuple(table["header"]),
            tuple(tuple(row) for row in table["rows"]),
            table["samples"],
            table["machine"],
        )
        for part, table in kept.items()
    }


def keep(part: str, table: Table, file: Path = FILE) -> None:
    """Put one part's table into the file, beside those of other parts."""
    tables = {**load(file), part: table}
    text = json.dumps({name: asdict(each) for name, each in tables.items()}, indent=1)
    file.write_text(text + "\n", encoding="utf-8")


def write(order: Sequence[str], file: Path = FILE, readme: Path = README) -> None:
    """Replace the README's figures by the tables of the file, in the order of the parts."""
    tables = load(file)
    text = readme.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{readme} has no place for the figures: {BEGIN} ... {END}")
    figures = "\n".join(tables[part].markdown for part in order if part in tables)
    readme.write_text(f"{head}{BEGIN}\n\n{figures}\n{END}{tail}", encoding="utf-8")


def spread(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """Median and quartiles, `1.23 s (1.20 to 1.31)`."""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    middle = f"{statistics.median(values):.{digits}f}{unit}"
    return f"{middle} ({low:.{digits}f} to {high:.{digits}f})"
