"""Print a run for a person as it happens: permanent lines, and on a terminal one live line."""

import re
import threading
from functools import singledispatchmethod
from pathlib import Path
from typing import Final

from rich.console import Console as Screen

from orchestrator import events
from orchestrator.cli.plan_lines import iter_plan_parts
from orchestrator.cli.progress import Progress, describe_late_suite
from orchestrator.cli.run_facts import format_outcome, iter_facts
from orchestrator.cli.screen import create_screen, print_labelled_line
from orchestrator.cli.summaries import MAX_DETAIL_LENGTH, summarize_agent, truncate_to_line
from orchestrator.cli.values import format_duration
from orchestrator.counts import format_count
from orchestrator.models import PENDING_CHANGES, RunOutcome, SuiteReport, VerdictKind
from orchestrator.platform.project_commands import format_project_command
from teacher.prices import build_price_notice

_FAILING_SHOWN: Final = 10
_OUTPUT_LINES: Final = 8
_NOISE: Final = re.compile(r"npm (?:notice|warn)\b", re.IGNORECASE)
"""What npm says about itself, such as that there is a new version of it."""
_CALL_LENGTH: Final = 30

_STYLES: Final = {
    RunOutcome.SOLVED: "bold green",
    RunOutcome.PAUSED: "bold yellow",
    RunOutcome.NOT_SOLVED: "bold red",
}


_VERDICT_STYLES: Final = {VerdictKind.SOLVED: "green", VerdictKind.NOTHING_CHANGED: "yellow"}


