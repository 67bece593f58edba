"""Read the open issues with a label, by GitHub's own program `gh`.

What an issue says was written by others. It is shortened, characters that a reader would not see
are removed, and it names no command and no work without a change. Its id is `#12`. It may say
`depends on #11`, `priority: 2`, `files: ...` and `hold: ...` in a line of its body; labels such as
`P1` and `priority: high` count, too. Boxes in its body are details.

An issue that another depends on and that is not in the list is looked up: a closed one is done, and
one that is open, or cannot be read, holds the task.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.masking.process_output import mask_line
from orchestrator.platform.process import capture
from orchestrator.platform.watchdog import EndReason
from orchestrator.tasks.models import DEFAULT_PRIORITY, TaskItem
from orchestrator.tasks.reading.attributes import Marks, join_details, parse_detail
from orchestrator.tasks.reading.item_text import clean_text, clean_title, shorten_foreign_text
from orchestrator.tasks.reading.lines import scan_lines
from orchestrator.tasks.reading.mark_values import MarkError, parse_priority
from teacher.prompt import replace_surrogates

PREFIX: Final = "github:"
_MOST_ISSUES: Final = 1000
_MOST_BYTES: Final = 100_000_000
_MOST_LOOKED_UP: Final = 50
_SECONDS: Final = 60.0
_VARIABLES: Final = {
    "GH_PROMPT_DISABLED": "1",
    "GH_NO_UPDATE_NOTIFIER": "1",
    "NO_COLOR": "1",
    "CLICOLOR_FORCE": "0",
    "GH_PAGER": "cat",
}
_DEPENDS: Final = re.compile(
    r"\b(?:depends on|blocked by)[ \t:]+((?:#\d{1,9}(?:[ \t]*(?:,|and)?[ \t]*))+)", re.I
)


def read_issues(label: str, project: Path) -> tuple[TaskItem, ...]:
    """Return the open issues with a label as tasks, the oldest first.

    Raises:
        UsageError: there is no label, or no issue with it.
        InfrastructureError: `gh` is not there, or fails.
    """
    if not label.strip():
        raise UsageError(f"{PREFIX} names no label", f"write {PREFIX}LABEL")
    fields = "number,title,body,labels"
    issues = _run_gh(
        ["issue", "list", "--json", fields, "--limit", str(_MOST_ISSUES), f"--label={label}"],
        project,
    )
    if not isinstance(issues, list):
        raise InfrastructureError("`gh issue list` printed no list", "update gh")
    found = [each for each in issues if isinstance(each, dict) and _is_number(each.get("number"))]
    if not found:
        shown = mask_line(label, 60)
        raise UsageError(f"there is no open issue with the label {shown}", "see `gh issue list`")
    if len(found) >= _MOST_ISSUES:
        raise UsageError(
            f"there are {_MOST_ISSUES:,} issues or more with this label", "use a rarer one"
        )
    found.sort(key=lambda each: each["number"])
    items = [_build_item(issue, at) for at, issue in enumerate(found)]
    return _resolve_others(items, project)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9


def _build_item(issue: Mapping[str, Any], position: int) -> TaskItem:
    identity = f"#{issue['number']}"
    title = clean_title(_read_text(issue.get("title"))) or identity
    body, marks = _read_body(_read_text(issue.get("body")))
    priority = _read_label_priority(issue.get("labels"))
    if priority is None:
        priority = DEFAULT_PRIORITY if marks.priority is None else marks.priority
    text = f"Issue {identity}: {title}"
    return TaskItem(
        id=identity,
        title=title,
        text=f"{text}\n\n{body}" if body else text,
        position=position,
        depends=tuple(each for each in marks.depends if re.fullmatch(r"#\d{1,9}", each)),
        priority=priority,
        files=marks.files,
        hold=clean_title(marks.hold),
    )


def _read_text(value: object) -> str:
    return replace_surrogates(value) if isinstance(value, str) else ""


def _read_body(body: str) -> tuple[str, Marks]:
    """Return what a reader sees of a body, and its marks."""
    body = shorten_foreign_text(body)
    lines, _ = scan_lines(body)
    marks, shown, prose = Marks(), [], []
    for line in lines:
        if line.is_hidden and not line.visible.strip():
            continue
        shown.append(line.visible)
        if not line.is_code and not line.is_hidden:
            prose.append((line.number, line.visible))
    for _, text in join_details(prose):
        try:
            found = parse_detail(text, commands=False) or Marks()
        except MarkError:
            found = Marks()  # it may be anybody's, so that it must not stop the list
        for others in _DEPENDS.finditer(text):
            found = found.merge(Marks(depends=tuple(re.findall(r"#\d+", others[1]))))
        marks = marks.merge(found)
    return clean_text("\n".join(shown)).strip(), marks


def _read_label_priority(labels: object) -> int | None:
    found = []
    for label in labels if isinstance(labels, list) else ():
        name = _read_text(label.get("name")) if isinstance(label, dict) else ""
        word = re.sub(r"^(?:prio(?:rity)?)[ :/_-]+|[ :/_-]*priority$", "", name.strip(), flags=re.I)
        is_named = word != name.strip() or re.fullmatch(r"P\d", name.strip(), re.I)
        priority = parse_priority(word) if is_named else None
        if priority is not None:
            found.append(priority)
    return min(found) if found else None


def _resolve_others(items: Sequence[TaskItem], project: Path) -> tuple[TaskItem, ...]:
    """Return tasks that depend on issues of the list only: the others are looked up."""
    known = {item.id for item in items}
    others = dict.fromkeys(each for item in items for each in item.depends if each not in known)
    waits = {
        each: _explain_wait(each, project) if at < _MOST_LOOKED_UP else _UNREAD.format(each)
        for at, each in enumerate(others)
    }
    resolved = []
    for item in items:
        reasons = [waits[each] for each in item.depends if waits.get(each)]
        hold = item.hold or (reasons[0] if reasons else "")
        depends = tuple(each for each in item.depends if each in known)
        resolved.append(replace(item, depends=depends, hold=hold))
    return tuple(resolved)


_UNREAD: Final = "waits for {}, which cannot be read"


def _explain_wait(identity: str, project: Path) -> str:
    """Return why an issue that is not in the list holds a task; empty if it is closed."""
    try:
        found = _run_gh(["issue", "view", identity.removeprefix("#"), "--json", "state"], project)
    except InfrastructureError:
        return _UNREAD.format(identity)
    state = found.get("state") if isinstance(found, dict) else None
    if state in ("CLOSED", "MERGED"):
        return ""
    return f"waits for {identity}, which is open and not in this list"


def _run_gh(arguments: Sequence[str], project: Path) -> Any:  # noqa: ANN401 -- JSON
    what = f"`gh {' '.join(arguments[:2])}`"
    try:
        done = capture(
            ["gh", *arguments], cwd=project, env={**os.environ, **_VARIABLES}, timeout=_SECONDS
        )
    except FileNotFoundError:
        raise InfrastructureError(
            "the program gh is not there, which reads issues",
            "install GitHub's command line program, or write the tasks into a file",
        ) from None
    except OSError as error:
        raise InfrastructureError(f"gh cannot be started: {error.strerror}") from None
    if done.ended_by is not EndReason.ITSELF:
        raise InfrastructureError(
            f"{what} did not end in {_SECONDS:.0f} s", "check the network, then try again"
        )
    if done.returncode:
        lines = [
            line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()
        ]
        why = mask_line(lines[0], 200) if lines else f"exit code {done.returncode}"
        raise InfrastructureError(f"{what} failed: {why}", "try it by hand in the project's folder")
    if len(done.stdout) > _MOST_BYTES:
        raise InfrastructureError(f"{what} printed too much", "use a rarer label")
    try:
        return json.loads(done.stdout)
    except (ValueError, RecursionError):
        raise InfrastructureError(f"{what} printed no JSON", "update gh") from None
