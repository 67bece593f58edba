"""What a person sees while a run works: lines that stay, and on a terminal one line that moves."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import singledispatchmethod
from typing import Final

from rich.console import Console as Screen
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from orchestrator import events
from orchestrator.cli.values import format_dollars, format_duration, format_tokens, sanitize_text
from orchestrator.models import (
    AgentResult,
    Attempt,
    Case,
    CaseOutcome,
    CaseVerdict,
    RunOutcome,
    RunResult,
    SuiteReport,
    Teaching,
    VerdictKind,
)
from teacher.models import Usage
from teacher.prices import build_price_notice

_FAILING_SHOWN: Final = 10
_WIDEST_DETAIL: Final = 200
_NARROWEST: Final = 20
"""Columns that a text gets in the narrowest of terminals."""

_STYLES: Final = {
    RunOutcome.SOLVED: "bold green",
    RunOutcome.PAUSED: "bold yellow",
    RunOutcome.NOT_SOLVED: "bold red",
}


_VERDICT_STYLES: Final = {VerdictKind.SOLVED: "green", VerdictKind.NOTHING_CHANGED: "yellow"}


class Console:
    """A listener that prints. Events may come from several threads.

    On a terminal long texts are wrapped beside their labels; without one each is a single line.

    Args:
        screen: where to print; standard output if None.
        kept: whether the run can be looked at later, so that it is worth saying how.
        explain_guard: whether to list the guarded files with the reason for each.
    """

    def __init__(
        self, screen: Screen | None = None, *, kept: bool = True, explain_guard: bool = False
    ) -> None:
        self._screen = screen or Screen(highlight=False, soft_wrap=True)
        self._kept, self._explain_guard = kept, explain_guard
        self._lock = threading.RLock()
        self._step = _Step(self._screen)

    def __call__(self, event: events.Event) -> None:
        """Show one event."""
        with self._lock:
            self._show_event(event)

    def close(self) -> None:
        """Take the moving line away, if something was cut short while it moved."""
        with self._lock:
            self._step.end()

    # Events without a method of their own are for programs, not for people.
    @singledispatchmethod
    def _show_event(self, event: events.Event) -> None:
        del event

    @_show_event.register
    def _(self, event: events.Notice) -> None:
        self._print_line("! ", event.text, style="yellow")

    @_show_event.register
    def _(self, event: events.Ready) -> None:
        for part in event.parts:
            self._print_line("", part, style="dim", cut=True)

    @_show_event.register
    def _(self, event: events.RunStarted) -> None:
        self._print_line("Task     ", _first_line(event.task.text), style="bold")
        self._print_line("Project  ", str(event.task.project))
        again = " (goes on)" if event.resumed else ""
        self._print_line("Run      ", f"{event.run_id}{again}")

    @_show_event.register
    def _(self, event: events.StepStarted) -> None:
        self._step.start(event.name)

    @_show_event.register
    def _(self, event: events.AttemptStarted) -> None:
        self._step.end()
        self._print_line("\n", f"Attempt {event.number} of at most {event.of}", style="bold")

    @_show_event.register
    def _(self, event: events.AgentSpoke) -> None:
        self._print_line("  says     ", _first_line(event.text), style="italic")

    @_show_event.register
    def _(self, event: events.ToolUsed) -> None:
        self._print_line(f"  {event.tool:<8} ", _first_line(event.detail), style="cyan", cut=True)

    @_show_event.register
    def _(self, event: events.ToolEnded) -> None:
        if event.refused:
            self._print_line("  refused  ", f"{event.tool}: {event.why}", style="yellow", cut=True)

    @_show_event.register
    def _(self, event: events.AgentWaiting) -> None:
        self._print_line("  waits    ", event.reason, style="yellow")

    @_show_event.register
    def _(self, event: events.AgentFinished) -> None:
        self._step.end()
        result = event.result
        style = "" if result.outcome.has_worked else "bold red"
        self._print_line("  agent    ", summarize_agent(result), style=style)
        if not result.outcome.has_worked:
            self._print_line("           ", _first_line(result.message), style="red")
            for line in result.stderr_tail.splitlines()[-5:]:
                self._print_line("           ", line, style="red")

    @_show_event.register
    def _(self, event: events.DiffTaken) -> None:
        names = ", ".join(change.path for change in event.diff.changes[:3])
        more = ", ..." if len(event.diff.changes) > 3 else ""
        self._print_line("  changed  ", event.diff.summary + (f": {names}{more}" if names else ""))

    @_show_event.register
    def _(self, event: events.FilesGuarded) -> None:
        count = len(event.files)
        if count:
            more = "" if self._explain_guard else "; --explain-guard lists them"
            self._print_line(
                "guarded  ", f"{count} file{'' if count == 1 else 's'}{more}", style="dim"
            )
        for path, why in event.files if self._explain_guard else ():
            self._print_line("           ", f"{path}: {why}", style="dim")

    @_show_event.register
    def _(self, event: events.Judged) -> None:
        self._step.end()
        verdict = event.judgement.verdict
        if verdict.suite_runs == 1 and not verdict.message:
            return  # the one run says it all
        style = _VERDICT_STYLES.get(verdict.kind, "red")
        runs = f"{verdict.suite_runs} runs of the suite" if verdict.suite_runs > 1 else ""
        told = verdict.text or str(verdict.kind)
        self._print_line("  verdict  ", f"{told} ({runs})" if runs else told, style=style)

    @_show_event.register
    def _(self, event: events.Tampered) -> None:
        for finding in event.findings[:_FAILING_SHOWN]:
            style = "bold red" if finding.decisive else "yellow"
            self._print_line("  guard    ", finding.summary, style=style)
        if len(event.findings) > _FAILING_SHOWN:
            self._print_line("           ", f"and {len(event.findings) - _FAILING_SHOWN} more")

    @_show_event.register
    def _(self, event: events.CaseFinished) -> None:
        self._step.count_case(event.case)

    @_show_event.register
    def _(self, event: events.SuiteFinished) -> None:
        self._step.end()
        report = event.report
        style = "green" if report.has_passed else "red"
        label = "Baseline " if event.baseline else "  suite    "
        if event.before_attempt:
            label = "  before   "
        self._print_line(label, f"{report.summary}, {format_duration(report.seconds)}", style=style)
        for case in report.failing[:_FAILING_SHOWN]:
            why = (case.message.strip().splitlines() or [""])[0].removeprefix("AssertionError: ")
            self._print_line("    ✗ ", f"{case.id}  {why[:_WIDEST_DETAIL]}", style="red", cut=True)
        if len(report.failing) > _FAILING_SHOWN:
            self._print_line("      ", f"and {len(report.failing) - _FAILING_SHOWN} more")
        if not report.has_verdict:
            for line in report.output.strip().splitlines()[-8:]:
                self._print_line("      ", line, cut=True)

    @_show_event.register
    def _(self, event: events.TeachingStarted) -> None:
        self._step.start("the teacher looks at the failure")

    @_show_event.register
    def _(self, event: events.LessonLearned) -> None:
        self._step.end()
        lesson = event.lesson
        self._print_line("  teacher  ", f"{lesson.action}: {lesson.reason}", style="magenta")
        if lesson.usage.tokens and (notice := build_price_notice(lesson.model)):
            self._print_line("           ", notice)

    @_show_event.register
    def _(self, event: events.RuleWritten) -> None:
        change = event.change
        if change.reason:
            self._print_line("  rule     ", f"{change.change}: {change.reason}", style="bold red")
        else:
            text = f"{change.change} in {change.path.name}"
            self._print_line("  rule     ", text, style="bold magenta")
        for label, text in (
            ("Rule", change.rule.text.rule),
            ("When", change.rule.text.when),
            ("Why", change.rule.text.why),
        ):
            self._print_line(f"    {label:<6} ", text, style="magenta")

    @_show_event.register
    def _(self, event: events.RunEnded) -> None:
        self._step.end()
        result = event.result
        judged = sum(attempt.report is not None for attempt in result.attempts)
        after = f" after {judged} attempt{'' if judged == 1 else 's'}" if judged else ""
        head = f"{str(result.outcome).capitalize()}{after}"
        self._print_line("\n", head, style=_STYLES.get(result.outcome, "bold red"))
        if result.message:
            self._print_line("  ", result.message, style="red")
        for label, value in _iter_facts(event, kept=self._kept):
            self._print_line(f"  {label:<8} ", value)

    def _print_line(self, label: str, text: str, style: str = "", *, cut: bool = False) -> None:
        # One line, whatever is in it: what an agent says must not look like a line of ours.
        body = Text(" ".join(map(sanitize_text, text.splitlines())).expandtabs(4), style=style)
        lines = self._fit_text(body, len(label.lstrip("\n")), cut) if text else [body]
        for line in lines:
            self._screen.print(Text.assemble((label, "dim"), line))
            label = " " * len(label.lstrip("\n"))

    def _fit_text(self, body: Text, indent: int, cut: bool) -> Sequence[Text]:
        if not self._screen.is_terminal:
            return [body]
        room = max(self._screen.width - indent, _NARROWEST)
        if cut:
            body.truncate(room, overflow="ellipsis")
            return [body]
        return list(body.wrap(self._screen, room))


class _Step:
    """What is going on, and for how long: on a terminal a line that moves, else plain lines."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._live: Live | None = None
        self._file = ""
        self._counts: Counter[CaseOutcome] = Counter()
        self._last = ""

    def start(self, name: str) -> None:
        self.end()
        self._last = ""
        if not self._screen.is_terminal:
            self._screen.print(Text(f"... {name}", style="dim"))
            return
        began = time.monotonic()
        self._live = Live(
            _LiveSpinner(lambda: self._render_text(name, time.monotonic() - began)),
            console=self._screen,
            transient=True,
            refresh_per_second=8,
        )
        self._live.start()

    def count_case(self, case: Case) -> None:
        file = case.file or case.id
        if not self._screen.is_terminal and file != self._file:
            self._print_file()
            self._file = file
        self._counts[case.outcome] += 1
        self._last = case.id

    def end(self) -> None:
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
        text.truncate(max(self._screen.width - 4, _NARROWEST), overflow="ellipsis")
        return text


