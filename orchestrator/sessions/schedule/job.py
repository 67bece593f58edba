"""Describe the job that a timer starts: its command, its environment, and the time of day."""

import getpass
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.masking import mask_text
from orchestrator.platform import folders
from orchestrator.sessions.schedule.night_log import find_log
from orchestrator.storage.location import STATE_VARIABLE
from orchestrator.storage.state_directory import URL_VARIABLE

NAME: Final = "orchestrator-review"
MARK: Final = "written by `orchestrator review schedule`"
"""In the first lines of every file that this program writes: only such a file is replaced."""

ARGUMENTS: Final = ("review", "--all", "--due")
_CACHES: Final = frozenset({".cache", "Caches"})
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


class Scheduler(Enum):
    """A program that starts others at a time of day. The values are options, and printed."""

    SYSTEMD = "systemd"
    LAUNCHD = "launchd"
    CRON = "cron"


@dataclass(frozen=True, order=True)
class ClockTime:
    """A time of day, in the machine's time zone."""

    hour: int
    minute: int

    def __str__(self) -> str:
        return f"{self.hour:02d}:{self.minute:02d}"


@dataclass(frozen=True)
class Job:
    """What a timer starts."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    """What the command needs beside what the scheduler sets, and never a key or a token."""
    at: ClockTime
    log: Path
    """Where the output is written if the scheduler has no journal."""


def parse_clock(text: str) -> ClockTime:
    """Parse a time of day, as in `02:00`.

    Raises:
        ValueError: it is none.
    """
    if not (found := _CLOCK.fullmatch(text.strip())):
        raise ValueError(f"`{text}` is not a time of day; write it as 02:00")
    return ClockTime(int(found[1]), int(found[2]))


def build_job(at: ClockTime, state: Path, environment: Mapping[str, str] | None = None) -> Job:
    """Build the job for this installation of the program and for the present user.

    Args:
        at: when it is to be started.
        state: the state directory.
        environment: that of this process if None.

    Raises:
        UsageError: something has characters that no scheduler can be given.
    """
    environment = os.environ if environment is None else environment
    # -P: the job starts in the home folder, which may contain a folder `orchestrator`.
    command = (sys.executable, "-P", "-m", "orchestrator", *ARGUMENTS)
    job = Job(command, _select_variables(environment, state), at, find_log(state))
    for name, text in (("the program", " ".join(command)), *job.environment.items()):
        _require_printable(name, text)
    return job


def _select_variables(environment: Mapping[str, str], state: Path) -> dict[str, str]:
    user = _find_user(environment)
    found = {
        "PATH": _clean_search_path(environment.get("PATH", "")),
        "HOME": os.path.expanduser("~"),  # noqa: PTH111 -- a text, and never an error
        "USER": user,
        "LOGNAME": environment.get("LOGNAME") or user,
        # Always, because what decides about the default may not be set at night.
        STATE_VARIABLE: str(state),
    }
    if environment.get(folders.CONFIG_VARIABLE):
        found[folders.CONFIG_VARIABLE] = str(
            Path(folders.find_config_folder(environment)).resolve()
        )
    if (url := environment.get(URL_VARIABLE, "")) and mask_text(url) == url:
        found[URL_VARIABLE] = url
    if zone := environment.get("TZ"):
        found["TZ"] = zone
    return {name: value for name, value in found.items() if value}


def _find_user(environment: Mapping[str, str]) -> str:
    if user := environment.get("USER") or environment.get("LOGNAME"):
        return user
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # there is no entry for this user id
        return ""


def _clean_search_path(path: str) -> str:
    """Return a PATH of absolute folders, without duplicates and what looks like a secret."""
    entries = [each for each in path.split(os.pathsep) if each.startswith("/")]
    return os.pathsep.join(each for each in dict.fromkeys(entries) if mask_text(each) == each)


def _require_printable(name: str, text: str) -> None:
    """Reject what would end a line of a unit or of a crontab.

    Raises:
        UsageError: the text has such a character.
    """
    if not text.isprintable():
        raise UsageError(
            f"{name} cannot be written into a timer: {text!r} has control characters, or is not "
            "UTF-8",
            "move it to a path without them, or set the variable to another value",
        )


def list_notices(job: Job, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return what the user should know about a job before it is scheduled."""
    environment = os.environ if environment is None else environment
    notices = [
        "no key is written: without a login, what needs the teacher waits until you run "
        "`orchestrator review` yourself"
    ]
    if _CACHES.intersection(Path(job.command[0]).parts):
        notices.append(
            f"{job.command[0]} is in a cache, which may be emptied at any time: install the "
            "program with `uv tool install` or pipx, and schedule it from there"
        )
    if environment.get(URL_VARIABLE) and URL_VARIABLE not in job.environment:
        notices.append(
            f"{URL_VARIABLE} contains a password, so it is not written: put the password into "
            "~/.pgpass, and schedule again; otherwise the review will use SQLite"
        )
    return notices


def join_command(command: Sequence[str]) -> str:
    """Return a command as one line for people."""
    import shlex

    return shlex.join(command)
