"""Store the tasks that an agent has added to its copy of a list: a person decides about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from orchestrator.platform import files
from orchestrator.tasks.models import (
    ListRecord,
    TaskEnd,
    TaskItem,
    TaskList,
    TaskRecord,
    TaskState,
)
from orchestrator.tasks.reading import find_proposals, list_paths
from orchestrator.tasks.store import TaskStore
from orchestrator.workspace.lanes import LaneRepository

_MOST: Final = 50
"""Most proposals of one run."""


@dataclass(frozen=True)
class ProposalFinder:
    """Finds what runs added to the list they come from.

    Args:
        record: the list.
        tasks: the list as it was read last.
        store: lists and tasks.
        repository: has what each run left.
    """

    record: ListRecord
    tasks: TaskList
    store: TaskStore
    repository: LaneRepository

    def find_proposals(self, record: TaskRecord, end: TaskEnd) -> Sequence[str]:
        """Return the titles of what a run added to its copy of the list, and store them.

        Args:
            record: the task that was run.
            end: what came of the run.
        """
        paths = self._list_changed(record.base, end.learned)
        if not paths:
            return ()
        with TemporaryDirectory() as folder:
            for path in paths:
                content = self.repository.read_file(end.learned, path)
                target = Path(folder, path.removeprefix(self.repository.prefix))
                if content is not None:
                    files.write_file(target, content)
            found = find_proposals(self.tasks, self.record.project, Path(folder))
        return self._store_items(
            [replace(each, done=False, proposed=True) for each in found[:_MOST]], record
        )

    def _list_changed(self, base: str, learned: str) -> list[str]:
        own = [
            self.repository.prefix + path for path in list_paths(self.tasks, self.record.project)
        ]
        if not own or learned in ("", base):
            return []
        folders = {path.rpartition("/")[0] for path in own}
        changed = self.repository.list_changes(base, learned)
        return [path for path in changed if path in own or path.rpartition("/")[0] in folders]

    def _store_items(self, items: Sequence[TaskItem], by: TaskRecord) -> Sequence[str]:
        known = {each.item.id for each in self.store.load_tasks(self.record.id)}
        new = [each for each in items if each.id not in known]
        with self.store.database.transaction():  # or a kill in here leaves tasks that may run
            self.store.add_tasks(self.record.id, new)
            for each in new:
                reason = f"added by the agent that worked on {by.item.id}"
                self.store.change_task(
                    self.record.id, each.id, state=TaskState.PROPOSED, reason=reason
                )
        return [each.title for each in new]
