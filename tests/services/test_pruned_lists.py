"""What retention removes of lists and jobs: what is old, has ended, and was taken."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.journal import queues
from orchestrator.models import RunOutcome, Task
from orchestrator.services.pruning import _forget_tasks
from orchestrator.storage.retention import find_prunable
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import list_folder
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.fleet.models import Job
from orchestrator.tasks.models import (
    ListFormat,
    ListOptions,
    ListStatus,
    TaskEnd,
    TaskItem,
    TaskOrder,
    TaskState,
)
from orchestrator.tasks.store import TaskStore

SOON = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path, each_database: str) -> Iterator[Store]:
    del each_database
    with Store(tmp_path / "state") as store:
        lists = TaskStore(store.database)
        options, items = ListOptions(), (TaskItem("T1", "one", "", 0), TaskItem("T2", "two", "", 1))
        lists.create_list("l1", tmp_path, "a.md", ListFormat.MARKDOWN, options, "{}", "b", items)
        yield store


def end_job(store: Store, job: str, task: str) -> None:
    jobs = JobStore(store.database)
    jobs.create_job(Job(TaskOrder("l1", task, job, "", "b", 5, 1.0), Path("/p"), "", "", "{}"))
    queues.enqueue_job(store.directory, job, 5)
    found = jobs.claim_job(job, "w1")
    assert found
    jobs.save_end(job, found.token, TaskEnd(RunOutcome.SOLVED))


def test_old_jobs_go_with_their_workflows_once_the_list_has_their_results(store: Store) -> None:
    lists, jobs = TaskStore(store.database), JobStore(store.database)
    for job, task, state in (("j1", "T1", TaskState.DONE), ("j2", "T2", TaskState.RUNNING)):
        end_job(store, job, task)
        lists.change_task("l1", task, run=job, state=state)
    _forget_tasks(store, datetime.now(UTC) - timedelta(days=1))
    assert jobs.find_job("j1")
    _forget_tasks(store, SOON)
    assert (jobs.find_job("j1"), jobs.load_job("j2").id) == (None, "j2")
    assert [each.job for each in queues.list_waiting_jobs(store.directory)] == ["j2"]


def test_a_list_that_ended_and_was_cleaned_goes_with_all_its_rows(store: Store) -> None:
    lists = TaskStore(store.database)
    folder = list_folder(store.directory, "l1")
    _forget_tasks(store, SOON)
    assert lists.load_tasks("l1")  # it is at work
    lists.end_list("l1", ListStatus.COMPLETE)
    folder.mkdir(parents=True)
    _forget_tasks(store, SOON)
    assert lists.load_tasks("l1")  # it has left something
    folder.rmdir()
    _forget_tasks(store, SOON)
    for table in ("task_lists", "tasks", "task_runs"):
        assert store.database.fetch_rows(f"SELECT * FROM {table}") == []  # noqa: S608


@pytest.mark.parametrize("state", [TaskState.RUNNING, TaskState.MERGING])
def test_the_run_of_a_task_at_work_is_retained(store: Store, state: TaskState) -> None:
    record = store.create_run(Task("task", Path("/p")), "{}", "r1", Path("/lane"))
    store.database.write("UPDATE runs SET process = 0, outcome = 'solved' WHERE id = 'r1'")
    lists = TaskStore(store.database)
    lists.change_task("l1", "T1", run=record.id, state=state)
    assert find_prunable(store.database, SOON).runs == ()
    lists.change_task("l1", "T1", state=TaskState.DONE)
    assert find_prunable(store.database, SOON).runs == ("r1",)
