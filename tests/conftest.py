"""Poison the dangerous defaults: no test reaches the network or the real home directory."""

import contextlib
import importlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure: no test here is about time.
_lenient_settings = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("loop", _lenient_settings, max_examples=30, derandomize=True)
settings.register_profile("sample", _lenient_settings, max_examples=90)
settings.register_profile("thorough", _lenient_settings, max_examples=300)
settings.load_profile("loop")  # `--hypothesis-profile` goes before it

_LOOPBACK = ("127.", "::1", "localhost")

_PERSONAL = (
    *("ANTHROPIC_", "CLAUDE", "GIT_", "ORCHESTRATOR_", "XDG_", "PYTEST_ADDOPTS", "PYTEST_PLUGINS"),
    *("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR"),
)
_OF_THE_TESTS = (
    *("ORCHESTRATOR_CHILD", "ORCHESTRATOR_FIGURES", "ORCHESTRATOR_KILLS", "ORCHESTRATOR_PINS"),
    *("ORCHESTRATOR_CORPUS_ENVIRONMENT", "ORCHESTRATOR_CORPUS_RESULTS"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME"),  # where pip's settings and n8n are; no test sees them
)


def pytest_configure() -> None:
    # What somebody has set for their own work, or a git hook for its commands, decides no test.
    for name in tuple(os.environ):
        if name.startswith(_PERSONAL) and name not in _OF_THE_TESTS:
            del os.environ[name]
    os.environ["TERM"] = "xterm-256color"
    # Who runs in the background is born deaf to these, and so would be all that tests signal.
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


class NetworkForbiddenError(AssertionError):
    """A test tried to leave the machine."""


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Fail a test that leaves a socket or a database open.

    Python warns of one when it is collected, which may be in any later test, or never.
    """
    before = list_open()
    yield
    if "orchestrator.journal.durable" in sys.modules:
        # A thread of the program may still be importing it: this waits until it is whole.
        durable = importlib.import_module("orchestrator.journal.durable")
        durable.close_engine()  # it stays open until the process ends
    assert sorted(list_open() - before) == [], "left open by this test"


def list_open() -> set[str]:
    """List the sockets and databases that are open in this process; none where /proc is not."""
    found = set()
    for path in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):  # closed in between, as the one of this very folder
            found.add(str(path.readlink()))
    return {
        name for name in found if name.startswith("socket:") or name.endswith((".db", ".sqlite"))
    }


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _require_loopback(address[0])
        real_connect(self, address)

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None:
            _require_loopback(host.decode() if isinstance(host, bytes) else host)
        return real_lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    # Children do not see the guard above, so every road out of them ends at a closed port.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost,::1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")


def _require_loopback(host: str) -> None:
    if not host.startswith(_LOOPBACK):
        raise NetworkForbiddenError(f"a test tried to reach {host}")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, an empty state directory and an empty git configuration for each test."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A Developer")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "developer@example.org")
    return home


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A Postgres server, started once for all tests of this process that need one."""
    from tests.postgres import running_server

    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def each_database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the record be in each of the databases that it can be in; give which."""
    if request.param == "postgres":
        from tests.postgres import make_database

        url = make_database(request.getfixturevalue("postgres"))
        monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", url)
    return str(request.param)
