"""A run on record, as text."""

from collections.abc import Iterator
from typing import Final

from orchestrator.cli.console import (
    agent_summary,
    attempt_summary,
    last_report,
    teaching_summary,
    usage_summary,
)
from orchestrator.cli.values import in_words, printable
from orchestrator.models import Attempt, RunRecord, SuiteReport

_PATCH_SHOWN: Final = 200_000
"""Characters of a patch that are printed; the file has the rest."""


def whole(record: RunRecord) -> Iterator[str]:
    """One run from beginning to end."""
    yield _heading(f"Run {record.id}: {record.outcome}")
    yield f"project  {printable(record.task.project)}"
    yield f"started  {record.started.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if record.ended:
        yield f"took     {in_words((record.ended - record.started).total_seconds())}"
    yield f"files    {record.folder}"
    yield from _block("task", record.task.text)
    result = record.result
    if record.pruned:
        yield f"removed  its files and details were removed on {record.pruned:%Y-%m-%d}"
    if not result:
        return
    if result.message:
        yield from _block("message", result.message)
    if result.baseline:
        yield _heading("Baseline")
        yield from _suite(result.baseline)
    for attempt in result.attempts:
        yield from _attempt(attempt)
    yield _heading("End")
    report = last_report(result)
    yield f"outcome  {result.outcome}"
    yield f"tests    {printable(report.summary) if report else 'none'}"
    yield f"bill     {usage_summary(result.usage)}"


def _attempt(attempt: Attempt) -> Iterator[str]:
    yield _heading(f"Attempt {attempt.number}: {attempt_summary(attempt)}")
    yield from _block("prompt", attempt.prompt)
    agent = attempt.agent
    yield f"agent    {printable(agent_summary(agent))}"
    if agent.transcript:
        yield f"session  {agent.transcript}"
    yield from _block("the agent's last words", agent.message)
    yield from _block("the agent's standard error", agent.stderr_tail)
    yield from _block("not permitted", "\n".join(agent.denials))
    yield from _block(f"diff ({attempt.diff.summary})", _patch(attempt))
    if attempt.report:
        yield from _suite(attempt.report)
    if attempt.verdict:
        verdict = attempt.verdict
        yield f"verdict  {verdict.kind}{': ' * bool(verdict.text)}{printable(verdict.text)}"
        for case in verdict.flaky:
            yield from _block(f"flaky: {case.id}", case.detail or case.message)
    if attempt.redactions:
        yield f"secrets  {attempt.redactions} replaced"
    yield from _block("guard", "\n".join(finding.summary for finding in attempt.findings))
    if attempt.teaching:
        yield f"teacher  {printable(teaching_summary(attempt.teaching))}"
        yield f"         {usage_summary(attempt.teaching.usage)}"
    if attempt.rule:
        rule = attempt.rule
        text = (
            f"Rule: {rule.rule.text.rule}\nWhen: {rule.rule.text.when}\nWhy: {rule.rule.text.why}"
        )
        where = f": {rule.reason}" if rule.reason else f" in {rule.path}"
        yield from _block(f"rule {rule.rule.id}, {rule.change}{where}", text)


def _suite(report: SuiteReport) -> Iterator[str]:
    yield f"command  {printable(report.command)}"
    summary = printable(report.summary)
    yield f"suite    {summary}, {in_words(report.seconds)}, exit code {report.exit_code}"
    for case in report.failing:
        yield from _block(f"{case.outcome}: {case.id}", case.detail or case.message)
    if not report.judged:
        yield from _block("output", report.output)


def _patch(attempt: Attempt) -> str:
    try:
        with attempt.diff.patch.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_PATCH_SHOWN + 1)
    except OSError as error:
        return f"{attempt.diff.patch} cannot be read: {error.strerror}"
    if len(text) > _PATCH_SHOWN:
        return f"{text[:_PATCH_SHOWN]}\n... the rest is in {attempt.diff.patch}"
    return text


def _heading(text: str) -> str:
    text = printable(text)
    return f"\n{text}\n{'=' * len(text)}"


def _block(title: str, text: str) -> Iterator[str]:
    if text.strip():
        yield f"{printable(title)}:"
        yield from (f"    {line}".rstrip() for line in printable(text).rstrip().splitlines())
