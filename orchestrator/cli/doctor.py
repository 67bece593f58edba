"""`orchestrator doctor`: check each link from the tests to the rule in a request."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.options import as_json, config_file, project_directory
from orchestrator.cli.output import iter_wrapped_lines, print_lines
from orchestrator.cli.values import sanitize_text

if TYPE_CHECKING:
    from orchestrator.services.doctor.running import Diagnosis, Finding

JSON_VERSION: Final = 1
_MARKS: Final = {"ok": "✓", "warning": "!", "broken": "✗", "not checked": "-"}
_ASCII_MARKS: Final = {**_MARKS, "ok": "+", "broken": "x"}
_LABEL: Final = 13
"""Columns of the names of links."""


@click.command()
@click.option("--fix", "repairing", is_flag=True, help="Correct what can be corrected safely.")
@click.option("--live", is_flag=True, help="Ask the teacher one question; it costs one lesson.")
@project_directory
@config_file
@as_json
def doctor(
    repairing: bool, live: bool, project_dir: Path, config_file: Path | None, as_json: bool
) -> int:
    """Check each link from your tests to a rule in a request.

    Costs nothing and changes nothing: one request of Claude Code goes to a server on this machine.
    Each broken link is shown with its cause and the command that corrects it; the last line is the
    first broken one.

    Exit codes: 0 nothing is broken, 2 something in the configuration or your files is, 3 something
    of this machine is missing.
    """
    from orchestrator.services.doctor.running import diagnose
    from orchestrator.services.doctor.subject import examine

    subject = examine(project_dir, config_file, is_live=live)
    if as_json:
        diagnosis = diagnose(subject, lambda _finding: None, repairing=repairing)
        click.echo(json.dumps(_serialize(diagnosis, subject.project), ensure_ascii=True))
        return diagnosis.exit_code
    click.echo(sanitize_text(f"Checking {subject.project}"))
    marks = _choose_marks()
    diagnosis = diagnose(
        subject, lambda finding: print_lines(_iter_lines(finding, marks)), repairing=repairing
    )
    print_lines(_iter_end(diagnosis))
    return diagnosis.exit_code


def _choose_marks() -> dict[str, str]:
    """Return the marks that the encoding of standard output has."""
    try:
        "".join(_MARKS.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _ASCII_MARKS
    return _MARKS


def _iter_lines(finding: "Finding", marks: dict[str, str]) -> Iterator[str]:
    check = finding.check
    indentation = " " * (_LABEL + 3)
    if finding.repaired:
        yield from iter_wrapped_lines(indentation, sanitize_text(finding.repaired))
    label = f"{marks[check.status]} {check.link:<{_LABEL}} "
    text = check.text if check.status != "not checked" else f"not checked: {check.text}"
    yield from iter_wrapped_lines(label, sanitize_text(text))
    if check.cause:
        yield from iter_wrapped_lines(indentation, sanitize_text(check.cause))
    if check.command:
        # Never wrapped: it is to be pasted.
        yield f"{indentation}$ {sanitize_text(check.command)}"


def _iter_end(diagnosis: "Diagnosis") -> Iterator[str]:
    statuses = [finding.check.status for finding in diagnosis.findings]
    skipped, warnings = statuses.count("not checked"), statuses.count("warning")  # type: ignore[arg-type]
    yield ""
    counts = [
        *([f"warnings: {warnings}"] if warnings else []),
        *([f"not checked: {skipped}"] if skipped else []),
    ]
    if counts:
        yield ", ".join(counts)
    if broken := diagnosis.first_broken:
        line = f"first broken link: {broken.link}"
        whole = sanitize_text(f"{line}: {broken.text}")
        # One line in any case: it is what a person, or `tail -n 1`, looks for.
        yield whole if len(whole) <= shutil.get_terminal_size().columns else line
    else:
        yield "everything that was checked works"


def _serialize(diagnosis: "Diagnosis", project: Path) -> dict[str, Any]:
    broken = diagnosis.first_broken
    return {
        "version": JSON_VERSION,
        "project": str(project),
        "checks": [_serialize_finding(each) for each in diagnosis.findings],
        "first_broken": broken.link.value if broken else None,
        "exit_code": diagnosis.exit_code,
    }


def _serialize_finding(finding: "Finding") -> dict[str, Any]:
    check = finding.check
    return {
        "link": check.link.value,
        "status": check.status.value,
        "text": check.text,
        "cause": check.cause,
        "command": check.command,
        "repaired": finding.repaired,
        "seconds": round(finding.seconds, 2),
    }