class _LiveSpinner:
    """A spinner whose text is made anew each time it is drawn."""

    def __init__(self, text: Callable[[], Text]) -> None:
        self._text, self._spinner = text, Spinner("dots")

    def __rich__(self) -> Spinner:
        self._spinner.update(text=self._text())
        return self._spinner


def _iter_facts(ended: events.RunEnded, *, kept: bool) -> Iterator[tuple[str, str]]:
    result = ended.result
    if report := find_last_report(result):
        yield "tests", report.summary
    if found := summarize_findings(result):
        yield "guard", found
    verdicts = [attempt.verdict for attempt in result.attempts if attempt.verdict]
    if flaky := {id_ for verdict in verdicts for id_ in verdict.find_case_ids(CaseVerdict.FLAKY)}:
        yield "flaky", ", ".join(sorted(flaky))
    if verdicts and (old := verdicts[-1].find_case_ids(CaseVerdict.OLD)):
        yield "old", ", ".join(old)
    if count := sum(attempt.redactions for attempt in result.attempts):
        yield "secrets", f"{count} replaced in what is kept, and in what the teacher saw"
    learned = [attempt.rule for attempt in result.attempts if attempt.rule]
    yield "rules", ", ".join(f"{rule.change}: {rule.rule.id}" for rule in learned) or "none"
    yield "cost", summarize_usage(result.usage)
    yield "time", format_duration(ended.seconds)
    if kept:
        yield "record", f"orchestrator runs show {ended.run_id}"
    if result.outcome in (RunOutcome.PAUSED, RunOutcome.STOPPED, RunOutcome.INTERRUPTED):
        yield "go on", f"orchestrator resume {ended.run_id}"


