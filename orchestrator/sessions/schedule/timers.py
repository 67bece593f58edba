"""Install, remove and read a timer, with each scheduler.

Only what this program wrote is replaced or removed. Every step can be repeated: after a `kill -9`
the same command completes what it began.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from orchestrator.errors import InfrastructureError, LoopError, UsageError
from orchestrator.platform import files
from orchestrator.sessions.schedule import cron, launchd, systemd
from orchestrator.sessions.schedule.choose import has_user_manager
from orchestrator.sessions.schedule.job import MARK, Job, Scheduler
from orchestrator.sessions.schedule.night_log import prepare_log
from orchestrator.sessions.schedule.programs import ask_program, describe_output, run_program

CRONTAB: Final = "crontab"
_NO_CRONTAB: Final = ("no crontab for", "no such file", "not allowed to use this program")
_REMOVE: Final = "orchestrator review schedule --remove"


@dataclass(frozen=True)
class TimerFile:
    """A text that a scheduler reads."""

    name: str
    """The path of the file, or `crontab`."""
    text: str


class Timer(Protocol):
    """A timer of one scheduler."""

    def plan_files(self, job: Job) -> list[TimerFile]:
        """Return what `install` would write."""

    def find_files(self) -> list[TimerFile]:
        """Return what this program has written; none if nothing is installed."""

    def install(self, job: Job) -> None:
        """Write the files, and start the timer."""

    def remove(self) -> None:
        """Stop the timer, and remove its files."""

    def describe_log(self, job: Job) -> str:
        """Return where the output of the nightly runs is: a path or a command."""


class SystemdTimer:
    """A user timer of systemd."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._folder = systemd.find_units_folder(environment, home)
        self._link = str(self._folder / "timers.target.wants" / systemd.TIMER)

    def plan_files(self, job: Job) -> list[TimerFile]:
        """Return the service and the timer."""
        return [
            TimerFile(str(self._folder / systemd.SERVICE), systemd.render_service(job)),
            TimerFile(str(self._folder / systemd.TIMER), systemd.render_timer(job)),
        ]

    def find_files(self) -> list[TimerFile]:
        """Return those of the two units that this program wrote."""
        paths = [self._folder / name for name in (systemd.SERVICE, systemd.TIMER)]
        return _read_own_files(paths)

    def install(self, job: Job) -> None:
        """Write the units, and enable the timer; after an error, all is as it was before.

        Raises:
            UsageError: a unit of this name is somebody else's.
            InfrastructureError: a file cannot be written, or systemctl failed.
        """
        before, is_enabled = self.find_files(), files.is_link(self._link)
        try:
            _write_files(self.plan_files(job))
            run_program("systemctl", "--user", "daemon-reload")
            run_program("systemctl", "--user", "enable", systemd.TIMER)
            # `enable --now` would leave a running timer at its earlier time.
            run_program("systemctl", "--user", "restart", systemd.TIMER)
        except LoopError:
            if not before:
                ask_program("systemctl", "--user", "stop", systemd.TIMER)
            if not is_enabled and self.find_files():
                _remove_files([TimerFile(self._link, "")])
            _restore_files(before, self.find_files())
            ask_program("systemctl", "--user", "daemon-reload")
            if before and is_enabled:
                ask_program("systemctl", "--user", "restart", systemd.TIMER)
            raise

    def remove(self) -> None:
        """Disable the timer, and remove the units.

        Raises:
            InfrastructureError: systemctl failed, or a file cannot be removed.
        """
        found = self.find_files()
        is_managed = has_user_manager()
        if is_managed and any(each.name.endswith(systemd.TIMER) for each in found):
            run_program("systemctl", "--user", "disable", "--now", systemd.TIMER)
        # What `disable` removes, for where systemd does not run, as in a container.
        is_enabled = files.is_link(self._link)
        _remove_files([TimerFile(self._link, ""), *found] if is_enabled else found)
        if is_managed:
            run_program("systemctl", "--user", "daemon-reload")

    def describe_log(self, job: Job) -> str:
        """Return the command that shows the journal."""
        return systemd.LOG_COMMAND


