"""Explains what is wrong with the environment, once the experiment has blamed it.

The words of an exception do not decide the verdict here: that the environment is to blame is known
already. They select the message, and where the machine itself can be checked, it is checked.
"""

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.models import Case, SuiteOutcome, SuiteReport
from orchestrator.platform import files
from orchestrator.verdict.file_access import find_refused_path
from orchestrator.verdict.free_memory import (
    format_bytes,
    read_container_memory,
    read_machine_memory,
    read_process_limit,
)
from orchestrator.verdict.missing_modules import find_missing_modules

_LITTLE_SPACE: Final = 64 * 1024 * 1024
"""Bytes of free space below which a disk counts as full."""

_PROGRAM: Final = re.compile(
    r"No such file or directory: '([^'/\s]+)'|(\S+): (?:command )?not found"
)
_PORT: Final = re.compile(r"(?:port[ =:]+|:)(\d{2,5})\b")
_NO_MEMORY: Final = re.compile(
    r"Cannot allocate memory|MemoryError|out of memory|Unable to allocate|SIGKILL|worker .*crashed",
    re.IGNORECASE,
)
_GPU: Final = re.compile(r"CUDA|\bHIP\b|\bGPU\b")


@dataclass(frozen=True)
class Advice:
    """The probable cause in the environment, and what to do."""

    message: str
    hint: str


@dataclass(frozen=True)
class _Symptom:
    """A pattern in an exception's text, and what it usually means."""

    pattern: re.Pattern[str]
    message: str
    hint: str


def _build_symptom(pattern: str, message: str, hint: str) -> _Symptom:
    return _Symptom(re.compile(pattern, re.IGNORECASE), message, hint)


_SYMPTOMS: Final = (
    _build_symptom(
        r"CERTIFICATE_VERIFY_FAILED|certificate has expired",
        "a certificate cannot be verified",
        "install its authority, or set SSL_CERT_FILE",
    ),
    _build_symptom(
        r"name resolution|Name or service not known|getaddrinfo|NameResolution|ENOTFOUND"
        r"|Network is unreachable|No route to host|ProxyError",
        "the network cannot be reached",
        "connect it, or exclude the tests that need it from tests.command",
    ),
    _build_symptom(
        r"\b429\b|rate.?limit|Too Many Requests|overloaded|\b50[0234]\b",
        "a remote server is down, or limits the rate of requests",
        "wait, or exclude the tests that need it from tests.command",
    ),
    _build_symptom(
        r"\b40[13]\b|api[ _]?key|unauthori[sz]ed|authentication|password",
        "a service does not accept this machine's credentials",
        "set the key or password that the tests need",
    ),
    _build_symptom(
        r"refused|ECONNRE|reset by peer|timed? ?out|could not connect|Connection ?Error"
        r"|docker|psycopg|redis|mongo",
        "a service that the tests need does not answer",
        "start it (a database, a cache, a container), then resume",
    ),
    _build_symptom(
        r"CUDA|out of memory",
        "the memory of the machine, or of its GPU, is full",
        "close other programs",
    ),
    _build_symptom(
        r"Too many open files|can't start new thread|Resource temporarily unavailable",
        "the machine's limit of processes, threads or files is reached",
        "close other programs, or raise the limit",
    ),
    _build_symptom(
        r"Permission denied|PermissionError|Read-only file system|readonly database",
        "a file or folder that the tests need may not be used",
        "give this user access to it",
    ),
    _build_symptom(
        r"KeyError: '[A-Z][A-Z0-9_]+'|environment variable",
        "an environment variable that the tests need is not set",
        "set it, then resume",
    ),
    _build_symptom(
        r"Executable doesn't exist|needs to be in PATH|no display|Exec format error"
        r"|unable to (?:locate|obtain) (?:or obtain )?driver",
        "a program or device that the tests need is not there",
        "install it",
    ),
)


