"""Show the step of a run that is in progress."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from rich.console import Console as Screen
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from orchestrator.cli.values import format_duration, sanitize_text
from orchestrator.models import Case, CaseOutcome

MIN_TEXT_WIDTH: Final = 20
"""Columns that a text gets even on the narrowest terminal."""


class Progress:
    """The current step and its duration: a live line on a terminal, otherwise plain lines."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._live: Live | None = None
        self._file = ""
        self._counts: Counter[CaseOutcome] = Counter()
        self._last = ""

    def start(self, name: str) -> None:
        """Show a step, in the place of the one before."""
        self.end()
        self._last = ""
        if not self._screen.is_interactive:
            self._screen.print(Text(f"... {name}", style="dim"))
            return
        started = time.monotonic()
        self._live = Live(
            _LiveSpinner(lambda: self._render_text(name, time.monotonic() - started)),
            console=self._screen,
            transient=True,
            refresh_per_second=8,
        )
        self._live.start()

    def count_case(self, case: Case) -> None:
        """Count a test case of the suite that is running."""
        file = case.file or case.id
        if not self._screen.is_interactive and file != self._file:
            self._print_file()
            self._file = file
        self._counts[case.outcome] += 1
        self._last = case.id

    def end(self) -> None:
        """Remove the live line, and print the counts that are still open."""
        if self._live:
            self._live.stop()
            self._live = None
        self._print_file()

    def _print_file(self) -> None:
        if self._file:
            self._screen.print(
                Text(f"    {sanitize_text(self._file)}  {self._format_counts()}", style="dim")
            )
        self._file = ""
        self._counts.clear()

    def _format_counts(self) -> str:
        return ", ".join(f"{count} {outcome}" for outcome, count in self._counts.items())

    def _render_text(self, name: str, seconds: float) -> Text:
        parts = [name, format_duration(seconds), self._format_counts(), sanitize_text(self._last)]
        text = Text(" · ".join(filter(None, parts)), style="dim")
        text.truncate(max(self._screen.width - 4, MIN_TEXT_WIDTH), overflow="ellipsis")
        return text


class _LiveSpinner:
    """A spinner whose text is computed each time it is drawn."""

    def __init__(self, text: Callable[[], Text]) -> None:
        self._text, self._spinner = text, Spinner("dots")

    def __rich__(self) -> Spinner:
        self._spinner.update(text=self._text())
        return self._spinner