class LaunchdTimer:
    """A launch agent of launchd."""

    def __init__(self, home: Path) -> None:
        self._path = launchd.find_plist(home)
        self._domain = f"gui/{os.getuid()}"

    def plan_files(self, job: Job) -> list[TimerFile]:
        """Return the property list."""
        return [TimerFile(str(self._path), launchd.render_plist(job))]

    def find_files(self) -> list[TimerFile]:
        """Return the property list if this program wrote it."""
        return _read_own_files([self._path])

    def install(self, job: Job) -> None:
        """Write the property list, and load it; after an error, all is as it was before.

        Raises:
            UsageError: a property list of this name is somebody else's.
            InfrastructureError: a file cannot be written, or launchctl failed.
        """
        _prepare_log(job)
        before = self.find_files()
        try:
            _write_files(self.plan_files(job))
            self._unload()
            run_program("launchctl", "bootstrap", self._domain, str(self._path))
        except LoopError:
            _restore_files(before, self.find_files())
            if before:
                ask_program("launchctl", "bootstrap", self._domain, str(self._path))
            raise

    def remove(self) -> None:
        """Unload the agent, and remove its property list.

        Raises:
            InfrastructureError: the file cannot be removed, or launchctl failed.
        """
        self._unload()
        _remove_files(self.find_files())

    def describe_log(self, job: Job) -> str:
        """Return the path of the log."""
        return str(job.log)

    def _unload(self) -> None:
        target = f"{self._domain}/{launchd.LABEL}"
        is_loaded = ask_program("launchctl", "print", target)
        if is_loaded is not None and not is_loaded.returncode:
            run_program("launchctl", "bootout", target)


class CronTimer:
    """A line in the user's crontab."""

    def plan_files(self, job: Job) -> list[TimerFile]:
        """Return the line."""
        return [TimerFile(CRONTAB, cron.render_line(job) + "\n")]

    def find_files(self) -> list[TimerFile]:
        """Return the line that is there."""
        found = cron.find_line(self._read())
        return [TimerFile(CRONTAB, found)] if found else []

    def install(self, job: Job) -> None:
        """Add the line, or replace the earlier one.

        Raises:
            UsageError: cron cannot be given the line.
            InfrastructureError: crontab failed.
        """
        _prepare_log(job)
        before = self._read()
        after = cron.set_line(before, cron.render_line(job))
        if after != before:
            self._write(after)

    def remove(self) -> None:
        """Remove the line, and the crontab if nothing else is in it.

        Raises:
            InfrastructureError: crontab failed.
        """
        before = self._read()
        after = cron.set_line(before, None)
        if not after:
            run_program("crontab", "-r")
        elif after != before:
            self._write(after)

    def describe_log(self, job: Job) -> str:
        """Return the path of the log."""
        return str(job.log)

    def _read(self) -> str:
        """Return the crontab; empty if there is none."""
        done = ask_program("crontab", "-l")
        if done is None:
            return ""
        if done.returncode:
            # Who may not use it has none, either; the second is what BusyBox prints.
            message = done.text.lower()
            if any(each in message for each in _NO_CRONTAB):
                return ""
            raise InfrastructureError(
                f"the crontab cannot be read: {describe_output(done)}", "check it with `crontab -l`"
            )
        return done.stdout.decode("utf-8", "surrogateescape")

    def _write(self, text: str) -> None:
        run_program("crontab", "-", stdin=text.encode("utf-8", "surrogateescape"))


def make_timer(scheduler: Scheduler, home: Path) -> Timer:
    """Return the timer of a scheduler."""
    if scheduler is Scheduler.SYSTEMD:
        return SystemdTimer(home)
    return LaunchdTimer(home) if scheduler is Scheduler.LAUNCHD else CronTimer()


def _read_own_files(paths: Sequence[Path]) -> list[TimerFile]:
    texts = {path: files.read_text(path) for path in paths}
    return [TimerFile(str(path), text) for path, text in texts.items() if _is_own(text)]


def _is_own(text: str) -> bool:
    return MARK in text[:1000]


def _write_files(planned: Sequence[TimerFile]) -> None:
    for each in planned:
        if (files.exists(each.name) or files.is_link(each.name)) and not _is_own(
            files.read_text(each.name)
        ):
            raise UsageError(
                f"{each.name} was not written by this program", "move it away, and repeat"
            )
    try:
        for each in planned:
            files.write_file(Path(each.name), each.text.encode(), 0o600, durable=True)
    except OSError as error:
        raise InfrastructureError(
            f"{error.filename or 'the timer'} cannot be written: {error.strerror}",
            "correct its permissions, and repeat",
        ) from error


def _remove_files(found: Sequence[TimerFile]) -> None:
    try:
        for each in found:
            files.remove_path(Path(each.name))
    except OSError as error:
        raise InfrastructureError(
            f"{error.filename} cannot be removed: {error.strerror}",
            f"correct its permissions, and repeat: {_REMOVE}",
        ) from error


def _restore_files(before: Sequence[TimerFile], found: Sequence[TimerFile]) -> None:
    """Write what was there before, and remove what was not; what is somebody else's stays."""
    known = {each.name for each in before}
    _remove_files([each for each in found if each.name not in known])
    _write_files(before)


def _prepare_log(job: Job) -> None:
    try:
        prepare_log(job.log)
    except OSError as error:
        raise InfrastructureError(
            f"the log {job.log} cannot be written: {error.strerror}", "correct its permissions"
        ) from error
