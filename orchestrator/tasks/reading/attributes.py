"""Find the marks of a task: what a person wrote about it beside what is to be done.

In the line of a task a mark is in brackets, or ends the line; below it, a mark is a line or bullet
of its own. What is in a code span is never a mark, but it can be the value of one.

    (depends on T001, T002)  depends: T001      tasks to be done before; `T004-T006`, `T004 to T006`
    (after T001)  (needs T001)  requires: T001  the same, if the list has a task with this id
    [P1] (P1) P1  priority: 2  priority: high   0 or 1 is the most urgent, 9 the least
    [P]                                         different files from others
    [US1]                                       a label of spec-kit; it says nothing to us
    files: src/a.py, tests/**                   the files that it will change
    tests: pytest -q tests/a.py  done: CMD      a command that fails before and passes after
    hold: waits for the design                  it is not run
    no-change                                   it may be done without a change of a file

A command is started without a shell. Its first word is a path or a program that is well known, or
the whole command is one code span: else `tests: unit and integration` would be one. At its end
`tests:` and `done:` follow another mark, or one of `. ; | —`: `Run the tests: ...` is a title.
Below it, with a capital or in bold, a code span has to begin with a program, too: `**Done:** ...`.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from orchestrator.tasks.reading.lines import measure_indent
from orchestrator.tasks.reading.mark_values import (
    MarkError,
    parse_check,
    parse_files,
    parse_ids,
    parse_priority,
)

DEFAULT_HOLD: Final = "the list says so"


@dataclass(frozen=True)
class Marks:
    """What is known about a task beside its text."""

    depends: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    """What it depends on if these are ids of the list; else they are a part of a sentence."""
    priority: int | None = None
    parallel: bool = False
    files: tuple[str, ...] | None = None
    check: str = ""
    hold: str = ""
    no_change: bool = False

    def merge(self, other: "Marks") -> "Marks":
        """Return both; where they differ, these count more."""
        both = [each for each in (self.files, other.files) if each is not None]
        return Marks(
            tuple(dict.fromkeys((*self.depends, *other.depends))),
            tuple(dict.fromkeys((*self.after, *other.after))),
            other.priority if self.priority is None else self.priority,
            self.parallel or other.parallel,
            tuple(dict.fromkeys(path for each in both for path in each)) if both else None,
            self.check or other.check,
            self.hold or other.hold,
            self.no_change or other.no_change,
        )


_CODE: Final = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_GROUP: Final = re.compile(r"\(([^()\n]*)\)|\[([^\[\]\n]*)\](?!\()")
_KEYS: Final = (
    r"depends[- ]on|depends|dependencies|blocked by|priority|files|tests?|done(?: when)?|hold"
)
_KEYED: Final = re.compile(rf"({_KEYS})(?:[ \t]*:[ \t]*(.*)|[ \t]+(.+))?", re.I | re.S)
_SUFFIX: Final = re.compile(
    r"(?:^|(?<=[\s|;,—\u2013]))(?:(depends on)(?=[ \t])|"
    r"(depends[- ]on|depends|priority|files|tests|done|hold):(?=[ \t]))"
)
_DETAIL: Final = re.compile(
    rf"(?:[-*+][ \t]+)?(?:\*\*|__)?(?:({_KEYS})(?:\*\*|__)?[ \t]*:(?:\*\*|__)?[ \t]*(.*)"
    r"|(depends on)(?:\*\*|__)?[ \t]+(.+)|(no[- ]change))",
    re.I,
)
_AFTER: Final = re.compile(
    r"[(\[;][ \t]*(?:after|requires|needs)(?:[ \t]*:|(?=[ \t]))[ \t]*([^()\[\];]+)", re.I
)
_AFTER_DETAIL: Final = re.compile(
    r"(?:[-*+][ \t]+)?(?:\*\*|__)?(?:after|requires|needs)(?:\*\*|__)?[ \t]*:(?:\*\*|__)?(.*)", re.I
)
_BULLET: Final = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]")
_NO_CHANGE: Final = re.compile(r"no[- ]change", re.I)
_STORY: Final = re.compile(r"US[-_]?\d{1,4}", re.I)
_SHORT_PRIORITY: Final = re.compile(r"P[0-9]")
_FIRST_PRIORITY: Final = re.compile(r"(P[0-9])(?:[ \t]*[:—\u2013-][ \t]+|[ \t]+)(?=\S)")
_LAST_FLAG: Final = re.compile(r"(?:^|(?<=[ \t|;,—\u2013]))(P[0-9]|no-change)[ \t]*\.?$")
_CHECKS: Final = ("tests", "done")
_CUT_OUT: Final = "\ue001"
"""Stands in a title where a mark in brackets was."""
_BREAK: Final = re.compile(r"(?:[.;|—\u2013\ue001]|[ \t]-)[ \t\ue001]*$")
_LONGEST_LINE: Final = 4000
"""Characters up to which a line may have marks: the time of a pattern grows with the square."""
_ENDS: Final = " \t|;,—\u2013"


def parse_title(text: str, *, commands: bool = True) -> tuple[str, Marks]:
    """Return the title of a task without its marks, and the marks.

    Args:
        text: the text after the box and the id.
        commands: whether the author may name commands, and work without a change.

    Raises:
        MarkError: a mark has an impossible value, or the line is too long.
    """
    if len(text) > _LONGEST_LINE:
        raise MarkError(
            f"the line of the task is longer than {_LONGEST_LINE:,} characters",
            "put details into indented lines below it",
        )
    marks, pieces, end = Marks(after=_find_after(text)), list[str](), 0
    for group in _GROUP.finditer(_blank_code(text)):
        inner = text[group.start() + 1 : group.end() - 1]
        found = _parse_group(inner, square=group[2] is not None, commands=commands)
        if found is not None:
            marks = marks.merge(found)
            pieces += [text[end : group.start()], _CUT_OUT]
            end = group.end()
    rest = "".join(pieces) + text[end:]
    rest, found = _cut_suffix(rest, commands=commands)
    rest, marks = rest.replace(_CUT_OUT, ""), marks.merge(found)
    while flag := _LAST_FLAG.search(rest):
        if flag[1] != "no-change":
            marks = marks.merge(Marks(priority=parse_priority(flag[1])))
        elif commands:
            marks = marks.merge(Marks(no_change=True))
        rest = rest[: flag.start()].rstrip(_ENDS)
    if first := _FIRST_PRIORITY.match(rest.lstrip()):
        marks = marks.merge(Marks(priority=parse_priority(first[1])))
        rest = rest.lstrip()[first.end() :]
    return " ".join(rest.split()).rstrip(_ENDS), marks


def parse_detail(line: str, *, commands: bool = True) -> Marks | None:
    """Return the marks of a line below a task; None if it is no mark.

    Raises:
        MarkError: a mark has an impossible value.
    """
    if len(line) > _LONGEST_LINE:
        return None
    found = _DETAIL.fullmatch(line.strip())
    if not found:
        other = _AFTER_DETAIL.fullmatch(line.strip())
        after = _parse_after(other[1]) if other else _find_after(line)
        return Marks(after=after) if after else None
    if found[5]:
        return Marks(no_change=commands)
    if found[3]:
        return _parse_value(found[3], found[4], sure=False, commands=commands)
    return _parse_value(found[1], found[2], sure=found[1].islower(), commands=commands)


def join_details(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers; a mark that ends with a comma with those it goes on in.

    These are the next ones, indented at least as deep, and neither bullets nor marks.
    """
    left = deque(lines)
    while left:
        number, text = left.popleft()
        last, indent = number, measure_indent(text)
        is_mark = len(text) <= _LONGEST_LINE and _DETAIL.fullmatch(text.strip())
        while is_mark and left and text.rstrip().endswith(",") and len(text) <= _LONGEST_LINE:
            following, more = left[0][0], left[0][1].strip()
            is_new = len(more) > _LONGEST_LINE or _BULLET.match(more) or _DETAIL.fullmatch(more)
            if is_new or following != last + 1 or measure_indent(left[0][1]) < indent:
                break
            text, last = f"{text.rstrip()} {more}", left.popleft()[0]
        yield number, text


