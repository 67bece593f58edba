"""What a check finds: ticks, warnings and crosses."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Link(StrEnum):
    """A link of the chain, in its order. The values are printed, and are part of the JSON."""

    PYTHON = "python"
    GIT = "git"
    CONFIGURATION = "configuration"
    STATE = "state"
    NETWORK = "network"
    AGENT = "agent"
    LOGIN = "login"
    TEACHER = "teacher"
    SUITE = "suite"
    RULES = "rules"
    LOADED = "loaded"
    HOOKS = "hooks"
    SESSIONS = "sessions"
    LIMITS = "limits"
    VERSIONS = "versions"
    CRON = "cron"


class Status(StrEnum):
    """What a check found. The values are part of the JSON."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    NOT_CHECKED = "not checked"


class Fault(IntEnum):
    """What is to blame for a broken link; the value is the exit code."""

    CONFIGURATION = 2
    MACHINE = 3


@dataclass(frozen=True)
class Repair:
    """A safe correction, made only on request."""

    description: str
    apply: Callable[[], object]
    """Makes the correction. Raises LoopError or OSError."""


@dataclass(frozen=True)
class Check:
    """What was found about a link."""

    link: Link
    status: Status
    text: str
    """One line: what is there, or what is wrong."""
    cause: str = ""
    """Why it is so, for a warning or a broken link."""
    command: str = ""
    """The command that corrects it, to be pasted into a shell."""
    fault: Fault = Fault.MACHINE
    repair: Repair | None = None


def succeed(link: Link, text: str, repair: Repair | None = None) -> Check:
    """Return that a link works."""
    return Check(link, Status.OK, text, repair=repair)


def warn(
    link: Link, text: str, cause: str = "", command: str = "", repair: Repair | None = None
) -> Check:
    """Return that a link works, but something about it should be known or corrected."""
    return Check(link, Status.WARNING, text, cause, command, repair=repair)


def fail(
    link: Link,
    text: str,
    cause: str = "",
    command: str = "",
    fault: Fault = Fault.MACHINE,
    repair: Repair | None = None,
) -> Check:
    """Return that a link is broken."""
    return Check(link, Status.BROKEN, text, cause, command, fault, repair)


def skip(link: Link, text: str, command: str = "") -> Check:
    """Return that something was not checked, and why."""
    return Check(link, Status.NOT_CHECKED, text, command=command)
