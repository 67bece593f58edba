"""Print a recorded run in full, as text."""

import platform
from collections.abc import Iterator
from typing import Final

from orchestrator.cli.summaries import (
    summarize_agent,
    summarize_attempt,
    summarize_teaching,
    summarize_tests,
    summarize_usage,
)
from orchestrator.cli.values import format_duration, sanitize_text
from orchestrator.models import Attempt, RuleChange, RunOutcome, RunRecord, SuiteReport
from teacher.models import Usage

_PATCH_SHOWN: Final = 200_000
"""Characters of a patch that are printed; the file has the rest."""


def iter_record_lines(
    record: RunRecord,
    message: str = "",
    list_task: tuple[str, str] = ("", ""),
    *,
    scripted: bool = False,
) -> Iterator[str]:
    """Yield the lines of one run, from its task to its outcome.

    Args:
        record: the run.
        message: the reason of its end, on record also of a run that was killed.
        list_task: the ids of the task list and of the task that it is for; empty if for none.
        scripted: whether the model's replies were scripted, so that nobody paid.
    """
    yield _format_heading(f"Run {record.id}: {_describe_outcome(record)}")
    yield f"project  {sanitize_text(record.task.project)}"
    yield f"started  {record.started.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if record.ended:
        yield f"duration {format_duration((record.ended - record.started).total_seconds())}"
    yield f"files    {record.folder}"
    name, task = map(sanitize_text, list_task)
    if name:
        yield f"list     {name}, task {task}; orchestrator tasks status {name}"
    yield from _iter_block_lines("task", record.task.text)
    result = record.result
    if record.pruned:
        yield f"pruned   files and details were removed on {record.pruned:%Y-%m-%d}"
    if record.undone:
        yield f"undone   files were restored on {record.undone.astimezone():%Y-%m-%d %H:%M}"
    yield from _iter_block_lines("message", (result.message if result else "") or message)
    if not result:
        yield _format_cost(record, scripted)
        return
    if result.baseline:
        yield _format_heading("Baseline")
        yield from _iter_suite_lines(result.baseline)
    for attempt in result.attempts:
        yield from _iter_attempt_lines(attempt, scripted)
    yield _format_heading("Result")
    yield f"outcome  {result.outcome}"
    yield f"tests    {sanitize_text(summarize_tests(result)) or 'none'}"
    yield _format_cost(record, scripted)


def _format_cost(record: RunRecord, scripted: bool) -> str:
    usage = Usage(input_tokens=record.tokens, cost_usd=record.cost_usd)
    ended = len(record.result.attempts) if record.result else 0
    more = f", also of attempt {record.attempts}, which did not end" * (record.attempts > ended)
    return f"cost     {summarize_usage(usage, scripted=scripted)}{more}"


def _describe_outcome(record: RunRecord) -> str:
    # Only there it can be checked whether the process is still running.
    if record.outcome is RunOutcome.RUNNING and record.host != platform.node():
        return f"{record.outcome} on {record.host}"
    return record.outcome


def _iter_attempt_lines(attempt: Attempt, scripted: bool) -> Iterator[str]:
    yield _format_heading(f"Attempt {attempt.number}: {summarize_attempt(attempt)}")
    yield from _iter_block_lines("prompt", attempt.prompt)
    agent = attempt.agent
    yield f"agent    {sanitize_text(summarize_agent(agent, scripted=scripted))}"
    if agent.transcript:
        yield f"session  {agent.transcript}"
    yield from _iter_block_lines("the agent's final message", agent.message)
    yield from _iter_block_lines("the agent's standard error", agent.stderr_tail)
    yield from _iter_block_lines("denied tool calls", "\n".join(agent.denials))
    yield from _iter_block_lines(f"diff ({attempt.diff.summary})", _read_patch(attempt))
    if attempt.report:
        yield from _iter_suite_lines(attempt.report)
    if attempt.verdict:
        verdict = attempt.verdict
        yield f"verdict  {verdict.kind}{': ' * bool(verdict.text)}{sanitize_text(verdict.text)}"
        for case in verdict.flaky:
            yield from _iter_block_lines(f"flaky: {case.id}", case.detail or case.message)
    if attempt.redactions:
        yield f"secrets  {attempt.redactions} masked"
    yield from _iter_block_lines(
        "guard", "\n".join(finding.summary for finding in attempt.findings)
    )
    if attempt.teaching:
        yield f"teacher  {sanitize_text(summarize_teaching(attempt.teaching))}"
        yield f"         {summarize_usage(attempt.teaching.usage, scripted=scripted)}"
    if attempt.rule:
        yield from _iter_rule_lines(attempt.rule)


def _iter_rule_lines(change: RuleChange) -> Iterator[str]:
    text = change.rule.text
    where = f": {change.reason}" if change.reason else f" in {change.path}"
    yield from _iter_block_lines(
        f"rule {change.rule.id}, {change.change}{where}",
        f"Rule: {text.rule}\nWhen: {text.when}\nWhy: {text.why}",
    )


def _iter_suite_lines(report: SuiteReport) -> Iterator[str]:
    yield f"command  {sanitize_text(report.command)}"
    summary = sanitize_text(report.summary)
    yield f"suite    {summary}, {format_duration(report.seconds)}, exit code {report.exit_code}"
    for case in report.failing:
        yield from _iter_block_lines(f"{case.outcome}: {case.id}", case.detail or case.message)
    if not report.has_verdict:
        yield from _iter_block_lines("output", report.output)


def _read_patch(attempt: Attempt) -> str:
    try:
        with attempt.diff.patch.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_PATCH_SHOWN + 1)
    except OSError as error:
        return f"{attempt.diff.patch} cannot be read: {error.strerror}"
    if len(text) > _PATCH_SHOWN:
        return f"{text[:_PATCH_SHOWN]}\n... the rest is in {attempt.diff.patch}"
    return text


def _format_heading(text: str) -> str:
    text = sanitize_text(text)
    return f"\n{text}\n{'=' * len(text)}"


def _iter_block_lines(title: str, text: str) -> Iterator[str]:
    if text.strip():
        yield f"{sanitize_text(title)}:"
        yield from (f"    {line}".rstrip() for line in sanitize_text(text).rstrip().splitlines())