def _find_after(text: str) -> tuple[str, ...]:
    """Return the ids in brackets that begin with a word such as "after"."""
    found = _AFTER.finditer(_blank_code(text))
    return tuple(each for one in found for each in _parse_after(text[one.start(1) : one.end(1)]))


def _parse_after(value: str) -> tuple[str, ...]:
    return parse_ids(value, sure=False) or ()


def _parse_group(inner: str, *, square: bool, commands: bool) -> Marks | None:
    """Return the marks in a pair of brackets; None if something else is in there."""
    if square and inner == "P":
        return Marks(parallel=True)
    marks = Marks()
    for part in map(str.strip, inner.split(";")):
        found = _parse_part(part, commands=commands)
        if found is None:
            return None
        marks = marks.merge(found)
    return marks


def _parse_part(part: str, *, commands: bool) -> Marks | None:
    if _STORY.fullmatch(part):
        return Marks()
    if _SHORT_PRIORITY.fullmatch(part):
        return Marks(priority=parse_priority(part))
    if _NO_CHANGE.fullmatch(part):
        return Marks(no_change=commands)
    keyed = _KEYED.fullmatch(part)
    if not keyed:
        return None
    if keyed[2] is None and not keyed[1].lower().startswith(("depends", "blocked", "priority")):
        return Marks(hold=DEFAULT_HOLD) if part.lower() == "hold" else None
    sure = keyed[2] is not None and keyed[1].islower()
    return _parse_value(keyed[1], keyed[2] or keyed[3] or "", sure=sure, commands=commands)


