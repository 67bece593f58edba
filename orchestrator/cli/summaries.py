"""Parts of a run in a few words each."""

from collections import Counter
from typing import Final

from orchestrator.cli.values import format_dollars, format_duration, format_tokens
from orchestrator.counts import format_count
from orchestrator.models import AgentResult, Attempt, RunOutcome, RunResult, SuiteReport, Teaching
from teacher.models import Usage

_UNFINISHED: Final = (
    *(RunOutcome.STOPPED, RunOutcome.MISCONFIGURED, RunOutcome.PAUSED, RunOutcome.INTERRUPTED),
)
"""Outcomes of runs that may have ended before a verdict."""

MAX_DETAIL_LENGTH: Final = 200
"""Characters of one line of detail."""


def find_last_report(result: RunResult) -> SuiteReport | None:
    """Return the last report of a run's suite; None if it never ran."""
    reports = [attempt.report for attempt in result.attempts if attempt.report]
    return result.open_report or (reports[-1] if reports else result.baseline)


def summarize_tests(result: RunResult) -> str:
    """Summarize the last report of a run's suite, and say if it judged no attempt; maybe empty."""
    report = find_last_report(result)
    text = report.summary if report else ""
    if result.outcome not in _UNFINISHED or report is not result.baseline:
        return text
    if report and report.has_verdict:
        return f"no attempt was judged; before: {text}"
    return f"nothing was judged{': ' * bool(text)}{text}"


def summarize_findings(result: RunResult) -> str:
    """Summarize what the guard found in a run, with the decisive finding; empty if nothing."""
    findings = [finding for attempt in result.attempts for finding in attempt.findings]
    kinds = Counter(finding.kind for finding in findings)
    text = ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
    last = result.attempts[-1].findings if result.attempts else ()
    decisive = [finding for finding in last if finding.decisive]
    return f"{text}; {decisive[0].summary}" if decisive else text


def summarize_agent(result: AgentResult, *, scripted: bool = False) -> str:
    """Summarize an agent's result: outcome, turns, cost, duration, and what was denied."""
    parts = [str(result.outcome), format_turns(result.turns)]
    parts += [summarize_usage(result.usage, scripted=scripted), format_duration(result.seconds)]
    if result.denials:
        denied = format_count(len(result.denials), "tool call")
        parts.append(f"{denied} denied: {result.denials[0]}")
    return ", ".join(filter(None, parts))


def format_turns(turns: int) -> str:
    """Return a count of turns; empty if there were none."""
    return format_count(turns, "turn") if turns else ""


def summarize_usage(usage: Usage, *, scripted: bool = False) -> str:
    """Summarize tokens and cost; nobody pays for what a scripted model says."""
    if scripted:
        return f"{format_tokens(usage.tokens)}, nothing was paid (scripted model)"
    summary = f"{format_tokens(usage.tokens)}, {format_dollars(usage.cost_usd)}"
    # Every bill has tokens: a cost without any is the ledger's estimate.
    is_estimate = usage.cost_usd > 0 and not usage.tokens
    return f"{summary} (estimated: the bill did not arrive)" if is_estimate else summary


def summarize_teaching(teaching: Teaching) -> str:
    """Summarize what the teacher decided, or why there is no lesson."""
    if teaching.lesson:
        return f"{teaching.lesson.action}: {teaching.lesson.reason}"
    return f"no lesson: {teaching.trouble}"


def summarize_attempt(attempt: Attempt) -> str:
    """Summarize an attempt: the suite's result and the size of the diff."""
    verdict = attempt.report.summary if attempt.report else f"not judged: {attempt.agent.outcome}"
    return f"{verdict}; {attempt.diff.summary}"


def truncate_to_line(text: str) -> str:
    """Return the first line of a text, with dots if there is more."""
    lines = text.strip().splitlines() or [""]
    more = " ..." if len(lines) > 1 or len(lines[0]) > MAX_DETAIL_LENGTH else ""
    return lines[0][:MAX_DETAIL_LENGTH] + more
