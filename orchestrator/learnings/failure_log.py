"""Log the failures that runs and `report-failure` meet, without being asked."""

from datetime import date
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError
from orchestrator.events import Event, Listener, Notice, TeachingStarted
from orchestrator.learnings.entries import Kind
from orchestrator.learnings.entry_log import LogResult, log_entry
from orchestrator.learnings.workspace import find_workspace
from orchestrator.masking import mask_line
from teacher.models import Failure

_EVIDENCE_BOUND: Final = 500


def create_failure_logger(project: Path, listener: Listener) -> Listener:
    """Return a listener that logs each failure on its way to the teacher.

    If one cannot be logged, `listener` gets a notice, and the failure is taught all the same.
    """

    def log_taught_failure(event: Event) -> None:
        if isinstance(event, TeachingStarted):
            try:
                log_failure(project, event.failure)
            except LoopError as error:
                listener(Notice(f"the failure is not in .learnings: {error}"))

    return log_taught_failure


def log_failure(project: Path, failure: Failure, *, on: date | None = None) -> LogResult | None:
    """Log a failure as an ERR entry; return None where there is no workspace.

    We write files into a repository, or into `~/.claude`, only where the user asked for them with
    `learnings init`: to the project's workspace if it has one, else to the global one. A failure
    with a known fingerprint updates its entry. Secrets in the evidence are masked.

    Args:
        project: the project's directory.
        failure: what failed.
        on: the day; today if None.

    Raises:
        LoopError: the workspace cannot be read or written.
    """
    workspace = find_workspace(project)
    if workspace is None:
        return None
    evidence = mask_line(failure.logs or failure.context, _EVIDENCE_BOUND)
    summary = mask_line(failure.summary, 200) or "failure"
    where = f"{project.name}: " if workspace.everywhere else ""
    return log_entry(
        workspace,
        Kind.ERR,
        evidence or summary,
        context=f"{where}{failure.suite or failure.source}: {summary}",
        fingerprint=failure.fingerprint,
        on=on,
    )
