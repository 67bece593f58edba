"""Cancelling a list whose process is gone: its jobs end, and a list that has ended stays so."""

from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.models import RunOutcome
from orchestrator.services.task_views import cancel_list
from orchestrator.storage.opening import open_database
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.fleet.models import Job
from orchestrator.tasks.models import ListFormat, ListOptions, ListStatus, TaskOrder
from orchestrator.tasks.store import TaskStore


def test_jobs_that_wait_for_a_worker_are_cancelled_with_their_list(
    tmp_path: Path, each_database: str
) -> None:
    state, project = tmp_path / "state", tmp_path
    with open_database(state) as database:
        options = ListOptions(queue=True)
        TaskStore(database).create_list(
            "l1", project, "tasks.md", ListFormat.MARKDOWN, options, "{}", "b" * 40, ()
        )
        jobs = JobStore(database)
        order = TaskOrder("l1", "T1", "j1", "", "b" * 40, 5, 1.0)
        jobs.create_job(Job(order, project, "", "", "{}"))
    assert cancel_list("l1", project, state).status is ListStatus.STOPPED
    with open_database(state) as database:
        end = JobStore(database).load_job("j1").end
        assert end
        assert end.outcome is RunOutcome.INTERRUPTED
    with pytest.raises(UsageError, match="has ended already: stopped"):
        cancel_list("l1", project, state)


def test_a_list_that_is_complete_stays_so(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with open_database(state) as database:
        lists = TaskStore(database)
        lists.create_list(
            "l1", tmp_path, "tasks.md", ListFormat.MARKDOWN, ListOptions(), "{}", "b" * 40, ()
        )
        lists.end_list("l1", ListStatus.COMPLETE)
    with pytest.raises(UsageError, match="has ended already: complete"):
        cancel_list("l1", tmp_path, state)
    with open_database(state) as database:
        assert TaskStore(database).find_list("l1").status is ListStatus.COMPLETE
