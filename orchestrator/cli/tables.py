"""Tables that fit the terminal, in which no word is cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.cli.output import iter_labelled_lines, iter_wrapped_lines
from orchestrator.cli.values import sanitize_text

_GAP: Final = "  "
_INDENT: Final = "    "
_ROOM_FOR_TEXT: Final = 30
"""Fewest columns of the text at the end of a line; with less, it is on lines of its own."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    is_number: bool = False
    """Whether its values end at the same column, and not begin."""


def iter_table_lines(
    columns: Sequence[Column], rows: Sequence[Sequence[object]], width: int | None
) -> Iterator[str]:
    """Yield the lines of a table whose last column is a text.

    On a narrow terminal, the text is on lines of its own; on a very narrow one, each value is.

    Args:
        columns: the columns.
        rows: the values of each row, in the order of the columns.
        width: the columns of the terminal; None for one line for each row.
    """
    cells = [[" ".join(sanitize_text(value).split()) for value in row] for row in rows]
    widths = [
        max([len(column.name), *(len(row[at]) for row in cells)])
        for at, column in enumerate(columns[:-1])
    ]
    fixed = sum(widths) + len(_GAP) * len(widths)
    text = max([len(columns[-1].name), *(len(row[-1]) for row in cells)])
    if width is not None and fixed - len(_GAP) > width:
        yield from _iter_blocks(columns, cells, width)
        return
    is_beside = width is None or width - fixed >= min(text, _ROOM_FOR_TEXT)
    names = [column.name for column in columns[:-1]]
    names.append(columns[-1].name if is_beside else "")
    yield from _iter_row(columns, widths, names, is_beside=True, width=None)
    for row in cells:
        yield from _iter_row(columns, widths, row, is_beside=is_beside, width=width)


def _iter_row(
    columns: Sequence[Column],
    widths: Sequence[int],
    cells: Sequence[str],
    *,
    is_beside: bool,
    width: int | None,
) -> Iterator[str]:
    parts = [
        f"{cell:>{size}}" if column.is_number else f"{cell:<{size}}"
        for column, size, cell in zip(columns[:-1], widths, cells[:-1], strict=True)
    ]
    label = "".join(f"{part}{_GAP}" for part in parts)
    if not is_beside:
        yield label.rstrip()
        if not cells[-1]:
            return
        label = _INDENT
    yield from iter_labelled_lines(label, cells[-1], width)


def _iter_blocks(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int
) -> Iterator[str]:
    size = max(len(column.name) for column in columns)
    for number, row in enumerate(rows):
        if number:
            yield ""
        for column, cell in zip(columns, row, strict=True):
            yield from iter_wrapped_lines(f"{column.name:<{size}}{_GAP}", cell, width)