def _cut_suffix(text: str, *, commands: bool) -> tuple[str, Marks]:
    """Return a text without the marks that end it, and the marks.

    Read from the end: what is no mark there is part of the value before it, or of the title.
    """
    marks, end = Marks(), len(text)
    cut = end
    waiting = Marks()
    for found in reversed(list(_SUFFIX.finditer(_blank_code(text)))):
        key = found[1] or found[2]
        value = text[found.end() : end].replace(_CUT_OUT, " ").strip().rstrip(_ENDS)
        mark = _parse_value(key, value, sure=not found[1], commands=commands)
        if mark is None:
            continue
        mark, end = mark.merge(waiting).merge(marks), found.start()
        if key in _CHECKS and not _BREAK.search(text[:end]):
            waiting = mark  # after a word it is one only if a mark before it ends there
        else:
            marks, waiting, cut = mark, Marks(), end
    return text[:cut].rstrip(_ENDS) if cut < len(text) else text, marks


def _parse_value(key: str, value: str, *, sure: bool, commands: bool) -> Marks | None:
    """Return the mark of a key and its value; None if they are a part of a sentence.

    Args:
        key: the key as written.
        value: what follows.
        sure: whether the key was written as only a mark is.
        commands: whether the author may name commands.
    """
    key = key.lower().replace("-", " ")
    if key in ("depends", "depends on", "dependencies", "blocked by"):
        ids = parse_ids(value, sure=sure)
        return None if ids is None else Marks(depends=ids)
    if key == "priority":
        priority = parse_priority(value)
        return None if priority is None else Marks(priority=priority)
    if key == "files":
        files = parse_files(value)
        return None if files is None else Marks(files=files)
    if key == "hold":
        return Marks(hold=value.strip() or DEFAULT_HOLD)
    check = parse_check(value, sure=sure) if commands else None
    return None if check is None else Marks(check=check)


def _blank_code(text: str) -> str:
    """Return a text of the same length in which code spans have no words or brackets."""
    return _CODE.sub(lambda code: code[1] + "\ue000" * len(code[2]) + code[1], text)
