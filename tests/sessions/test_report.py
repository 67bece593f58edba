"""What a report shows of texts that others have written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from markdown_it import MarkdownIt

from orchestrator.masking.visible_text import flatten_text
from orchestrator.proposals.models import ProposalEvidence
from orchestrator.sessions.counting.findings import Remedy, SessionFinding
from orchestrator.sessions.detectors.occurrences import Detector
from orchestrator.sessions.models import SessionClass
from orchestrator.sessions.views.report import (
    FindingReport,
    FollowUp,
    ProjectReport,
    ReviewReport,
    iter_report_lines,
)

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
EVIL = (
    "x\n\n# Forged\n\n![t](http://evil/t.png) [run](http://evil) <img src=x> "
    "\x1b]0;pwned\x07 \u3164\ufe01"
)


def build_report(text: str, project: str = "") -> ReviewReport:
    """Return a report whose foreign texts are all this one."""
    place = (ProposalEvidence("one", "row", NOW.isoformat()),)
    finding = SessionFinding(
        Detector.REJECTION, text, project, Remedy.RULE, text, ("one",), 1, place
    )
    counts = {SessionClass.HUMAN: 1}
    report = ProjectReport(
        project or f"/{text}",
        counts,
        1,
        (FindingReport(finding, text, "p-12345678"),),
        (FollowUp("p-12345678", text, NOW, 1, 1, 2, 2),),
        problem=text,
    )
    return ReviewReport(
        *(NOW, NOW - timedelta(days=1), NOW, ("/home",), "", 30, counts),
        problems=(text,),
        archived=text,
        cleanup=text,
        projects=(report,),
        teacher=text,
        notices=(text,),
    )


def test_foreign_text_forges_nothing_in_the_file() -> None:
    lines = list(iter_report_lines(build_report(EVIL)))
    plain = list(iter_report_lines(build_report("plain")))
    assert len(lines) == len(plain)
    assert all(line.isprintable() for line in lines)
    one, other = (MarkdownIt().parse("\n".join(each)) for each in (lines, plain))
    assert [each.type for each in one] == [each.type for each in other]
    inner = {child.type for each in one for child in each.children or ()}
    assert inner <= {"text", "text_special", "softbreak", "code_inline"}
    assert "https://" not in "".join(lines).replace("http:\\//", "")
    assert "http://" not in "".join(lines)


def test_the_terminal_shows_it_without_backslashes() -> None:
    lines = list(iter_report_lines(build_report(EVIL), flatten_text))
    assert len(lines) == len(list(iter_report_lines(build_report("plain"))))
    assert all(line.isprintable() for line in lines)
    assert "- x # Forged ![t](http://evil/t.png) [run](http://evil)" in "\n".join(lines)


@pytest.mark.parametrize(
    ("project", "heading"), [(".", "no folder (.)"), ("a/b", "no folder (a/b)")]
)
def test_a_project_without_a_folder_is_named_so(project: str, heading: str) -> None:
    assert f"## {heading}" in list(iter_report_lines(build_report("plain", project)))


def test_a_project_without_sessions_is_named_in_one_line() -> None:
    report = replace(build_report("plain"), project=f"/{EVIL}", projects=())
    (line,) = [each for each in iter_report_lines(report) if "there are no sessions" in each]
    assert line.isprintable()
    assert "http://" not in line
