"""Show the step of a run that is in progress."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from rich.console import Console as Screen
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from orchestrator.cli.screen import MIN_TEXT_WIDTH
from orchestrator.cli.values import format_duration, sanitize_text
from orchestrator.events import SuiteRunning
from orchestrator.models import Case, CaseOutcome

_HEARTBEAT_SECONDS: Final = 60.0


class Progress:
    """The current step and its duration: a live line on a terminal, otherwise plain lines."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._live: Live | None = None
        self._file = ""
        self._counts: Counter[CaseOutcome] = Counter()
        self._last = ""
        self._suite: tuple[SuiteRunning, float] | None = None
        """The last report of the running suite, and when it came."""
        self._next_heartbeat = _HEARTBEAT_SECONDS

    def start(self, name: str) -> None:
        """Show a step, in the place of the one before."""
        self.end()
        self._last, self._suite, self._next_heartbeat = "", None, _HEARTBEAT_SECONDS
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
        if self._suite and self._suite[0].case == case.id:
            self._suite = None

    def follow_suite(self, event: SuiteRunning) -> None:
        """Show which case runs and what was printed; without a terminal, about once a minute."""
        self._suite = event, time.monotonic()
        if self._screen.is_interactive or event.seconds < self._next_heartbeat:
            return
        self._next_heartbeat = event.seconds + _HEARTBEAT_SECONDS
        doing = " · ".join(filter(None, (self._format_counts(), *_describe_suite(event))))
        text = f"    still running after {format_duration(event.seconds)}"
        self._screen.print(Text(f"{text} · {doing}" if doing else text, style="dim"))

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
        parts = [name, format_duration(seconds), self._format_counts()]
        suite = tuple(_describe_suite(*self._suite)) if self._suite else ()
        parts += suite or (sanitize_text(self._last),)
        text = Text(" · ".join(filter(None, parts)), style="dim")
        text.truncate(max(self._screen.width - 4, MIN_TEXT_WIDTH), overflow="ellipsis")
        return text


def describe_late_suite(event: SuiteRunning) -> str:
    """Return which case runs for how long, and when the timeout ends the suite."""
    running = f"{event.case} has been running for {format_duration(event.case_seconds)}"
    if not event.case:
        running = f"the suite has been running for {format_duration(event.seconds)}"
    ends = format_duration(event.timeout_seconds)
    return f"{running}; tests.timeout ends the suite after {ends}"


def _describe_suite(event: SuiteRunning, since: float | None = None) -> Iterator[str]:
    """Yield the case that a suite is running, and its last line of output.

    Args:
        event: the suite's report.
        since: when it came, by the monotonic clock; the present if None.
    """
    if event.case:
        age = 0.0 if since is None else time.monotonic() - since
        yield f"{sanitize_text(event.case)} for {format_duration(event.case_seconds + age)}"
    if event.line:
        yield sanitize_text(event.line)


class _LiveSpinner:
    """A spinner whose text is computed each time it is drawn."""

    def __init__(self, text: Callable[[], Text]) -> None:
        self._text, self._spinner = text, Spinner("dots")

    def __rich__(self) -> Spinner:
        self._spinner.update(text=self._text())
        return self._spinner
