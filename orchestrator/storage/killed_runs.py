"""Record that a run has ended whose process was killed, and end what it has left running.

Normally `platform.parent_watch_program` has ended those processes. This finds them if it was killed
too.
"""

from typing import Final

from orchestrator.counts import format_count
from orchestrator.models import RunOutcome
from orchestrator.platform.liveness import ProcessMark, is_running
from orchestrator.storage.database import Database

_RUNNING: Final = "SELECT id, token, host, process, process_started FROM runs WHERE outcome = ?"


def find_outcome(outcome: RunOutcome, mark: ProcessMark, *, local: bool) -> RunOutcome:
    """Return the outcome of a run: one that seems to be running is not if its process is gone.

    Args:
        outcome: the stored outcome.
        mark: the process that executes the run.
        local: whether it must be a process of this machine, see `is_running`.
    """
    if outcome is RunOutcome.RUNNING and not is_running(mark, local=local):
        return RunOutcome.INTERRUPTED
    return outcome


def close_killed_runs(database: Database) -> None:
    """End what killed runs of this machine have left running, and record the runs as interrupted.

    Every process that opens the database calls this if a run seems to be active.

    Raises:
        InfrastructureError: the database fails.
    """
    for run, token, *values in database.fetch_rows(_RUNNING, (RunOutcome.RUNNING,)):
        mark = ProcessMark(*values)
        if is_running(mark, local=database.is_local):
            continue
        database.write(
            "UPDATE runs SET outcome = ?, message = ? WHERE id = ? AND token = ? AND outcome = ?",
            (
                *(RunOutcome.INTERRUPTED, _describe_end(mark)),
                *(run, token, RunOutcome.RUNNING),
            ),
        )


def _describe_end(mark: ProcessMark) -> str:
    from orchestrator.platform.process_tree import end_marked_processes  # slow to import

    # By the mark of the process and not of the run: another process may just have resumed it.
    count = end_marked_processes(mark.text)
    text = "its process was killed, or the machine was switched off"
    if count:
        what = format_count(count, "process", "processes")
        text += f"; ended {what} that it had left running"
    return text
