"""Check that tasks can be done in some order."""

import difflib
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final

from orchestrator.counts import format_count
from orchestrator.errors import UsageError
from orchestrator.tasks.models import TaskItem
from orchestrator.tasks.reading.item_text import fold_title, locate_item

_MOST_NAMED: Final = 12
"""Tasks of a cycle that are named."""


def check_items(items: Sequence[TaskItem], source: str = "") -> None:
    """Check that ids are unique, that all dependencies exist, and that none is a cycle.

    Args:
        items: the tasks of a list.
        source: the file of the list, for errors.

    Raises:
        UsageError: one of that is not so; it names the tasks and their lines.
    """
    known: dict[str, TaskItem] = {}
    for item in items:
        other = known.setdefault(item.id, item)
        if other is not item:
            raise _build_duplicate_error(other, item, source)
    for item in items:
        for each in item.depends:
            if each not in known:
                raise _build_unknown_error(item, each, known, source)
    cycle = find_cycle({item.id: item.depends for item in items})
    if cycle:
        where = locate_item(known[cycle[0]], source)
        raise UsageError(
            f"{where}: tasks wait for each other: {_join_cycle(cycle)}",
            "remove one of these dependencies",
        )


def find_cycle(depends: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the ids of a cycle, the first one again at its end; none if there is no cycle."""
    sorter = TopologicalSorter[str](dict.fromkeys(depends, ()))
    for each, others in depends.items():
        for other in others:
            sorter.add(other, each)  # the other way: a cycle is named along what it waits for
    try:
        sorter.prepare()
    except CycleError as error:
        return tuple(error.args[1])
    return ()


def _join_cycle(cycle: Sequence[str]) -> str:
    if len(cycle) <= _MOST_NAMED:
        return " -> ".join(cycle)
    left_out = format_count(len(cycle) - _MOST_NAMED, "more task")
    return " -> ".join((*cycle[: _MOST_NAMED - 1], f"({left_out})", cycle[-1]))


def _build_duplicate_error(one: TaskItem, other: TaskItem, source: str) -> UsageError:
    first, second = locate_item(one, source), locate_item(other, source)
    also = f"in line {one.line}" if one.line and not one.path else f"in {first}"
    if fold_title(one.title) != fold_title(other.title):
        return UsageError(f"{second}: {one.id} is the id of another task, too, {also}", "change it")
    return UsageError(
        f"{second}: the same task is {also}: {one.title}", "remove one, or write how they differ"
    )


def _build_unknown_error(
    item: TaskItem, wanted: str, known: Mapping[str, TaskItem], source: str
) -> UsageError:
    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(wanted.lower(), by_lower, n=1)
    hint = f"did you mean {by_lower[close[0]]}?" if close else "name the id of a task of this list"
    where = locate_item(item, source)
    return UsageError(f'{where}: task {item.id} depends on "{wanted}", which is not there', hint)
