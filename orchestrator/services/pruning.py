"""Removes what has been kept long enough, by hand and at the end of a run."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from orchestrator.config import load_config
from orchestrator.errors import LoopError, UsageError
from orchestrator.events import Listener, Notice
from orchestrator.platform.project import resolve_project
from orchestrator.rulebook.records import Status
from orchestrator.storage.retention import PruneResult, find_prunable, prune_database
from orchestrator.storage.runs import Store

_WITHDRAWN_STATUSES: Final = (Status.ARCHIVED, Status.HARMFUL, Status.REJECTED)


def prune_runs(
    project: Path, config_file: Path | None, days: float | None, *, dry_run: bool
) -> PruneResult:
    """Remove the files and details of runs that ended long ago.

    Args:
        project: the directory whose configuration says how long they are kept.
        config_file: the configuration file; the project's own if None.
        days: how many days they are kept instead.
        dry_run: whether nothing is removed.

    Raises:
        LoopError: nobody says how long they are kept, or something cannot be removed.
    """
    if days is None:
        days = load_config(resolve_project(project), config_file).config.state.keep_days
    if days is None:
        raise UsageError("state.keep_days keeps everything", "give --older-than DAYS")
    with Store() as store:
        if dry_run:
            return find_prunable(store.database, _compute_cutoff(days), _WITHDRAWN_STATUSES)
        pruned = prune_database(store.database, _compute_cutoff(days), _WITHDRAWN_STATUSES)
        _forget_steps(store)
        return pruned


def prune_after_run(store: Store, run: str, listener: Listener) -> None:
    """Remove what is old when a run has ended; trouble with it is told and ends nothing.

    The finished steps of earlier runs go too, as soon as nobody can go on with these.

    Args:
        store: has all runs.
        run: the run that has ended, whose configuration says how long others are kept.
        listener: told what was removed.
    """
    days = json.loads(store.read_config(run)).get("state", {}).get("keep_days")
    try:
        pruned = (
            prune_database(store.database, _compute_cutoff(days), _WITHDRAWN_STATUSES)
            if days
            else PruneResult()
        )
        _forget_steps(store, run)
    except LoopError as error:
        listener(Notice(f"old runs could not be removed: {error}"))
        return
    if count := len(pruned.runs):
        whose = "a run" if count == 1 else f"{count} runs"
        listener(
            Notice(
                f"removed the files of {whose} that ended more than {days:g} days ago; "
                "state.keep_days keeps them longer"
            )
        )


def _forget_steps(store: Store, but: str = "") -> None:
    """Remove the finished steps of all runs that nobody can go on with, except of one."""
    from orchestrator.journal.durable import forget_runs

    # Asked once the workflows are listed: a run that pauses just now is not forgotten.
    active, pruned = cache(store.list_resumable), cache(store.list_pruned)
    forget_runs(
        store.directory,
        lambda run: run != but and run not in active(),
        lambda run: run != but and run in pruned(),
    )


def _compute_cutoff(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