class Console:
    """A listener that prints. Events may come from several threads.

    On a terminal, long texts are wrapped beside their labels; otherwise each is a single line.

    Args:
        screen: where to print; standard output if None.
        recorded: whether the run can be shown later, so that the command for it is printed.
        explain_guard: whether to list the guarded files with the reason for each.
    """

    def __init__(
        self, screen: Screen | None = None, *, recorded: bool = True, explain_guard: bool = False
    ) -> None:
        self._screen = screen or create_screen()
        self._recorded, self._explain_guard = recorded, explain_guard
        self._lock = threading.RLock()
        self._progress = Progress(self._screen)
        self._failed_before: frozenset[str] = frozenset()
        self._calls: dict[str, str] = {}
        """What each tool call that has not ended is about, by its id."""
        self._last_call = ""
        self._is_scripted = False
        self._project = Path()

    def __call__(self, event: events.Event) -> None:
        """Show one event."""
        with self._lock:
            self._show_event(event)

    def close(self) -> None:
        """Remove the live line, which is still there if a step was interrupted."""
        with self._lock:
            self._progress.end()

    # Events without a handler below are for programs, not for people.
    @singledispatchmethod
    def _show_event(self, event: events.Event) -> None:
        del event

    @_show_event.register
    def _show_notice(self, event: events.Notice) -> None:
        self._print_line("! ", event.text, style="yellow")

    @_show_event.register
    def _show_readiness(self, event: events.Ready) -> None:
        for part in event.parts:
            self._print_line("", part, style="dim", cut=True)

    @_show_event.register
    def _show_plan(self, event: events.RunPlanned) -> None:
        self._progress.end()
        self._is_scripted = event.plan.is_scripted
        for label, text in iter_plan_parts(event.plan, event.run):
            self._print_line(f"{label:<8} ", text)

    @_show_event.register
    def _show_run_start(self, event: events.RunStarted) -> None:
        self._progress.end()
        self._print_line("Task     ", truncate_to_line(event.task.text), style="bold")
        self._project = event.task.project
        self._print_line("Project  ", str(self._project))
        again = " (resumed)" if event.resumed else ""
        self._print_line("Run      ", f"{event.run_id}{again}")

    @_show_event.register
    def _show_step_start(self, event: events.StepStarted) -> None:
        self._progress.start(event.name)

    @_show_event.register
    def _show_attempt_start(self, event: events.AttemptStarted) -> None:
        self._progress.end()
        again = ", continued" if event.resumed else ""
        heading = f"Attempt {event.number} of at most {event.of}{again}"
        self._print_line("\n", heading, style="bold")

    @_show_event.register
    def _show_agent_message(self, event: events.AgentSpoke) -> None:
        self._print_line("  says     ", truncate_to_line(event.text), style="italic")

    @_show_event.register
    def _show_tool_use(self, event: events.ToolUsed) -> None:
        detail = truncate_to_line(event.detail)
        self._calls[event.id], self._last_call = detail, event.id
        self._print_line(f"  {event.tool:<8} ", detail, style="cyan", cut=True)

    @_show_event.register
    def _show_tool_end(self, event: events.ToolEnded) -> None:
        detail = self._calls.pop(event.id, "")
        if not (event.refused or event.failed):
            return
        is_named = event.id == self._last_call  # by the line above
        if len(detail) > _CALL_LENGTH:
            detail = f"{detail[:_CALL_LENGTH]}..."
        call = event.tool if is_named else f"{event.tool} {detail}".strip()
        self._last_call = ""
        why = f"{call}: {truncate_to_line(event.why)}"
        if event.refused:
            self._print_line("  refused  ", why, style="yellow")
        else:
            self._print_line("  failed   ", why, style="yellow", cut=True)

    @_show_event.register
    def _show_agent_wait(self, event: events.AgentWaiting) -> None:
        self._print_line("  waits    ", event.reason, style="yellow")

    @_show_event.register
    def _show_agent_result(self, event: events.AgentFinished) -> None:
        self._progress.end()
        self._calls.clear()
        result = event.result
        style = "" if result.outcome.has_worked else "bold red"
        self._print_line(
            "  agent    ", summarize_agent(result, scripted=self._is_scripted), style=style
        )
        if not result.outcome.has_worked:
            self._print_line("           ", truncate_to_line(result.message), style="red")
            for line in result.stderr_tail.splitlines()[-5:]:
                self._print_line("           ", line, style="red")

    @_show_event.register
    def _show_diff(self, event: events.DiffTaken) -> None:
        names = ", ".join(change.path for change in event.diff.changes[:3])
        more = ", ..." if len(event.diff.changes) > 3 else ""
        self._print_line("  changed  ", event.diff.summary + (f": {names}{more}" if names else ""))

    @_show_event.register
    def _show_guarded_files(self, event: events.FilesGuarded) -> None:
        count = len(event.files)
        if count:
            more = "" if self._explain_guard else "; use --explain-guard to list them"
            self._print_line("guarded  ", f"{format_count(count, 'file')}{more}", style="dim")
        for path, why in event.files if self._explain_guard else ():
            self._print_line("           ", f"{path}: {why}", style="dim")

    @_show_event.register
    def _show_verdict(self, event: events.Judged) -> None:
        self._progress.end()
        verdict = event.judgement.verdict
        if verdict.suite_runs == 1 and not verdict.message:
            return  # the line of the suite has said the same
        style = _VERDICT_STYLES.get(verdict.kind, "red")
        runs = f"{verdict.suite_runs} runs of the suite" if verdict.suite_runs > 1 else ""
        text = verdict.text or str(verdict.kind)
        self._print_line("  verdict  ", f"{text} ({runs})" if runs else text, style=style)

    @_show_event.register
    def _show_guard_findings(self, event: events.Tampered) -> None:
        for finding in event.findings[:_FAILING_SHOWN]:
            style = "bold red" if finding.decisive else "yellow"
            self._print_line("  guard    ", finding.summary, style=style)
        if len(event.findings) > _FAILING_SHOWN:
            self._print_line("           ", f"and {len(event.findings) - _FAILING_SHOWN} more")

    @_show_event.register
    def _show_case(self, event: events.CaseFinished) -> None:
        self._progress.count_case(event.case)

    @_show_event.register
    def _show_suite_progress(self, event: events.SuiteRunning) -> None:
        self._progress.follow_suite(event)
        if event.is_late:
            self._print_line("  slow     ", describe_late_suite(event), style="yellow")

    @_show_event.register
    def _show_suite_report(self, event: events.SuiteFinished) -> None:
        self._progress.end()
        report = event.report
        style = "green" if report.has_passed else "red"
        label = "Baseline " if event.baseline else "  suite    "
        if event.before_attempt:
            label = "  before   "
        self._print_line(label, f"{report.summary}, {format_duration(report.seconds)}", style=style)
        is_before = event.baseline or event.before_attempt
        for case in report.failing[:_FAILING_SHOWN]:
            why = (case.message.strip().splitlines() or [""])[0].removeprefix("AssertionError: ")
            if not is_before and case.id in self._failed_before:
                why = f"failed before the attempt too: {why}"
            self._print_failing_case(case.id, why[:MAX_DETAIL_LENGTH])
        if len(report.failing) > _FAILING_SHOWN:
            self._print_line("      ", f"and {len(report.failing) - _FAILING_SHOWN} more")
        if is_before:
            self._failed_before = frozenset(case.id for case in report.failing)
        self._print_output(report)
        if event.goal:
            self._print_line("Goal     ", event.goal)

    def _print_failing_case(self, case_id: str, why: str) -> None:
        """Print a case and why it failed, on a line of its own where both do not fit."""
        label, both = "    ✗ ", f"{case_id}  {why}"
        if self._screen.is_terminal and why and len(label + both) > self._screen.width:
            self._print_line(label, case_id, style="red", cut=True)
            self._print_line("      ", why, style="red", cut=True)
        else:
            self._print_line(label, both, style="red", cut=True)

    def _print_output(self, report: SuiteReport) -> None:
        """Print the last lines of a suite that says nothing about single cases."""
        if report.has_verdict and (report.has_passed or not report.is_exit_code_only):
            return
        lines = report.output.strip().splitlines()
        telling = [line for line in lines if not _NOISE.match(line)]
        for line in telling[-_OUTPUT_LINES:]:
            self._print_line("      ", line, cut=True)

    @_show_event.register
    def _show_teaching_start(self, event: events.TeachingStarted) -> None:
        self._progress.start("asking the teacher for a lesson")

    @_show_event.register
    def _show_lesson(self, event: events.LessonLearned) -> None:
        self._progress.end()
        lesson = event.lesson
        self._print_line("  teacher  ", f"{lesson.action}: {lesson.reason}", style="magenta")
        if lesson.usage.tokens and (notice := build_price_notice(lesson.model)):
            self._print_line("           ", notice)

    @_show_event.register
    def _show_rule_change(self, event: events.RuleWritten) -> None:
        change = event.change
        if change.reason:
            self._print_line("  rule     ", f"{change.change}: {change.reason}", style="bold red")
            if change.change in PENDING_CHANGES:
                command = format_project_command("rules pending", self._project)
                self._print_line("           ", f"see `{command}`", style="red")
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
    def _show_run_end(self, event: events.RunEnded) -> None:
        self._progress.end()
        result = event.result
        style = _STYLES.get(result.outcome, "bold red")
        self._print_line("\n", format_outcome(result), style=style)
        if result.message and result.outcome is not RunOutcome.SOLVED:
            self._print_line("  ", result.message, style="red")
        for label, value in iter_facts(
            event, self._project, recorded=self._recorded, scripted=self._is_scripted
        ):
            self._print_line(f"  {label:<8} ", value)

    def _print_line(self, label: str, text: str, style: str = "", *, cut: bool = False) -> None:
        print_labelled_line(self._screen, label, text, style, cut=cut)