def find_last_report(result: RunResult) -> SuiteReport | None:
    """The newest verdict of a run."""
    reports = [attempt.report for attempt in result.attempts if attempt.report]
    return reports[-1] if reports else result.baseline


def summarize_findings(result: RunResult) -> str:
    """What the guard of the tests found in a run, in a few words; empty if nothing."""
    found = [finding for attempt in result.attempts for finding in attempt.findings]
    kinds = Counter(finding.kind for finding in found)
    text = ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
    last = result.attempts[-1].findings if result.attempts else ()
    decisive = [finding for finding in last if finding.decisive]
    return f"{text}; {decisive[0].summary}" if decisive else text


def summarize_agent(result: AgentResult) -> str:
    """An agent's work in a few words."""
    parts = [str(result.outcome), f"{result.turns} turns" if result.turns else ""]
    parts += [summarize_usage(result.usage), format_duration(result.seconds)]
    if result.denials:
        parts.append(f"{len(result.denials)} not permitted: {result.denials[0]}")
    return ", ".join(filter(None, parts))


def summarize_usage(usage: Usage) -> str:
    """Tokens and money in a few words."""
    return f"{format_tokens(usage.tokens)} tokens, {format_dollars(usage.cost_usd)}"


def summarize_teaching(teaching: Teaching) -> str:
    """What came of asking the teacher, in a few words."""
    if teaching.lesson:
        return f"{teaching.lesson.action}: {teaching.lesson.reason}"
    return f"no lesson: {teaching.trouble}"


def summarize_attempt(attempt: Attempt) -> str:
    """An attempt in a few words."""
    verdict = attempt.report.summary if attempt.report else f"not judged: {attempt.agent.outcome}"
    return f"{verdict}; {attempt.diff.summary}"


def _first_line(text: str) -> str:
    lines = text.strip().splitlines() or [""]
    more = " ..." if len(lines) > 1 or len(lines[0]) > _WIDEST_DETAIL else ""
    return lines[0][:_WIDEST_DETAIL] + more
