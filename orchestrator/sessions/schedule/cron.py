r"""Write one line into the user's crontab.

cron does not know of a time that was missed. So the line starts the review every hour from the
chosen time on, for `LATEST_HOURS` hours, and `--due` lets one of them pass: a machine that wakes up
in the morning catches up then. That costs one start of Python an hour. It is not the whole day,
because the next review is due 20 hours after the last one: it would begin before the night does,
and earlier each day.

The line ends with a comment for the shell, by which it is found again. All before `#` is a command
for the shell, in which cron has turned `\%` into `%`.
"""

import shlex
from collections.abc import Iterator
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.sessions.schedule.job import NAME, Job

MARK: Final = f"# {NAME}"
LATEST_HOURS: Final = 18
_LONGEST_LINE: Final = 990
"""cron refuses commands of 1,000 characters."""


def render_line(job: Job) -> str:
    """Return the line, without its end.

    Raises:
        UsageError: it cannot be written so that every cron understands it.
    """
    variables = [f"{name}={shlex.quote(value)}" for name, value in sorted(job.environment.items())]
    log = shlex.quote(str(job.log))
    command = " ".join([*variables, shlex.join(job.command), f">>{log}", "2>&1", MARK])
    if "\\" in command:
        raise UsageError(
            f"cron cannot be given a backslash: {command}", "use a path or a value without one"
        )
    line = f"{job.at.minute} {_list_hours(job.at.hour)} * * * " + command.replace("%", "\\%")
    if len(line.encode()) > _LONGEST_LINE:
        raise UsageError(
            f"the line for cron has {len(line.encode()):,} bytes, and cron takes {_LONGEST_LINE}",
            "shorten PATH for this command: PATH=/usr/bin:/bin orchestrator review schedule "
            "--install",
        )
    return line


def _list_hours(first: int) -> str:
    """Return the hours in which the review may start, as cron writes them: `2-20`, `0-16,22-23`."""
    hours = sorted((first + each) % 24 for each in range(LATEST_HOURS + 1))
    ranges: list[list[int]] = []
    for hour in hours:
        if ranges and ranges[-1][1] == hour - 1:
            ranges[-1][1] = hour
        else:
            ranges.append([hour, hour])
    return ",".join(f"{start}-{end}" if start < end else str(start) for start, end in ranges)


def find_line(crontab: str) -> str | None:
    """Return the line that this program wrote; None if there is none."""
    return next((line for line in _iter_lines(crontab) if _is_own(line)), None)


def set_line(crontab: str, line: str | None) -> str:
    """Return a crontab with this line in place of the earlier one, and all others as they were.

    Args:
        crontab: the crontab.
        line: the line; None to remove it.
    """
    others = "".join(each for each in _iter_lines(crontab) if not _is_own(each))
    if line is None:
        return others
    separator = "" if not others or others.endswith("\n") else "\n"
    return f"{others}{separator}{line}\n"


def _iter_lines(text: str) -> Iterator[str]:
    """Yield the lines with their ends; only a line feed ends one."""
    lines = text.split("\n")
    yield from (f"{line}\n" for line in lines[:-1])
    if lines[-1]:
        yield lines[-1]


def _is_own(line: str) -> bool:
    return line.rstrip().endswith(f" {MARK}")
