"""Recognises trouble of the machine, the network and the environment in what a case said.

The same words can be the code's own doing: a product that raises ConnectionRefusedError, a test
that pretends the disk to be full, new code that opens a port twice. So it counts who raised them,
whether the attempt changed the code that did, and whether the case passed before.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.failures.frames import Raised, chain
from orchestrator.failures.modules import missing_module
from orchestrator.models import Case, Diff


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong outside of the code."""

    message: str
    mend: str
    wide: bool = False
    """Whether it can make any other case fail, in whatever words."""


@dataclass(frozen=True)
class Scene:
    """What is known round a case that fails: the project, what was changed, what passed before."""

    project: Path
    diff: Diff
    passed_before: Collection[str]

    @property
    def changed(self) -> frozenset[str]:
        """Paths that the attempt changed."""
        return frozenset(change.path for change in self.diff.changes)

    @property
    def changed_code(self) -> bool:
        """Whether the attempt changed anything but prose."""
        return any(not path.endswith((".md", ".rst", ".txt")) for path in self.changed)


@dataclass(frozen=True)
class _Sign:
    pattern: re.Pattern[str]
    message: str
    mend: str
    wide: bool = False
    local: bool = False
    """Whether the code under test can bring it about by what it does on this machine."""


def _sign(
    pattern: str, message: str, mend: str, *, wide: bool = False, local: bool = False
) -> _Sign:
    return _Sign(re.compile(pattern), message, mend, wide, local)


_SERVICES: Final = (
    r"psycopg|asyncpg|pymysql|mysql|redis\.|pymongo|pika|kafka|elasticsearch|aiomysql"
    r"|(?::|port[ =:]+)(?:5432|3306|6379|27017|5672|9092|9200|11211|2379|4222|1521|1433)\b"
)
_ELSEWHERE: Final = (
    r"(?:https?://|host=['\"])(?!localhost|127\.|0\.0\.0\.0|\[?::1)[\w-]+(?:\.[\w-]+)+"
)
_NO_ANSWER: Final = (
    r"[Cc]onnection (?:was )?(?:refused|reset|aborted|timed out)|ECONNRE(?:FUSED|SET)|ETIMEDOUT"
    r"|RemoteDisconnected|ConnectTimeout|ReadTimeout|Read timed out|Max retries exceeded"
)

_SIGNS: Final = (
    _sign(
        r"No space left on device|\bENOSPC\b|database or disk is full|Disk quota exceeded",
        "there is no space left on a disk",
        "free some space",
        wide=True,
    ),
    _sign(r"Cannot allocate memory", "the memory is used up", "close other programs", wide=True),
    _sign(
        r"Read-only file system|\bEROFS\b",
        "a file system is read-only",
        "make it writable, or set TMPDIR",
        local=True,
    ),
    _sign(
        r"name resolution|Name or service not known|nodename nor servname|getaddrinfo"
        r"|NameResolutionError|Failed to resolve|Network is unreachable|No route to host"
        r"|\bE(?:NET|HOST)UNREACH\b|\bENOTFOUND\b|ProxyError|Cannot connect to proxy",
        "the network cannot be reached",
        "connect it, or leave the tests that need it out of tests.command",
        local=True,
    ),
    _sign(
        r"CERTIFICATE_VERIFY_FAILED",
        "a certificate cannot be verified on this machine",
        "install its authority, or set SSL_CERT_FILE",
        local=True,
    ),
    _sign(
        rf"\b(?:429|50[234])\b[^\n]*{_ELSEWHERE}",
        "a server elsewhere is down, or limits how often it answers",
        "wait, or leave the tests that need it out of tests.command",
        local=True,
    ),
    _sign(
        rf"(?s)(?:{_NO_ANSWER}).*(?:{_ELSEWHERE})|(?:{_ELSEWHERE}).*(?:{_NO_ANSWER})",
        "a server elsewhere does not answer",
        "wait, or leave the tests that need it out of tests.command",
        local=True,
    ),
    _sign(
        rf"(?s)(?:{_NO_ANSWER}).*(?:{_SERVICES})|(?:{_SERVICES}).*(?:{_NO_ANSWER})",
        "a service that the tests need is not running",
        "start it (a database, a cache, a queue)",
        local=True,
    ),
    _sign(
        r"DockerException|Cannot connect to the Docker daemon|docker\.sock",
        "Docker is not running",
        "start it",
    ),
    _sign(
        r"Executable doesn't exist at|needs to be in PATH|Found no NVIDIA driver"
        r"|cannot open display|no display name",
        "a program or device that the tests need is not there",
        "install it",
    ),
    _sign(
        r"cannot open shared object file|DLL load failed|Library not loaded",
        "a system library is missing",
        "install it",
    ),
    _sign(
        r"Address already in use|\bEADDRINUSE\b|Errno (?:98|48)\b",
        "a port is in use by another program",
        "end the program that holds it",
        local=True,
    ),
    _sign(
        r"can't start new thread|Resource temporarily unavailable|Too many open files",
        "the machine's limit of processes, threads or files is reached",
        "close other programs, or raise the limit",
        local=True,
    ),
)

