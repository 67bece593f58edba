"""What to tell a person once the experiment has blamed the environment.

The words of an exception decide nothing here: that the environment is to blame is known already.
They choose the message, and where the machine itself can be asked, it is asked.
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
    """What seems to be wrong with the environment, and what to do."""

    message: str
    hint: str


@dataclass(frozen=True)
class _Symptom:
    """Words of an exception, and what they usually mean."""

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
        "connect it, or leave the tests that need it out of tests.command",
    ),
    _build_symptom(
        r"\b429\b|rate.?limit|Too Many Requests|overloaded|\b50[0234]\b",
        "a server elsewhere is down, or limits how often it answers",
        "wait, or leave the tests that need it out of tests.command",
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
        "the machine's memory, or its GPU, is used up",
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
    """Return what seems to be wrong, from what the failing cases said.

    Args:
        report: the run that they failed in.
        cases: what fails because of the environment.
        project: the project's folder, in which the suite ran.
        program_path: the PATH of the suite's environment.
    """
    if report.outcome is SuiteOutcome.TIMEOUT:
        return Advice("the suite ran out of its time", "raise tests.timeout, or look what is slow")
    said = "\n".join(f"{case.message}\n{case.detail[-4000:]}" for case in cases)
    said = said.strip() or report.output[-4000:]
    questions = (
        _build_disk_check(project),
        _build_program_check(program_path),
        _check_module,
        _check_port,
        _build_path_check(project),
        _check_memory,
    )
    for ask in questions:
        if found := ask(said):
            return found
    for sign in _SYMPTOMS:
        if sign.pattern.search(said):
            return Advice(sign.message, sign.hint)
    return Advice("something outside of the code is different", "see what the tests say of it")


def _build_disk_check(project: Path) -> Callable[[str], Advice | None]:
    def ask(said: str) -> Advice | None:
        if not re.search(r"No space left|ENOSPC|disk is full|quota exceeded", said, re.IGNORECASE):
            return None
        for folder in (project, Path(os.environ.get("TMPDIR", "/tmp"))):  # noqa: S108 -- only asked
            if files.exists(folder) and shutil.disk_usage(folder).free < _LITTLE_SPACE:
                return Advice(f"the disk of {folder} is full", "free some space")
        return Advice("the tests find no space on a disk", "free some space where they write")

    return ask


def _build_program_check(program_path: str) -> Callable[[str], Advice | None]:
    def ask(said: str) -> Advice | None:
        for match in _PROGRAM.finditer(said):
            name = match[1] or match[2]
            if not shutil.which(name, path=program_path or None):
                return Advice(f"the program {name} is not installed", "install it")
        return None

    return ask


def _check_module(said: str) -> Advice | None:
    names = find_missing_modules(said)
    if not names:
        return None
    # It was there at the baseline, and no change of the attempt's asks for it.
    return Advice(
        f"the module {names[0]} is not installed any more",
        "install again what the project declares",
    )


def _check_port(said: str) -> Advice | None:
    if not re.search(r"Address already in use|EADDRINUSE", said):
        return None
    for match in _PORT.finditer(said):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", int(match[1]) % 65536)):
                return Advice(f"another program holds port {match[1]}", "end it")
    return Advice("a port is in use by another program", "end the program that holds it")


def _build_path_check(project: Path) -> Callable[[str], Advice | None]:
    def ask(said: str) -> Advice | None:
        found = find_refused_path(said, project)
        return Advice(found.message, found.hint) if found else None

    return ask


def _check_memory(said: str) -> Advice | None:
    if not _NO_MEMORY.search(said) or _GPU.search(said):
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
            f"only {free} of the {total} of memory are left that this container may use",
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
        "resume; if it happens again, watch what takes so much while they run",
    )
