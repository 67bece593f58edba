"""Runs on record for the tests of `undo`, made without an agent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.models import RunOutcome, RunRecord, RunResult, Task
from orchestrator.services.undo import UndoResult, open_undo
from orchestrator.storage.runs import Store
from orchestrator.workspace import open_workspace
from orchestrator.workspace.run_trees import RunTrees


@dataclass(frozen=True)
class Past:
    """A run that is on record, and the place where it worked."""

    project: Path
    state: Path
    run: str

    def undo(self, attempt: int | None = None) -> UndoResult:
        """Undo it as the command does."""
        with (
            Store(self.state) as store,
            open_undo(self.run, attempt, self.project, store, lambda _event: None) as undo,
        ):
            plan = undo.plan()
            if not plan.has_work:
                return UndoResult()
            done = undo.carry_out(plan)
            assert done.left == []
            return done


@contextmanager
def record_span(store: Store, record: RunRecord) -> Iterator[None]:
    """Record the files before and after the block, as a process that executes the run does."""
    trees = RunTrees(record.folder, open_workspace(record.task.project, record.folder))
    trees.record_start()
    yield
    trees.record_end()


def make_past(folder: Path, work: Callable[[Path], None]) -> Past:
    """Record a run that did some work in `folder / "project"`."""
    project, state = folder / "project", folder / "state"
    with Store(state) as store:
        record = store.create_run(Task("a task", project), "{}")
        token = store.claim_run(record.id)
        with record_span(store, record):
            work(project)
        store.save_result(record.id, RunResult(RunOutcome.SOLVED), token)
    return Past(project, state, record.id)
