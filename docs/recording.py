"""Record commands in a terminal, as a person would see them."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyte
from pyte.screens import Char
from rich.style import Style
from rich.text import Text

_ROWS: Final = 500
"""More than a recording has lines, so that nothing scrolls away."""

_QUESTION: Final = re.compile(r"\[(?:y/n|Y/n|y/N|yes/no)\] ?:? *$")
_QUIET: Final = 0.5
"""Seconds without output, after which a question is answered."""


@dataclass
class Recording:
    """A terminal on which commands are typed one after the other."""

    columns: int
    folder: Path
    environment: Mapping[str, str]
    replacements: Mapping[str, str] = field(default_factory=dict)
    """What stands in a line of this machine, such as the path of a temporary folder, and what the
    recording shows for it."""

    def __post_init__(self) -> None:
        self._screen = pyte.Screen(self.columns, _ROWS)
        self._stream = pyte.ByteStream(self._screen)

    def type(self, shown: str, arguments: Sequence[str]) -> int:
        """Show a prompt with a command, run it, answer yes to its questions; return its exit code.

        Args:
            shown: the command as a person would type it.
            arguments: what is run.
        """
        self._stream.feed(f"\x1b[1m$ {shown}\x1b[0m\r\n".encode())
        ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, self.columns, 0, 0))
        with subprocess.Popen(
            arguments,
            cwd=self.folder,
            env={**self.environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        ) as child:
            os.close(its)
            self._follow(ours)
            os.close(ours)
            code = child.wait()
        self._stream.feed(b"\r\n")
        return code

    def render_lines(self) -> list[Text]:
        """Return the lines that stand on the terminal, with their colours."""
        rows = [line for cells in self._iter_lines() for line in self._render_line(cells)]
        while rows and not rows[-1].plain.strip():
            rows.pop()
        return rows

    def _follow(self, terminal: int) -> None:
        while True:
            readable, _, _ = select.select([terminal], [], [], _QUIET)
            if not readable:
                self._answer(terminal)
                continue
            data = b""
            with contextlib.suppress(OSError):  # Linux: the other side is closed
                data = os.read(terminal, 65536)
            if not data:
                return
            self._stream.feed(data)

    def _answer(self, terminal: int) -> None:
        line = self._screen.display[self._screen.cursor.y]
        if _QUESTION.search(line[: self._screen.cursor.x]):
            os.write(terminal, b"y\n")

    def _iter_lines(self) -> Iterator[list[Char]]:
        """Yield the cells of each line, also of one that the terminal has broken into rows."""
        line: list[Char] = []
        for number in range(self._screen.cursor.y):
            row = self._screen.buffer[number]
            # The second cell of a wide character is empty.
            line += [row[column] for column in range(self.columns) if row[column].data]
            last = row[self.columns - 1].data.strip()
            # A line that ends with an ellipsis was cut to fit; it does not go on.
            if last and last != "…" and self._screen.buffer[number + 1][0].data.strip():
                continue
            yield line
            line = []

    def _render_line(self, cells: list[Char]) -> Iterator[Text]:
        """Yield the rows of a line after the replacements, which may make it shorter."""
        for text, shown in self.replacements.items():
            cells = _replace(cells, text, shown)
        while cells and not cells[-1].data.strip():
            cells.pop()
        for start in range(0, max(len(cells), 1), self.columns):
            row = cells[start : start + self.columns]
            yield Text.assemble(*((cell.data, _find_style(cell)) for cell in row))


def _replace(cells: list[Char], text: str, shown: str) -> list[Char]:
    """Replace a text; what is shown has the style of the first character that it replaces."""
    while (start := "".join(cell.data for cell in cells).find(text)) >= 0:
        new = [cells[start]._replace(data=character) for character in shown]
        cells = [*cells[:start], *new, *cells[start + len(text) :]]
    return cells


def _find_style(cell: Char) -> Style:
    return Style(
        color=_find_color(cell.fg),
        bgcolor=_find_color(cell.bg),
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        reverse=cell.reverse,
    )


def _find_color(name: str) -> str | None:
    if name == "default":
        return None
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    name = name.replace("brown", "yellow")
    return name.replace("bright", "bright_") if name.startswith("bright") else name
