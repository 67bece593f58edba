"""pytest's JUnit XML as cases with ids that select them again.

The format is pytest's `junit_family=xunit1` (_pytest/junitxml.py): each testcase has `file`, the
path of the defining file from pytest's rootdir, and `classname`, the node id's path and classes
with dots for slashes and without `.py`.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from junitparser import Attr, Error, JUnitXml, JUnitXmlError, Skipped, TestCase

from orchestrator.models import Case, CaseOutcome

DETAIL_BOUND: Final = 20_000
"""Characters of a traceback that a case keeps: half from its start, half from its end."""

MESSAGE_BOUND: Final = 2_000

COLLECTION_FAILURE: Final = "collection failure"
"""How pytest's message on a test module that cannot be imported begins; we add the cause."""

INTERNAL_ERROR: Final = "internal error"


class _PytestCase(TestCase):
    """A testcase element with what `xunit1` adds to it."""

    file = Attr()


def read_cases(report: Path, roots: Sequence[Path], workspace: Path) -> tuple[Case, ...] | None:
    """Read the cases of a report, or None when there is none that can be read.

    Args:
        report: the XML file.
        roots: directories that may be pytest's rootdir, the likeliest first.
        workspace: where pytest was started; ids are relative to it.
    """
    try:
        xml = JUnitXml.fromfile(str(report))
    except (OSError, SyntaxError, JUnitXmlError):  # ParseError is a SyntaxError
        return None
    cases: dict[str, Case] = {}
    for each in (each for suite in xml for each in suite):
        element = _PytestCase.fromelem(each)  # type: ignore[no-untyped-call]  # their half-typed API
        case = _case(element, _node_id(element, roots, workspace))
        cases[case.id] = _joined(cases[case.id], case) if case.id in cases else case
    return tuple(cases.values())


def _case(element: _PytestCase, node_id: str) -> Case:
    results = element.result
    if not results:
        outcome = CaseOutcome.PASSED
    elif all(isinstance(result, Skipped) for result in results):
        outcome = CaseOutcome.SKIPPED
    elif any(isinstance(result, Error) for result in results):
        outcome = CaseOutcome.ERROR
    else:
        outcome = CaseOutcome.FAILED
    speaking = [result for result in results if not isinstance(result, Skipped)] or results
    message = "\n".join(result.message or "" for result in speaking)
    detail = "\n".join(result.text or "" for result in speaking)
    if message == COLLECTION_FAILURE and (cause := _last_error(detail)):
        message = f"{COLLECTION_FAILURE}: {cause}"
    seconds = float(element.time or 0.0)
    return Case(node_id, outcome, seconds, _short(message), _bounded(detail))


def _last_error(detail: str) -> str:
    lines = [line[1:].strip() for line in detail.splitlines() if line.startswith("E ")]
    return next((line for line in reversed(lines) if line), "")


def _node_id(element: _PytestCase, roots: Sequence[Path], workspace: Path) -> str:
    """Rebuild `path::Class::name[param]`, the path as seen from where pytest was started."""
    name, classname, file = element.name or "", element.classname or "", element.file
    if not file:
        return f"{classname}::{name}" if classname else name
    root = next((root for root in roots if os.path.lexists(root / file)), workspace)
    dotted = re.sub(r"\.py$", "", file.replace("/", "."))
    if not classname:  # an error in collecting a file: its name is the dotted path
        return _from_workspace(root / file, workspace)
    if classname == dotted or classname.startswith(dotted + "."):
        classes = classname[len(dotted) + 1 :].split(".")
    else:
        file, classes = _inheriting(classname.split("."), root)
    return "::".join([_from_workspace(root / file, workspace), *filter(None, classes), name])


def _inheriting(parts: list[str], root: Path) -> tuple[str, list[str]]:
    """Find the file of a case that it got from another file, which `file` names then."""
    for count in range(len(parts), 0, -1):
        file = "/".join(parts[:count]) + ".py"
        if os.path.lexists(root / file):
            return file, parts[count:]
    return "/".join(parts[:-1]) + ".py", parts[-1:]


def _from_workspace(path: Path, workspace: Path) -> str:
    # Of the resolved folder only: a test file that is itself a link keeps its name.
    return os.path.relpath(path.parent.resolve() / path.name, workspace.resolve())


def _joined(first: Case, second: Case) -> Case:
    """A case with two entries (it failed, and its teardown too) is one case."""
    worse = second if second.failing and not first.failing else first
    if not (first.failing and second.failing):
        return worse
    return replace(
        first,
        message=_short("\n".join(filter(None, (first.message, second.message)))),
        detail=_bounded("\n\n".join(filter(None, (first.detail, second.detail)))),
    )


def _bounded(text: str) -> str:
    if len(text) <= DETAIL_BOUND:
        return text
    # Between words, so that no half of a secret is left that nobody would know as one.
    half = DETAIL_BOUND // 2
    head, tail = _without_last_word(text[:half]), (text[-half:].split(None, 1) or [""])[-1]
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[... {left_out} characters left out ...]\n{tail}"


def _without_last_word(text: str) -> str:
    return (text.rsplit(None, 1) or [""])[0]


def _short(message: str) -> str:
    if len(message) <= MESSAGE_BOUND:
        return message
    return _without_last_word(message[:MESSAGE_BOUND])


def collection_failures(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Give the cases that stand for a file that could not be imported."""
    return tuple(
        case for case in cases if case.failing and case.message.startswith(COLLECTION_FAILURE)
    )