def find_advice(
    report: SuiteReport, cases: Iterable[Case], project: Path, program_path: str = ""
) -> Advice:
    """Return the probable cause, from the output of the failing cases.

    Args:
        report: the run that they failed in.
        cases: the cases that fail because of the environment.
        project: the project's folder, in which the suite ran.
        program_path: the PATH of the suite's environment.
    """
    if report.outcome is SuiteOutcome.TIMEOUT:
        return Advice("the suite timed out", "raise tests.timeout, or find out which test is slow")
    output = "\n".join(f"{case.message}\n{case.detail[-4000:]}" for case in cases)
    output = output.strip() or report.output[-4000:]
    checks = (
        _build_disk_check(project),
        _build_program_check(program_path),
        _check_module,
        _check_port,
        _build_path_check(project),
        _check_memory,
    )
    for check in checks:
        if found := check(output):
            return found
    for symptom in _SYMPTOMS:
        if symptom.pattern.search(output):
            return Advice(symptom.message, symptom.hint)
    return Advice("something outside of the code has changed", "look at the output of the tests")


def _build_disk_check(project: Path) -> Callable[[str], Advice | None]:
    def check(output: str) -> Advice | None:
        if not re.search(
            r"No space left|ENOSPC|disk is full|quota exceeded", output, re.IGNORECASE
        ):
            return None
        for folder in (project, Path(os.environ.get("TMPDIR", "/tmp"))):  # noqa: S108 -- only asked
            if files.exists(folder) and shutil.disk_usage(folder).free < _LITTLE_SPACE:
                return Advice(f"the disk of {folder} is full", "free some space")
        return Advice("there is no space on a disk for the tests", "free space where they write")

    return check


def _build_program_check(program_path: str) -> Callable[[str], Advice | None]:
    def check(output: str) -> Advice | None:
        for match in _PROGRAM.finditer(output):
            name = match[1] or match[2]
            if not shutil.which(name, path=program_path or None):
                return Advice(f"the program {name} is not installed", "install it")
        return None

    return check


def _check_module(output: str) -> Advice | None:
    names = find_missing_modules(output)
    if not names:
        return None
    # It was installed at the baseline, and no change of the attempt requires it.
    return Advice(
        f"the module {names[0]} is no longer installed",
        "install the project's dependencies again",
    )


def _check_port(output: str) -> Advice | None:
    if not re.search(r"Address already in use|EADDRINUSE", output):
        return None
    for match in _PORT.finditer(output):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", int(match[1]) % 65536)):
                return Advice(f"another program uses port {match[1]}", "stop it")
    return Advice("a port is in use by another program", "stop that program")


def _build_path_check(project: Path) -> Callable[[str], Advice | None]:
    def check(output: str) -> Advice | None:
        found = find_refused_path(output, project)
        return Advice(found.message, found.hint) if found else None

    return check


def _check_memory(output: str) -> Advice | None:
    if not _NO_MEMORY.search(output) or _GPU.search(output):
        return None
    machine, container, limit = read_machine_memory(), read_container_memory(), read_process_limit()
    if machine.is_low:
        free, total = format_bytes(machine.free), format_bytes(machine.total)
        return Advice(
            f"the machine has only {free} of its {total} of memory left", "close programs"
        )
    if container and container.is_low:
        free, total = format_bytes(container.free), format_bytes(container.total)
        return Advice(
            f"only {free} of this container's {total} of memory are left",
            "raise its limit, or close other programs in it",
        )
    if limit is not None and limit < machine.free:
        return Advice(
            f"the tests ran out of memory: one process may use {format_bytes(limit)} (ulimit -v)",
            "raise that limit",
        )
    if container and container.total < machine.total:
        return Advice(
            f"the tests ran out of memory: this container may use {format_bytes(container.total)}",
            "raise its limit, then resume",
        )
    return Advice(
        "the tests ran out of memory, or were killed; now the machine has "
        f"{format_bytes(machine.free)} free",
        "resume; if it happens again, monitor the memory use of the tests",
    )
