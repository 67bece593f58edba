"""Describe what a review did, as Markdown for people; the terminal shows the same lines.

Paths, titles and messages come from transcripts and from the files of projects. Each becomes a part
of one line, and of its markup nothing is left.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from orchestrator.counts import format_count
from orchestrator.masking.visible_text import escape_markdown
from orchestrator.sessions.counting.findings import Remedy, SessionFinding
from orchestrator.sessions.models import SessionClass

_HEADINGS: Final[Mapping[Remedy, str]] = {
    Remedy.RULE: "For a rule",
    Remedy.CHECK: "For a check: a rule was loaded, and broken again",
    Remedy.SKILL: "For a skill",
    Remedy.PERMISSION: "For a permission",
    Remedy.NONE: "Only counted",
}
MOST_SHOWN: Final = 10
"""Findings of one kind that a report shows, those that recur most; the JSON output has all."""


@dataclass(frozen=True)
class FindingReport:
    """A finding, and what became of it in this review."""

    finding: SessionFinding
    outcome: str
    """What was proposed, or why nothing was, in a few words."""
    proposal: str = ""
    """The id of the proposal; empty if there is none."""


@dataclass(frozen=True)
class FollowUp:
    """What an accepted proposal did since."""

    proposal: str
    title: str
    accepted: datetime
    sessions_before: int
    """Distinct sessions with the finding in the days before it was accepted..."""
    sessions_since: int
    """... and in those since."""
    seen_before: int
    """All sessions of the project before..."""
    seen_since: int
    """... and since."""


@dataclass(frozen=True)
class ProjectReport:
    """What was found in the sessions of one project."""

    project: str
    sessions: Mapping[SessionClass, int]
    """Sessions in the reviewed period."""
    counted_sessions: int
    """Sessions in which findings were counted."""
    findings: tuple[FindingReport, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    older_findings: int = 0
    """Findings that were proposed before and did not happen again in the period."""
    problem: str = ""
    """Why nothing could be proposed for this project; empty if it could."""


@dataclass(frozen=True)
class ReviewReport:
    """What one review read, found and proposed."""

    started: datetime
    """With the user's time zone."""
    since: datetime
    until: datetime
    homes: tuple[str, ...]
    """Folders in which transcripts were looked for; those that exist."""
    project: str
    """The project that was asked for; empty for all."""
    counted_days: float
    """Days in which findings are counted."""
    sessions: Mapping[SessionClass, int]
    """Sessions in the reviewed period, of all projects that were asked for."""
    files_read: int = 0
    files_unchanged: int = 0
    rows: int = 0
    unreadable_rows: int = 0
    """In all files, also in those that were read before."""
    problems: tuple[str, ...] = ()
    """Files that could not be read, and the like."""
    archived: str = ""
    cleanup: str = ""
    """After how many days Claude Code deletes transcripts."""
    projects: tuple[ProjectReport, ...] = ()
    cost_usd: float = 0.0
    waiting: int = 0
    """Proposals that wait for a person, of all reviewed projects."""
    teacher: str = ""
    """Why the teacher was not asked; empty if it was, or did not have to be."""
    dry_run: bool = False
    notices: tuple[str, ...] = field(default_factory=tuple)


