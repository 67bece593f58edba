"""Find what an agent added to its own copy of the list: such tasks are proposals."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError
from orchestrator.tasks.models import TaskItem, TaskList
from orchestrator.tasks.reading.item_text import fold_title, mask_items, shorten_foreign_text
from orchestrator.tasks.reading.listing import locate_list, name_path, read_items

MOST_PROPOSALS: Final = 100
"""Most tasks that one copy of a list proposes; the others are left out."""


def find_proposals(tasks: TaskList, project: Path, lane: Path) -> tuple[TaskItem, ...]:
    """Return the tasks that are only in a lane's copy of a list, done or not.

    The copy may be anything: one that cannot be read proposes nothing. Commands in it do not count.

    Args:
        tasks: the list as it was read in the project.
        project: the user's project.
        lane: the project's folder in the lane.
    """
    path = locate_list(tasks, project)
    if path is None or not path.is_relative_to(project):
        return ()
    name = name_path(path, project)
    known = list(tasks.items)
    with contextlib.suppress(LoopError):  # what a person has added while the list runs
        known += mask_items(read_items(tasks.format, path, project, name), name)
    try:
        copy = read_items(tasks.format, lane / name, lane, name, commands=False)
    except LoopError:
        return ()
    ids, titles = {each.id for each in known}, {fold_title(each.title) for each in known}
    proposed = list[TaskItem]()
    for item in mask_items(copy, name):
        if item.id not in ids and fold_title(item.title) not in titles:
            proposed.append(replace(item, text=shorten_foreign_text(item.text)))
            ids.add(item.id)
            titles.add(fold_title(item.title))
    return tuple(proposed[:MOST_PROPOSALS])
