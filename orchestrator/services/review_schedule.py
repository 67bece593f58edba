"""Schedule the nightly review: show what would be written, install it, remove it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.platform.process import capture
from orchestrator.sessions.schedule.choose import choose_scheduler, is_lingering
from orchestrator.sessions.schedule.cron import LATEST_HOURS
from orchestrator.sessions.schedule.job import (
    ClockTime,
    Job,
    Scheduler,
    build_job,
    join_command,
    list_notices,
)
from orchestrator.sessions.schedule.timers import TimerFile, make_timer
from orchestrator.storage.state_directory import resolve_state_directory

_TRIAL_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Plan:
    """What would be written."""

    scheduler: Scheduler
    job: Job
    files: tuple[TimerFile, ...]
    notices: tuple[str, ...]
    log: str
    """A path, or the command that shows the log."""
    is_installed: bool
    """Whether exactly this is there already."""


@dataclass(frozen=True)
class InstalledTimer:
    """What this program has written for a scheduler."""

    scheduler: Scheduler
    files: tuple[TimerFile, ...]


def plan_schedule(at: ClockTime, chosen: Scheduler | None = None) -> Plan:
    """Plan a timer without writing anything.

    Args:
        at: when the review is to be started.
        chosen: the scheduler; the one that this machine has if None, and cron's line if it has
            none, which is to be shown only.

    Raises:
        UsageError: something cannot be written into a timer.
        InfrastructureError: there is no state directory, or the crontab cannot be read.
    """
    scheduler = chosen or choose_scheduler() or Scheduler.CRON
    job = build_job(at, resolve_state_directory())
    timer = make_timer(scheduler, _find_home())
    planned = tuple(timer.plan_files(job))
    return Plan(
        scheduler,
        job,
        planned,
        tuple(_list_notices(scheduler, job)),
        timer.describe_log(job),
        is_installed=planned == tuple(timer.find_files()),
    )


def install_schedule(plan: Plan) -> None:
    """Write what was planned, and start the timer.

    Raises:
        UsageError: another scheduler starts it already, or a file is somebody else's.
        InfrastructureError: there is no scheduler, or something failed on the way.
    """
    require_scheduler(plan)
    for each in list_installed():
        if each.scheduler is not plan.scheduler:
            raise UsageError(
                f"the review is already scheduled with {each.scheduler.value}",
                "remove that first: orchestrator review schedule --remove",
            )
    _try_program(plan.job)
    make_timer(plan.scheduler, _find_home()).install(plan.job)


def require_scheduler(plan: Plan) -> None:
    """Check that this machine has the scheduler of a plan.

    Raises:
        InfrastructureError: it does not.
    """
    import shutil

    programs = {
        Scheduler.SYSTEMD: "systemctl",
        Scheduler.LAUNCHD: "launchctl",
        Scheduler.CRON: "crontab",
    }
    if not shutil.which(programs[plan.scheduler]):
        raise InfrastructureError(
            f"this machine has no {programs[plan.scheduler]}, so nothing was scheduled",
            f"start this every night by other means: {join_command(plan.job.command)}",
        )


def list_installed() -> list[InstalledTimer]:
    """Return the timers that this program has written, with every scheduler.

    Raises:
        InfrastructureError: the crontab cannot be read.
    """
    found = {each: make_timer(each, _find_home()).find_files() for each in Scheduler}
    return [InstalledTimer(each, tuple(texts)) for each, texts in found.items() if texts]


def remove_schedule() -> list[InstalledTimer]:
    """Remove the timers that this program has written, and return them.

    Raises:
        InfrastructureError: something failed on the way; it can be repeated.
    """
    installed = list_installed()
    for each in installed:
        make_timer(each.scheduler, _find_home()).remove()
    return installed


def _find_home() -> Path:
    return Path(os.path.expanduser("~"))  # noqa: PTH111 -- `Path.home` raises without a home


def _list_notices(scheduler: Scheduler, job: Job) -> list[str]:
    notices = list_notices(job)
    if scheduler is Scheduler.SYSTEMD and is_lingering(job.environment.get("USER", "")) is False:
        notices.append(
            "the timer runs only while you are logged in, and catches up when you log in; to let "
            "it run always: loginctl enable-linger"
        )
    if scheduler is Scheduler.LAUNCHD:
        notices.append(
            "the review also starts at login, and as soon as this is installed: `--due` decides "
            "whether it runs"
        )
    if scheduler is Scheduler.CRON:
        notices.append(
            "cron starts nothing while the machine is off or asleep: it tries again every hour, "
            f"for {LATEST_HOURS} hours, and only a review that is due runs"
        )
    return notices


def _try_program(job: Job) -> None:
    """Start the program as the timer will, with nothing but the job's environment.

    Raises:
        InfrastructureError: it does not start.
    """
    command = (*job.command[: job.command.index("review")], "--version")
    try:
        done = capture(command, cwd=Path("/"), env=job.environment, timeout=_TRIAL_SECONDS)
        reason = done.text.strip().splitlines()[-1:] if done.returncode else None
    except OSError as error:
        reason = [str(error.strerror)]
    if reason is not None:
        raise InfrastructureError(
            f"a timer could not start this program: {' '.join(reason) or 'it failed'}; tried: "
            f"{join_command(command)}",
            "install it with `uv tool install`, pipx or into a virtual environment",
        )