_PLUGINS: Final = {
    "mocker": "pytest-mock",
    "benchmark": "pytest-benchmark",
    "httpx_mock": "pytest-httpx",
    "respx_mock": "respx",
    "requests_mock": "requests-mock",
    "httpserver": "pytest-httpserver",
    "freezer": "pytest-freezer",
    "aiohttp_client": "pytest-aiohttp",
    "event_loop": "pytest-asyncio",
    "django_db_setup": "pytest-django",
    "live_server": "pytest-django",
    "qtbot": "pytest-qt",
    "faker": "Faker",
    "snapshot": "syrupy",
    "data_regression": "pytest-regressions",
    "testdir": "pytest's pytester plugin",
}
"""Fixtures that plugins of pytest bring."""


def trouble_of(case: Case, scene: Scene) -> Trouble | None:
    """Give what is wrong outside of the code, if that is why the case fails."""
    raised = chain(case)
    if raised[-1].assertion:
        return None
    before = case.id in scene.passed_before
    for each in raised:
        if each.assertion or each.pretended or each.by_project(scene.project):
            continue
        if found := _missing(each, scene) or _signed(each, scene, before):
            return found
    return None


def trouble_in(text: str) -> Trouble | None:
    """Give what is wrong with the machine as a whole, from what a runner printed as it died."""
    return next(
        (_made(sign) for sign in _SIGNS if sign.wide and sign.pattern.search(text)),
        None,
    )


def _signed(raised: Raised, scene: Scene, before: bool) -> Trouble | None:
    for sign in _SIGNS:
        if sign.pattern.search(raised.words) and not (
            sign.local and before and raised.deepest(scene.project) in scene.changed
        ):
            return _made(sign)
    # Who should have answered is not said. Where code was changed, it may be what no longer does.
    if re.search(_NO_ANSWER, raised.words) and not (before and scene.changed_code):
        return Trouble("a server does not answer", "start what the tests need")
    return None


def _made(sign: _Sign) -> Trouble:
    return Trouble(sign.message, sign.mend, sign.wide)


def _missing(raised: Raised, scene: Scene) -> Trouble | None:
    if module := missing_module(raised.words, scene.project, scene.diff):
        return Trouble(
            f"the module {module} is not installed",
            f"install it in the project's environment: python -m pip install {module}",
        )
    fixture = re.search(r"fixture '(\w+)' not found", raised.words)
    if fixture and (plugin := _PLUGINS.get(fixture[1])):
        return Trouble(f"{plugin}, which brings the fixture {fixture[1]}, is missing", "install it")
    # Where a PATH folder may not be entered, Python says "denied" of what it found nowhere.
    match = re.search(
        r"(?:No such file or directory|(Permission denied)): '([^'/]+)'", raised.words
    )
    started = any("subprocess" in file for file in raised.files)
    did = _statuses(match[2], scene) if match else set()
    if match and started and not (did if match[1] else "D" in did):
        said = "is not installed, or may not be executed" if match[1] else "is not installed"
        return Trouble(f"the program {match[2]} {said}", "install it")
    return None


def _statuses(name: str, scene: Scene) -> set[str]:
    """Return what the attempt did to files of that name, by git's letters."""
    return {change.status for change in scene.diff.changes if Path(change.path).name == name}
