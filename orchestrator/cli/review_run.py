"""Run a review of past sessions, and show its report."""

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.output import find_width, fit_lines, print_lines
from orchestrator.cli.values import sanitize_text
from orchestrator.counts import format_count
from orchestrator.masking import mask_text
from orchestrator.masking.visible_text import flatten_text

if TYPE_CHECKING:
    from orchestrator.events import Event
    from orchestrator.services.review import ReviewOutcome
    from orchestrator.sessions.views.report import ReviewReport


def run_review_command(
    project: Path | None,
    since: datetime | None,
    *,
    only_due: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Review past sessions and print what was found.

    Args:
        project: the folder of the project; None for all.
        since: the start of the period; None for that since the last review.
        only_due: whether to do nothing if the last review is recent.
        dry_run: whether to propose nothing.
        as_json: whether to print JSON.
    """
    from orchestrator.events import Notice
    from orchestrator.services.review import ReviewRequest, review_sessions

    def report_notice(event: "Event") -> None:
        if isinstance(event, Notice):
            click.echo(sanitize_text(mask_text(event.text)), err=True)

    if only_due:
        _shorten_night_log()
    outcome = review_sessions(ReviewRequest(project, since, only_due, dry_run), report_notice)
    if as_json:
        click.echo(json.dumps(_serialize(outcome)))
    elif outcome.report is None:
        click.echo(outcome.message)
    else:
        print_lines(fit_lines(list(_iter_lines(outcome, outcome.report)), find_width()))


def _shorten_night_log() -> None:
    """Keep the log short that a timer may have made standard output of."""
    from orchestrator.sessions.schedule.night_log import find_log, shorten_log
    from orchestrator.storage.state_directory import resolve_state_directory

    with contextlib.suppress(OSError):
        shorten_log(find_log(resolve_state_directory()))


def _iter_lines(outcome: "ReviewOutcome", report: "ReviewReport") -> Iterator[str]:
    from orchestrator.sessions.views.report import iter_report_lines

    yield from iter_report_lines(report, flatten_text)
    yield ""
    if report.dry_run:
        yield "Nothing was copied, proposed or recorded: this was a dry run."
        return
    if report.waiting:
        everywhere = "" if report.project else " --all"
        count = format_count(report.waiting, "proposal")
        yield f"{count} waiting: `orchestrator review list{everywhere}`"
    yield f"Report: {outcome.path}"


def _serialize(outcome: "ReviewOutcome") -> dict[str, Any]:
    report = outcome.report
    if report is None:
        return {"done": False, "message": outcome.message}
    return {
        "done": True,
        "started": report.started.isoformat(),
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "dry_run": report.dry_run,
        "sessions": {kind.value: number for kind, number in sorted(report.sessions.items())},
        "files_read": report.files_read,
        "files_unchanged": report.files_unchanged,
        "rows": report.rows,
        "unreadable_rows": report.unreadable_rows,
        "problems": list(report.problems),
        "cost_usd": report.cost_usd,
        "teacher": report.teacher,
        "waiting": report.waiting,
        "report": str(outcome.path) if outcome.path else None,
        "projects": [
            {
                "project": each.project,
                "sessions": {kind.value: n for kind, n in sorted(each.sessions.items())},
                "counted_sessions": each.counted_sessions,
                "problem": each.problem,
                "findings": [
                    {
                        "detector": found.finding.detector.value,
                        "title": found.finding.title,
                        "sessions": list(found.finding.sessions),
                        "occurrences": found.finding.occurrences,
                        "outcome": found.outcome,
                        "proposal": found.proposal,
                    }
                    for found in each.findings
                ],
            }
            for each in report.projects
        ],
    }
