"""Review past sessions: archive, read, find, propose, report, in the order of a night.

Everything before the teacher needs no model. Each step can be repeated: if the process is killed
on the way, what is done stays, and the next review does the rest. The review itself is recorded
last, so that one that was cut short is due again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from orchestrator.config import LoadedConfig
from orchestrator.events import Listener
from orchestrator.platform import files
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.platform.project import resolve_project
from orchestrator.services.review_night import ReviewNight
from orchestrator.services.trust import load_known_config
from orchestrator.sessions.views.report import (
    ReviewReport,
    iter_report_lines,
)
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import (
    build_state_error,
    reviews_folder,
)

DUE_AFTER: Final = timedelta(hours=20)
"""Time after which a review is due again: a timer of every night may fire a little early."""
USUAL_PERIOD: Final = timedelta(hours=24)
_ALL: Final = "all"


@dataclass(frozen=True)
class ReviewRequest:
    """What to review.

    Args:
        project: the folder of the project; None for all projects.
        since: the start of the period. If None, that is the end of the last review, and at least a
            day ago; for the first one, all the days in which findings are counted.
        only_due: whether to do nothing if the last review was less than `DUE_AFTER` ago.
        dry_run: whether to propose nothing, ask nobody and copy nothing.
    """

    project: Path | None
    since: datetime | None = None
    only_due: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class ReviewOutcome:
    """What came of a request."""

    report: ReviewReport | None
    """None if no review was made."""
    message: str = ""
    """Why none was made."""
    path: Path | None = None
    """The file that has the report."""


def review_sessions(request: ReviewRequest, listener: Listener) -> ReviewOutcome:
    """Review past sessions, unless another review works or none is due.

    Raises:
        LoopError: the state directory, the archive or the configuration cannot be used.
    """
    project = resolve_project(request.project) if request.project else None
    with Store() as store:
        # The file of one project, such as that of the folder at hand, must not decide about a
        # review of all: then the environment and the defaults count.
        loaded = load_known_config(project or store.directory, None)
        try:
            with _hold_lock(store):
                return _review_locked(replace(request, project=project), loaded, store, listener)
        except LockHeldError:
            return ReviewOutcome(None, "another review is at work; nothing was done")


@contextmanager
def _hold_lock(store: Store) -> Iterator[None]:
    lock = FileLock(store.locks / "review.lock", 0)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _review_locked(
    request: ReviewRequest, loaded: LoadedConfig, store: Store, listener: Listener
) -> ReviewOutcome:
    now = datetime.now(UTC)
    scope = str(request.project) if request.project else _ALL
    last = _find_last_review(store, scope)
    if request.only_due and last and last[0] <= now < last[0] + DUE_AFTER:
        at = f"{last[0].astimezone():%Y-%m-%d %H:%M}"
        return ReviewOutcome(None, f"not due: the last review was at {at}")
    days = timedelta(days=loaded.config.review.lookback_days)
    since = request.since or (min(last[1], now - USUAL_PERIOD) if last else now - days)
    night = ReviewNight(
        request.project, loaded.config, store, listener, since, now, dry_run=request.dry_run
    )
    report = night.run()
    if request.dry_run:
        return ReviewOutcome(report)
    return ReviewOutcome(report, path=_record_review(store, scope, report))


def _find_last_review(store: Store, scope: str) -> tuple[datetime, datetime] | None:
    """Return when the last review of a scope was made, and until when it has looked."""
    rows = store.database.fetch_rows(
        "SELECT started, until FROM reviews WHERE scope IN (?, ?) ORDER BY id DESC LIMIT 1",
        (scope, _ALL),
    )
    with store.database.explain_damage():
        return (
            (datetime.fromisoformat(rows[0][0]), datetime.fromisoformat(rows[0][1]))
            if rows
            else None
        )


def _record_review(store: Store, scope: str, report: ReviewReport) -> Path:
    """Write the report to a file of its owner, and record the review; return the file."""
    text = "\n".join(iter_report_lines(report)) + "\n"
    path = reviews_folder(store.directory) / f"{report.started:%Y-%m-%d-%H%M%S}.md"
    try:
        make_private_folder(path.parent)
        files.write_file(path, text.encode("utf-8", "replace"), 0o600)
    except OSError as error:
        raise build_state_error(store.directory, error) from error
    store.database.write(
        "INSERT INTO reviews (started, ended, scope, since, until, report)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            report.started.isoformat(),
            datetime.now(UTC).isoformat(),
            scope,
            report.since.isoformat(),
            report.until.isoformat(),
            text,
        ),
    )
    return path
