"""What a person reads at the end of a run: its outcome, and its facts line by line."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator import events
from orchestrator.cli.summaries import summarize_findings, summarize_tests, summarize_usage
from orchestrator.cli.values import format_duration
from orchestrator.counts import format_count
from orchestrator.models import (
    PENDING_CHANGES,
    CaseVerdict,
    ChangeKind,
    RuleChange,
    RunOutcome,
    RunResult,
)
from orchestrator.platform.project_commands import format_project_command


def format_outcome(result: RunResult) -> str:
    """Return the outcome as a heading: `Solved after 2 attempts, 3 old failures remain`."""
    judged = sum(attempt.report is not None for attempt in result.attempts)
    after = f" after {format_count(judged, 'attempt')}" if judged else ""
    old = _find_last_cases(result, CaseVerdict.OLD)
    remain = ""
    if old and result.outcome is RunOutcome.SOLVED:
        remain = f", {format_count(len(old), 'old failure remains', 'old failures remain')}"
    return f"{str(result.outcome).capitalize()}{after}{remain}"


def iter_facts(
    ended: events.RunEnded, project: Path, *, recorded: bool, scripted: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield the label and the text of each fact.

    Args:
        ended: the end of the run.
        project: the user's folder.
        recorded: whether the run can be shown later.
        scripted: whether the model's replies were scripted, so that nobody paid.
    """
    result = ended.result
    if tests := summarize_tests(result):
        yield "tests", tests
    if found := summarize_findings(result):
        yield "guard", found
    verdicts = [attempt.verdict for attempt in result.attempts if attempt.verdict]
    if flaky := {id_ for verdict in verdicts for id_ in verdict.find_case_ids(CaseVerdict.FLAKY)}:
        yield "flaky", ", ".join(sorted(flaky))
    if old := _find_last_cases(result, CaseVerdict.OLD):
        yield "old", f"failed before the run, ignored: {', '.join(old)}"
    if unjudged := _find_last_cases(result, CaseVerdict.DISCOUNTED):
        yield "ignored", f"new, but what they need is reverted: {', '.join(unjudged)}"
    if count := sum(attempt.redactions for attempt in result.attempts):
        yield "secrets", f"{count} masked in the record and in requests to the teacher"
    if ended.changes and recorded:  # else the folder is removed, or is not the user's
        yield "changed", ended.changes
    changes = [attempt.rule for attempt in result.attempts if attempt.rule]
    yield "rules", summarize_rules(changes, project if recorded else None) or "none"
    yield "cost", summarize_usage(ended.usage, scripted=scripted)
    yield "time", format_duration(ended.seconds)
    if recorded:
        yield "details", f"orchestrator runs show {ended.run_id}"
    if ended.advice and recorded:
        yield "next", ended.advice
    if recorded and (step := _describe_continuation(ended)):
        yield "continue", step


def _describe_continuation(ended: events.RunEnded) -> str:
    """Return how a run can go on; empty if it has ended for good, or the advice says it."""
    if ended.result.outcome is RunOutcome.MISCONFIGURED and not ended.advice:
        return "fix that, then run the same command again"
    resume = f"orchestrator resume {ended.run_id}"
    return resume if ended.result.can_resume_help and resume not in ended.advice else ""


def summarize_rules(changes: Sequence[RuleChange], project: Path | None) -> str:
    """Return what became of each rule, once, and the command that shows it; empty without any.

    Args:
        changes: what became of rules.
        project: the user's folder; None for no command, because nothing is kept of the run.
    """
    kinds: dict[str, list[ChangeKind]] = {}
    for change in changes:
        known = kinds.setdefault(change.rule.id, [])
        if change.change not in known and (not known or change.change is not _KNOWN):
            known.append(change.change)
    parts = [f"{' and '.join(found)}: {rule}" for rule, found in kinds.items()]
    if not parts or project is None:
        return ", ".join(parts)
    waits = all(change.change in PENDING_CHANGES for change in changes)
    show = "rules pending" if waits else f"rules show {changes[0].rule.id}"
    return f"{', '.join(parts)} (`{format_project_command(show, project)}`)"


_KNOWN = ChangeKind.ALREADY_KNOWN


def _find_last_cases(result: RunResult, kind: CaseVerdict) -> tuple[str, ...]:
    """Return the cases of a kind in the last verdict."""
    verdicts = [attempt.verdict for attempt in result.attempts if attempt.verdict]
    return verdicts[-1].find_case_ids(kind) if verdicts else ()
