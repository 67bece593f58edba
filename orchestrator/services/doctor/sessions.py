"""Check past sessions: their transcripts, when these are deleted, the archive, and the review."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.counts import format_count
from orchestrator.errors import LoopError
from orchestrator.platform import files
from orchestrator.services.doctor.results import Check, Link, succeed, warn
from orchestrator.services.doctor.subject import Subject
from orchestrator.services.review_schedule import list_installed
from orchestrator.sessions.reading.files import find_transcripts
from orchestrator.sessions.reading.homes import PROJECTS, find_homes
from orchestrator.sessions.store.archive_index import SUFFIX, iter_copies
from orchestrator.sessions.store.cleanup_period import KEY, find_cleanup_period
from orchestrator.storage.state_directory import reviews_folder, transcripts_folder


def check_sessions(subject: Subject) -> Iterator[Check]:
    """Check the transcripts of each home, the archive, and when they are reviewed."""
    extra = [Path(each) for each in subject.config.review.config_dirs]
    homes = find_homes(subject.environment, extra)
    if not homes:
        yield succeed(Link.SESSIONS, "no transcripts of Claude Code yet")
        return
    for home in homes:
        yield _check_home(home)
    yield _check_archive(subject)
    yield _check_last_review(subject)
    yield _check_schedule()


def _check_home(home: Path) -> Check:
    folder = home / PROJECTS
    if files.is_closed(folder):
        return warn(
            Link.SESSIONS,
            f"{folder} cannot be read",
            "it belongs to another user, or its mode forbids it",
            f"ls -ld {shlex.quote(str(folder))}",
        )
    found = find_transcripts(home)
    times = []
    for path in (family.files[0] for family in found):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    first = datetime.fromtimestamp(min(times), UTC).astimezone() if times else None
    oldest = f", the oldest of {first:%Y-%m-%d}" if first else ""
    period = find_cleanup_period(home)
    text = f"{home}: {format_count(len(found), 'session')}{oldest}; {period.text}"
    if period.problem:
        return warn(Link.SESSIONS, text, f"Claude Code ignores or rejects this {KEY}")
    return succeed(Link.SESSIONS, text)


def _check_archive(subject: Subject) -> Check:
    sizes = []
    if subject.state:
        for path in iter_copies(transcripts_folder(subject.state)):
            with suppress(OSError):
                sizes.append(path.lstat().st_size if path.name.endswith(SUFFIX) else 0)
    if not sizes:
        return succeed(Link.SESSIONS, "nothing is archived yet: `orchestrator review` does it")
    count = format_count(len(sizes), "archived file")
    return succeed(Link.SESSIONS, f"{count}, {sum(sizes) / 1e6:.1f} MB")


def _check_last_review(subject: Subject) -> Check:
    """Name the last report, by whose name it is known when it was: the record is not opened."""
    found = files.find_paths(reviews_folder(subject.state), "*.md") if subject.state else []
    if not found:
        return succeed(Link.SESSIONS, "nothing was reviewed yet: `orchestrator review` does it")
    return succeed(Link.SESSIONS, f"the last review: {found[-1]}")


def _check_schedule() -> Check:
    try:
        installed = list_installed()
    except LoopError as error:
        return warn(Link.SESSIONS, error.message, error.hint)
    if not installed:
        command = "orchestrator review schedule --install"
        return succeed(Link.SESSIONS, f"no review is scheduled: `{command}` does it")
    names = " and ".join(each.scheduler.value for each in installed)
    return succeed(Link.SESSIONS, f"the review is scheduled with {names}")
