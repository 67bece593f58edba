"""Print lines with a label on a terminal, wrapped beside it; elsewhere each is a single line."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console as Screen
from rich.text import Text

from orchestrator.cli.output import is_terminal
from orchestrator.cli.values import sanitize_text

MIN_TEXT_WIDTH: Final = 20
"""Columns that a text gets even on the narrowest terminal."""


def create_screen() -> Screen:
    """Return standard output as rich sees it."""
    # FORCE_COLOR, TTY_COMPATIBLE and the like would make rich animate lines in a pipe.
    terminal = is_terminal()
    return Screen(
        highlight=False,
        soft_wrap=True,
        force_terminal=terminal,
        force_interactive=None if terminal else False,
    )


def print_labelled_line(
    screen: Screen, label: str, text: str, style: str = "", *, cut: bool = False
) -> None:
    """Print a label and a text beside it.

    Args:
        screen: where to print.
        label: what the line begins with; may begin with a line break.
        text: the text, from outside; its lines are joined.
        style: how the text looks.
        cut: whether a terminal shows only its first line.
    """
    # Joined to one line: an agent could print text that looks like a line of this console.
    body = Text(" ".join(map(sanitize_text, text.splitlines())).expandtabs(4), style=style)
    lines = _fit_text(screen, body, len(label.lstrip("\n")), cut=cut) if text else [body]
    for line in lines:
        screen.print(Text.assemble((label, "dim"), line))
        label = " " * len(label.lstrip("\n"))


def _fit_text(screen: Screen, body: Text, indent: int, *, cut: bool) -> Sequence[Text]:
    if not screen.is_terminal:
        return [body]
    room = max(screen.width - indent, MIN_TEXT_WIDTH)
    if cut:
        body.truncate(room, overflow="ellipsis")
        return [body]
    lines = list(body.wrap(screen, room))
    for line in lines:
        line.rstrip()
    return lines
