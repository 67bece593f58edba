"""Shortens the suite's output to what a teacher needs to see.

Cases that the attempt broke come before those that failed before it; of each case the assertion
comes before the project's frames, and those before a library's.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator.counts import format_count
from orchestrator.models import Case, SuiteReport
from orchestrator.suites.pytest.tracebacks import extract_error_lines, iter_frames, list_locations

CASE_BOUND: Final = 3_000
"""Maximum of characters for one case, however long its traceback is."""

_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_LIBRARY: Final = re.compile(r"(?:^|/)(?:site-packages|dist-packages|lib/python\d[^/]*)/|^<frozen ")


def clean_text(text: str) -> str:
    """Return the text without colours and control characters."""
    return _CONTROL.sub("", text)


def shorten_to_line(text: str, bound: int) -> str:
    """Return the text on one line of at most `bound` characters."""
    line = " ".join(clean_text(text).split())
    return line if len(line) <= bound else line[: bound - 1] + "…"


def truncate_middle(text: str, bound: int) -> str:
    """Return the text without control characters; a longer one loses its middle, with a note."""
    text = clean_text(text).strip()
    if len(text) <= bound:
        return text
    half = bound // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"


def split_by_novelty(
    failing: Sequence[Case], baseline: SuiteReport | None
) -> tuple[list[tuple[Case, str]], list[tuple[Case, str]]]:
    """Return the cases that the attempt broke, and those that failed before, with a note each."""
    if baseline is None:
        return [(case, "") for case in failing], []
    before = {case.id: case for case in baseline.cases}
    broken, old = [], []
    for case in failing:
        known = before.get(case.id)
        if known is None:
            broken.append((case, "did not exist before the attempt"))
        elif known.is_failing:
            old.append((case, "failed before the attempt too"))
        else:
            broken.append((case, f"{known.outcome} before the attempt"))
    return broken, old


def build_log_excerpt(
    report: SuiteReport, baseline: SuiteReport | None, project: Path, bound: int
) -> str:
    """Return the suite's output in about `bound` characters at most, with a note on omissions."""
    head = f"$ {shorten_to_line(report.command, 300)}\n{report.summary}"
    broken, old = split_by_novelty(report.failing, baseline)
    cases = [*broken, *old]
    if not cases:
        return f"{head}\n\n{_truncate_start(clean_text(report.output), bound - len(head))}"
    pieces, left = [head], bound - len(head)
    for at, (case, before) in enumerate(cases):
        piece = _render_evidence(case, before, project, min(CASE_BOUND, left))
        if left < len(piece):
            pieces.append(_render_names(cases[at:], max(left, 400)))
            break
        pieces.append(piece)
        left -= len(piece) + 2
    return "\n\n".join(pieces)


def list_traceback_files(cases: Sequence[Case], project: Path) -> list[str]:
    """Return the project's files in the tracebacks, in order, as relative paths."""
    found: dict[str, None] = {}
    for case in cases:
        for location in list_locations(case.detail):
            if not is_library_file(location, project):
                found[make_relative(location, project)] = None
    return list(found)


def _render_evidence(case: Case, before: str, project: Path, bound: int) -> str:
    heading = f"{case.outcome.upper()} {shorten_to_line(case.id, 300)}" + (
        f" ({before})" if before else ""
    )
    detail = clean_text(case.detail)
    error = extract_error_lines(detail)
    frames = [*iter_frames(detail)]
    own = [frame for frame in frames if not _is_library_frame(frame, project)]
    library = [frame for frame in frames if _is_library_frame(frame, project)]
    bound -= len(heading)
    assertion = _truncate_end(error or clean_text(case.message), bound // 2)
    return "\n".join([heading, assertion, *_fit_frames([*own, *library], bound - len(assertion))])


def _fit_frames(frames: Sequence[str], bound: int) -> list[str]:
    fitting: list[str] = []
    for at, frame in enumerate(frames):
        if len(frame) > bound:
            # The line that raised is at the end of a frame.
            note = f"[... {format_count(len(frames) - at, 'frame')} left out]"
            fitting.append(_truncate_start(frame, bound) if bound > 300 else note)
            break
        fitting.append(frame)
        bound -= len(frame) + 1
    return fitting


def _is_library_frame(frame: str, project: Path) -> bool:
    named = list_locations(frame)
    return bool(named) and is_library_file(named[-1], project)


def is_library_file(location: str, project: Path) -> bool:
    """Return whether a file named in a traceback belongs to a library, and not to the project."""
    if _LIBRARY.search(location):
        return True
    path = Path(location)
    if path.is_absolute() or location.startswith(".."):
        return not (project / path).resolve().is_relative_to(project.resolve())
    return False


def make_relative(location: str, project: Path) -> str:
    """Return the path of a file named in a traceback, relative to the project if it is inside."""
    path = Path(location)
    if path.is_absolute() and path.is_relative_to(project.resolve()):
        return path.relative_to(project.resolve()).as_posix()
    return path.as_posix()


def _render_names(cases: Sequence[tuple[Case, str]], bound: int) -> str:
    lines = [f"{len(cases)} more failing, of which only the names:"]
    for at, (case, _) in enumerate(cases):
        line = f"- {shorten_to_line(case.id, 200)}: {shorten_to_line(case.message, 100)}"
        bound -= len(line) + 1
        if bound < 0:
            return "\n".join([*lines, f"[... {len(cases) - at} more left out]"])
        lines.append(line)
    return "\n".join(lines)


def _truncate_end(text: str, bound: int) -> str:
    if len(text) <= bound:
        return text
    cut = text[: max(bound, 0)]
    return f"{cut}\n[... {len(text) - len(cut)} characters left out]"


def _truncate_start(text: str, bound: int) -> str:
    if len(text) <= bound:
        return text.strip("\n")
    return f"[... {len(text) - bound} characters left out]\n{text[-bound:].rstrip()}"
