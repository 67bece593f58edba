"""Read tasks from Markdown checkboxes: fix_plan.md, TODO.md, tasks.md of spec-kit.

What is a task:
- A box is a line of `-`, `*` or `+`, then `[ ]`, `[x]` or `[X]`, then a text. Nothing else is one:
  not `[2026-01-29]`, `[x](link)`, `- [ ]` without a text, `1. [ ] text` or `- [] text`. If a list
  has no box, the error names the first line that looks similar to one.
- Boxes in code fences, HTML comments and front matter are none. A fence or comment that is not
  closed and hides boxes is an error. Indentation makes no code: `    - [ ] text` is a box.
- A box with boxes below it (indented by two columns or more) is a heading of them, and not a task.
  Its `depends`, `hold` and priority count for all below it. A dependency on it is one on all below
  it. Whether it is ticked itself says nothing about those below it. It is ticked with the last of
  them.
- What is below a box and is no box belongs to it: lines that are indented deeper, or that continue
  its paragraph. They are its details, and the agent gets them.

Its id is what it begins with: `T012`, `US-001` (or FR, NFR, TASK, BUG, FIX, FEAT, ISSUE, STORY),
`#12`; any capitals with a number in front of a colon, in bold, backticks or brackets (`AB-12: `,
`[AB-12]`, `[cnzb-3f]`). Without one, it is a hash of its title and of those of the boxes that it is
below: it stays the same when lines move, when marks change, and under another heading. Where titles
repeat, the headings that they are under count, too, and then their order. Two tasks with the same
written id are an error. A dependency may be written in other case; where it names no id, it is the
only task whose title begins with it: `Task 1: ...`, `1.1 ...`, `**A1.** ...`.

Marks are those of `attributes`: in brackets in the line, at its end, or in a line of their own
below it. They are not part of the title; the agent gets the text as it was written.

Headings: `High Priority`, `Priority 2: ...`, `(Priority: P1)`, `P1`, `Optional`, `Future` and `Nice
to have` give a priority to the tasks under them that have none (critical 1, high 2, medium 5, low
8, optional and future 9). No heading says whether a task is done, and phases do not block, except
in the form of spec-kit, see `spec_kit`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.tasks.models import DEFAULT_PRIORITY, TaskItem
from orchestrator.tasks.reading import spec_kit
from orchestrator.tasks.reading.attributes import Marks, join_details, parse_detail, parse_title
from orchestrator.tasks.reading.boxes import Box, BoxFile, BoxTask, find_boxes
from orchestrator.tasks.reading.item_text import (
    LONGEST_TITLE,
    clean_text,
    clean_title,
    hash_titles,
    require_bounded_text,
)
from orchestrator.tasks.reading.mark_values import MarkError, parse_priority

_PRIORITY_IN_HEADING: Final = re.compile(
    r"(?:.*\bpriority\s*:?\s*(?:P?(?P<number>\d{1,2})\b)|.*\b(?P<short>P\d)\b"
    r"|\W*(?P<word>critical|urgent|highest|high|medium|normal|low|lowest)(?:\W+priority)?\b"
    r"(?:\W+tasks?|\W+items?)?\W*$|.*\b(?P<before>critical|high|medium|normal|low)\W+priority\b"
    r"|\W*(?P<optional>optional|future|nice[- ]to[- ]have)(?:\W+(?:enhancements?|tasks?|items?|"
    r"work|ideas?))?\W*$)",
    re.I,
)

_NAME: Final = re.compile(
    r"[\s*_`(\[]*(?:task[ \t]+(?=\S*\d))?(#?\w[\w./-]*)(?:[ \t]+(\d[\w.]*))?", re.I
)
"""What a title begins with that may be the name of its task: `1.1`, `Task 1`, `Step 2`."""
_LONGEST_ABOVE: Final = 4000
"""Characters that the agent gets of a box above its task."""


def read_markdown(text: str, name: str, *, commands: bool = True) -> tuple[TaskItem, ...]:
    """Return the tasks of a text.

    Args:
        text: Markdown.
        name: the file, for errors.
        commands: whether its author may name commands, and work without a change.

    Raises:
        UsageError: it has no task, or a mark of a task cannot be meant.
    """
    return tuple(each.item for each in read_box_tasks(text, name, commands=commands))


def read_box_tasks(text: str, name: str, *, commands: bool = True) -> tuple[BoxTask, ...]:
    """Return the tasks of a text with their boxes; the arguments and errors of `read_markdown`."""
    file = find_boxes(text, name)
    if not file.boxes:
        raise _build_empty_error(file, name)
    reader = _Reader(file, name, commands=commands)
    tasks = tuple(reader.read())
    return spec_kit.add_phases(tasks, name) if reader.is_spec_kit else tasks


class _Reader:
    def __init__(self, file: BoxFile, name: str, *, commands: bool) -> None:
        self._boxes, self._name, self._commands = file.boxes, name, commands
        self.is_spec_kit = spec_kit.is_spec_kit(file)
        self._parsed = [self._parse_box(box) for box in file.boxes]
        self._ids = self._find_ids()
        self._known = self._list_tasks_below()
        self._by_name = self._list_names()

    def read(self) -> Iterator[BoxTask]:
        position = 0
        for at, box in enumerate(self._boxes):
            if not box.has_boxes:
                item = self._build_item(at, position)
                yield BoxTask(item, box, tuple(self._boxes[each] for each in self._iter_above(at)))
                position += 1

    def _parse_box(self, box: Box) -> tuple[str, Marks]:
        title, marks = box.body, Marks()
        for at, line in ((box.line, ""), *join_details(box.prose)):
            try:
                if at == box.line:
                    title, marks = parse_title(box.body, commands=self._commands)
                else:
                    marks = marks.merge(parse_detail(line, commands=self._commands) or Marks())
            except MarkError as error:
                if box.done and not box.has_boxes:
                    continue  # what a task says that is not run must not stop the list
                raise UsageError(f"{self._name}:{at}: {error.message}", error.hint) from None
        if self.is_spec_kit and marks.files is None and box.id:
            marks = replace(marks, files=spec_kit.find_paths(title))
        return title or box.id or box.written, marks

    def _iter_above(self, at: int) -> Iterator[int]:
        parent = self._boxes[at].parent
        while parent is not None:
            yield parent
            parent = self._boxes[parent].parent

    def _find_ids(self) -> list[str]:
        """Return the id of each box; of those without one that repeat, none is that of the title.

        So one that is added in front of another never gets its id, and with that its tick.
        """
        names = [
            [self._parsed[each][0] for each in (at, *self._iter_above(at))]
            for at in range(len(self._boxes))
        ]
        ids = [box.id or hash_titles(*name) for box, name in zip(self._boxes, names, strict=True)]
        for is_last in (False, True):
            places: dict[str, list[int]] = {}
            for at, box in enumerate(self._boxes):
                if not box.id and not box.has_boxes:
                    places.setdefault(ids[at], []).append(at)
            for same in (each for each in places.values() if len(each) > 1):
                for number, at in enumerate(same, 1):
                    headings = [f"# {title}" for _, title in self._boxes[at].headings]
                    more = [*headings, f"# {number}"] if is_last else headings
                    ids[at] = hash_titles(*names[at], *more)
        return ids

    def _list_tasks_below(self) -> Mapping[str, tuple[str, ...]]:
        """Return the ids of tasks that a written id stands for, by its form in lower case."""
        below: dict[int, list[str]] = {}
        for at, box in enumerate(self._boxes):
            if not box.has_boxes:
                for above in self._iter_above(at):
                    below.setdefault(above, []).append(self._ids[at])
        return {
            identity.lower(): tuple(below[at]) if self._boxes[at].has_boxes else (identity,)
            for at, identity in enumerate(self._ids)
        }

    def _list_names(self) -> Mapping[str, list[int]]:
        """Return the boxes whose titles begin with a name, by the name in lower case."""
        places: dict[str, list[int]] = {}
        for at, box in enumerate(self._boxes):
            found = _NAME.match(box.body)
            if not found:
                continue
            names = [found[1], *([f"{found[1]} {found[2]}"] if found[2] else [])]
            for name in names:
                places.setdefault(name.rstrip("./-").lower(), []).append(at)
        return places

    def _resolve(self, name: str, where: str) -> tuple[str, ...]:
        """Return the ids of the tasks that a dependency stands for."""
        places = self._by_name.get(name.lower(), ())
        if name.lower() in self._known or not places:
            return self._known.get(name.lower(), (name,))
        if len(places) > 1:
            lines = " and ".join(str(self._boxes[each].line) for each in places[:2])
            raise UsageError(
                f'{where}: it depends on "{name}", and more than one task begins with that: see'
                f" lines {lines}",
                "write an id such as `T001` in front of each, and name that",
            )
        return self._known[self._ids[places[0]].lower()]

    def _build_item(self, at: int, position: int) -> TaskItem:
        box, identity, (title, marks) = self._boxes[at], self._ids[at], self._parsed[at]
        above = list(self._iter_above(at))
        depends, after = list(marks.depends), list(marks.after)
        hold, priority = marks.hold, marks.priority
        for _, other in (self._parsed[each] for each in above):
            depends += other.depends
            after += other.after
            hold = hold or other.hold
            priority = other.priority if priority is None else priority
        if priority is None:
            priority = find_priority(box.headings)
        where = f"{self._name}:{box.line}"
        resolved = [each for one in depends for each in self._resolve(one, where)]
        for tasks in (self._known.get(one.lower(), ()) for one in after):
            resolved += tasks if identity not in tasks else ()
        return TaskItem(
            id=identity,
            title=clean_title(title),
            text=require_bounded_text(self._build_text(box, above), where),
            position=position,
            done=box.done,
            depends=tuple(dict.fromkeys(resolved)),
            priority=priority,
            parallel=marks.parallel,
            files=marks.files,
            check=marks.check,
            hold=clean_title(hold),
            no_change=marks.no_change,
            line=box.line,
        )

    def _build_text(self, box: Box, above: Sequence[int]) -> str:
        parts = ["\n".join([box.written, *([""] if box.details else []), *box.details])]
        for each in above:
            parent = self._boxes[each]
            about = "\n".join([f"It is a part of: {parent.written}", *parent.details])
            parts.append(about[:_LONGEST_ABOVE])
        if box.headings:
            titles = " > ".join(clean_title(title) for _, title in box.headings if title)
            parts.append(f"In the list it is under: {titles}")
        return clean_text("\n\n".join(parts))


def find_priority(headings: Sequence[tuple[int, str]]) -> int:
    """Return the priority that the nearest heading gives."""
    for _, title in reversed(headings):
        found = _PRIORITY_IN_HEADING.match(title[:LONGEST_TITLE])
        if found:
            word = next(value for value in found.groupdict().values() if value)
            priority = parse_priority(re.sub(r"[- ]+", " ", word))
            if priority is not None:
                return priority
    return DEFAULT_PRIORITY


def _build_empty_error(file: BoxFile, name: str) -> UsageError:
    hint = "write each task as a line `- [ ] what to do`"
    if file.almost:
        return UsageError(f"{name}:{file.almost}: is no task, and the list has none", hint)
    return UsageError(f"{name} has no task", hint)
