"""`orchestrator review schedule`: let the review start every night."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from orchestrator.cli.output import find_width, fit_lines, print_lines
from orchestrator.cli.values import sanitize_text
from orchestrator.errors import UsageError
from orchestrator.masking import mask_text

if TYPE_CHECKING:
    from orchestrator.services.review_schedule import InstalledTimer, Plan
    from orchestrator.sessions.schedule.job import ClockTime
    from orchestrator.sessions.schedule.timers import TimerFile


def _parse_time(_context: click.Context, _option: click.Parameter, given: str) -> "ClockTime":
    from orchestrator.sessions.schedule.job import parse_clock

    try:
        return parse_clock(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option("--install", is_flag=True, help="Write the timer, after a yes.")
@click.option("--remove", is_flag=True, help="Remove the timer, and only that.")
@click.option("--show", is_flag=True, help="Show what is installed, or would be [default].")
@click.option(
    "--at",
    default="02:00",
    show_default=True,
    metavar="HH:MM",
    callback=_parse_time,
    help="When to start the review, in the machine's time zone.",
)
@click.option(
    "--with",
    "chosen",
    type=click.Choice(["systemd", "launchd", "cron"]),
    help="The scheduler [default: the one that this machine has].",
)
@click.option("--yes", is_flag=True, help="Write what is shown, without asking.")
def schedule(
    install: bool, remove: bool, show: bool, at: "ClockTime", chosen: str | None, yes: bool
) -> None:
    """Start the review every night: with a user timer of systemd, launchd on a Mac, or cron.

    Everything that would be written is shown first. The timer starts this very installation of the
    program with the PATH of now, and is given no key. A review that was missed because the machine
    was asleep is made up for once.
    """
    from orchestrator.services.review_schedule import plan_schedule, remove_schedule
    from orchestrator.sessions.schedule.job import Scheduler

    if install + remove + show > 1:
        raise UsageError("--install, --remove and --show exclude each other", "give one of them")
    if remove:
        return _print_removed(remove_schedule())
    plan = plan_schedule(at, Scheduler(chosen) if chosen else None)
    if install:
        return _install(plan, yes=yes)
    return _show(plan, is_chosen=chosen is not None)


def _show(plan: "Plan", *, is_chosen: bool) -> None:
    from orchestrator.services.review_schedule import list_installed
    from orchestrator.sessions.schedule.choose import choose_scheduler

    installed = list_installed()
    if is_chosen:
        others = [each for each in installed if each.scheduler is not plan.scheduler]
        for each in others:
            _print(f"scheduled with {each.scheduler.value}, which is left out here")
        installed = [each for each in installed if each not in others]
    for each in installed:
        _print(f"scheduled with {each.scheduler.value}:")
        _print_files(each.files)
    if plan.is_installed:
        return _print(f"log: {plan.log}")
    if installed:
        return _print("to change it: orchestrator review schedule --install --at HH:MM")
    if not is_chosen and choose_scheduler() is None:
        _print("not scheduled: this machine has no systemd for users, no launchd and no crontab")
        _print("where there is cron, this is the line for it:")
        return _print_files(plan.files)
    which = f"not scheduled with {plan.scheduler.value}" if is_chosen else "not scheduled"
    _print(f"{which}; `--install` would write this for {plan.scheduler.value}:")
    return _print_plan(plan)


def _install(plan: "Plan", *, yes: bool) -> None:
    from orchestrator.cli.trust import is_inside_run
    from orchestrator.services.review_schedule import install_schedule, require_scheduler

    require_scheduler(plan)
    if is_inside_run():
        raise UsageError("a run must not schedule anything by itself", "use another terminal")
    if not plan.is_installed:
        _print(f"this would be written, for {plan.scheduler.value}:")
        _print_plan(plan)
        if not yes and not sys.stdin.isatty():
            raise UsageError(
                "nothing was scheduled: there is no terminal to ask on", "confirm with --yes"
            )
        if not yes and not click.confirm("Write this?", default=False):
            return _print("nothing was scheduled")
    # Even if the files are there: the timer may have been stopped since.
    install_schedule(plan)
    state = "still scheduled" if plan.is_installed else "scheduled"
    return _print(
        f"{state}: every night at {plan.job.at}, with {plan.scheduler.value}; log: {plan.log}"
    )


def _print_plan(plan: "Plan") -> None:
    _print_files(plan.files)
    for notice in plan.notices:
        _print(f"note: {notice}")


def _print_removed(removed: "Sequence[InstalledTimer]") -> None:
    if not removed:
        _print("the review is not scheduled: nothing to remove")
    for each in removed:
        names = " and ".join(file.name for file in each.files)
        _print(f"no longer scheduled with {each.scheduler.value}; removed from it: {names}")


def _print_files(files: "Sequence[TimerFile]") -> None:
    """Print files as they are: a line that was wrapped could not be copied."""
    print_lines(_iter_file_lines(files))


def _iter_file_lines(files: "Sequence[TimerFile]") -> Iterator[str]:
    for each in files:
        yield ""
        yield sanitize_text(f"{each.name}:")
        lines = each.text.splitlines()
        yield from (f"  {sanitize_text(mask_text(line))}".rstrip() for line in lines)
    yield ""


def _print(text: str) -> None:
    print_lines(fit_lines([sanitize_text(mask_text(text))], find_width()))
