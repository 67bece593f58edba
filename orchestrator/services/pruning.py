"""Remove old runs, on request and at the end of a run."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from orchestrator.config import load_config
from orchestrator.config.masked_config import read_section
from orchestrator.counts import format_count
from orchestrator.errors import LoopError, UsageError
from orchestrator.events import Listener, Notice
from orchestrator.platform import files
from orchestrator.platform.project import resolve_project
from orchestrator.rulebook.records import Status
from orchestrator.storage.retention import PruneResult, find_prunable, prune_database
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import list_folder
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.store import TaskStore

_WITHDRAWN_STATUSES: Final = (Status.ARCHIVED, Status.HARMFUL, Status.REJECTED)


def prune_runs(
    project: Path, config_file: Path | None, days: float | None, *, dry_run: bool
) -> PruneResult:
    """Remove the files and details of runs that ended long ago.

    Args:
        project: the directory whose configuration has the retention period.
        config_file: the configuration file; the project's own if None.
        days: a retention period to use instead; the configuration's if None.
        dry_run: whether only to report what would be removed.

    Raises:
        LoopError: there is no retention period, or something cannot be removed.
    """
    if days is None:
        days = load_config(resolve_project(project), config_file).config.state.keep_days
    if days is None:
        raise UsageError("state.keep_days keeps everything", "give --older-than DAYS")
    with Store() as store:
        if dry_run:
            return find_prunable(store.database, _compute_cutoff(days), _WITHDRAWN_STATUSES)
        pruned = prune_database(store.database, _compute_cutoff(days), _WITHDRAWN_STATUSES)
        _forget_tasks(store, _compute_cutoff(days))
        _forget_steps(store)
        return pruned


def prune_after_run(store: Store, run: str, listener: Listener) -> None:
    """Remove old runs after a run has ended; report an error as a notice, and do not raise it.

    The finished steps of earlier runs that can no longer be resumed are removed too.

    Args:
        store: all runs.
        run: the run that has ended, whose configuration has the retention period.
        listener: receives notices.
    """
    days = read_section(store.read_config(run), "state").get("keep_days")
    try:
        cutoff = days and _compute_trusted_cutoff(store, run, days)
        pruned = (
            prune_database(store.database, cutoff, _WITHDRAWN_STATUSES) if cutoff else PruneResult()
        )
        if cutoff:
            _forget_tasks(store, cutoff)
        _forget_steps(store, run)
    except LoopError as error:
        listener(Notice(f"old runs could not be removed: {error}"))
        return
    if pruned.runs:
        listener(
            Notice(
                f"removed the files of {format_count(len(pruned.runs), 'run')} that ended more "
                f"than {days:g} days ago; state.keep_days keeps them longer"
            )
        )


def _forget_tasks(store: Store, before: datetime) -> None:
    """Delete the rows of jobs that ended long ago, and of lists that were also cleaned."""
    jobs = JobStore(store.database)
    if old := jobs.list_old(before):
        from orchestrator.journal.queues import forget_jobs

        forget_jobs(store.directory, old)  # first: after a kill in between, the rows are left
        for job in old:
            jobs.forget_job(job)
    lists = TaskStore(store.database)
    for each in lists.list_old(before):
        if not files.exists(list_folder(store.directory, each)):
            lists.forget_list(each)


def _forget_steps(store: Store, spared: str = "") -> None:
    """Remove the finished steps of all runs that cannot be resumed, except those of one run."""
    from orchestrator.journal.durable import forget_runs

    # Read only after `forget_runs` has listed the workflows, so that no run that has just paused
    # is taken for one that cannot be resumed; and once, not for each workflow.
    resumable, pruned = cache(store.list_resumable), cache(store.list_pruned)
    forget_runs(
        store.directory,
        lambda run: run != spared and run not in resumable(),
        lambda run: run != spared and run in pruned(),
    )


def _compute_trusted_cutoff(store: Store, run: str, days: float) -> datetime | None:
    """Return the time before which runs are old; None if there is no other run.

    The present is never later than the start of the latest other run. A clock that is a year ahead
    during one run would otherwise remove everything; so old runs are removed one run later.
    """
    latest = store.find_latest_start(run)
    return latest and min(_compute_cutoff(days), latest - timedelta(days=days))


def _compute_cutoff(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