def iter_report_lines(
    report: ReviewReport, show: Callable[[str], str] = escape_markdown
) -> Iterator[str]:
    """Yield the lines of a report, as Markdown.

    Args:
        report: the report.
        show: returns a text from outside as one line that can do no harm where it is shown.
    """
    zone = report.until.strftime("%Z") or report.until.strftime("%z")
    yield f"# Review of {report.started:%Y-%m-%d %H:%M}"
    yield ""
    yield f"- Period: {report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} ({zone})"
    yield f"- Sessions in it: {format_classes(report.sessions)}"
    yield (
        f"- Read: {format_count(report.files_read, 'file')} new or changed, "
        f"{report.files_unchanged} unchanged; {format_count(report.rows, 'row')}. Unreadable rows "
        f"in all files: {report.unreadable_rows}"
    )
    for each in report.problems:
        yield f"  - {show(each)}"
    for label, text in (("Archive", report.archived), ("Deletion", report.cleanup)):
        if text:
            yield f"- {label}: {show(text)}"
    if report.teacher:
        yield f"- Teacher: {show(report.teacher)}"
    if report.cost_usd:
        yield f"- Cost of the teacher: {report.cost_usd:.2f} USD"
    for each in report.notices:
        yield f"- {show(each)}"
    shown = [each for each in report.projects if each.findings or each.follow_ups]
    for project in shown:
        yield from _iter_project_lines(project, report.counted_days, show)
    if shown and (others := len(report.projects) - len(shown)):
        yield ""
        yield f"Nothing found in {format_count(others, 'other project')}."
    if not any(project.findings for project in report.projects):
        yield ""
        yield _describe_nothing(report, show)


def _describe_nothing(report: ReviewReport, show: Callable[[str], str]) -> str:
    if not report.homes:
        return "Nothing found: there are no transcripts of Claude Code for this user yet."
    seen = sum(project.counted_sessions for project in report.projects)
    if not seen and report.project:
        return f"Nothing found: there are no sessions of {show(report.project)}; see `--all`."
    is_known = any(project.older_findings for project in report.projects)
    found = "Nothing new found" if is_known else "Nothing found"
    return f"{found} in {format_count(seen, 'session')} of {report.counted_days:.0f} days."


def _iter_project_lines(
    project: ProjectReport, counted_days: float, show: Callable[[str], str]
) -> Iterator[str]:
    yield ""
    yield f"## {show(_name_project(project.project))}"
    yield ""
    yield (
        f"{format_classes(project.sessions)}; findings are counted in "
        f"{format_count(project.counted_sessions, 'session')} of {counted_days:.0f} days."
    )
    if project.problem:
        yield ""
        yield f"Nothing can be proposed: {show(project.problem)}"
    for remedy, heading in _HEADINGS.items():
        found = [each for each in project.findings if each.finding.remedy is remedy]
        if found:
            yield from _iter_finding_lines(heading, found, show)
    if project.follow_ups:
        yield ""
        yield "### Accepted before, and since"
        yield ""
    for follow_up in project.follow_ups:
        title = show(follow_up.title)
        yield (
            f"- `{follow_up.proposal}` ({follow_up.accepted:%Y-%m-%d}): {title}: in "
            f"{follow_up.sessions_before} of {follow_up.seen_before} sessions before, in "
            f"{follow_up.sessions_since} of {follow_up.seen_since} since"
        )


def _name_project(project: str) -> str:
    """Return the name of a project for people; a session may have been in no known folder."""
    if os.path.isabs(project):  # noqa: PTH117 -- a text
        return project
    return f"no folder ({project})" if project else "no folder"


def _iter_finding_lines(
    heading: str, found: Sequence[FindingReport], show: Callable[[str], str]
) -> Iterator[str]:
    yield ""
    yield f"### {heading}"
    yield ""
    for each in found[:MOST_SHOWN]:
        mark = f" `{each.proposal}`" if each.proposal else ""
        yield f"- {show(each.finding.title)}"
        if each.outcome:
            yield f"  -> {show(each.outcome)}{mark}"
    if len(found) > MOST_SHOWN:
        yield f"- and {len(found) - MOST_SHOWN} more, which occurred less often"


def format_classes(sessions: Mapping[SessionClass, int]) -> str:
    """Return the numbers of sessions by class: `12 (9 human, 3 headless); 4 own, left out`."""
    counted = {kind: number for kind, number in sessions.items() if number}
    own = counted.pop(SessionClass.OWN, 0)
    parts = ", ".join(f"{counted[kind]} {kind}" for kind in SessionClass if kind in counted)
    text = f"{sum(counted.values())} ({parts})" if parts else "none"
    return f"{text}; {own} own, left out" if own else text
