"""Check past sessions: where their transcripts are, when they are deleted, and the archive."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.counts import format_count
from orchestrator.platform import files
from orchestrator.services.doctor.results import Check, Link, succeed, warn
from orchestrator.services.doctor.subject import Subject
from orchestrator.sessions.archive_index import SUFFIX, iter_copies
from orchestrator.sessions.cleanup_period import KEY, find_cleanup_period
from orchestrator.sessions.files import find_transcripts
from orchestrator.sessions.homes import PROJECTS, find_homes
from orchestrator.storage.state_directory import transcripts_folder


def check_sessions(subject: Subject) -> Iterator[Check]:
    """Check the transcripts of each home, and the archive."""
    extra = [Path(each) for each in subject.config.review.config_dirs]
    homes = find_homes(subject.environment, extra)
    if not homes:
        yield succeed(Link.SESSIONS, "no transcripts of Claude Code yet")
        return
    for home in homes:
        yield _check_home(home)
    yield _check_archive(subject)


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
