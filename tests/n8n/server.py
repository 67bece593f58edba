"""A real n8n on loopback: prepare a user folder, start it, stop it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.n8n.install import folder, node

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parent.parent.parent
SHIPPED: Final = ROOT / "n8n"
TOKEN: Final = "a-long-random-token"
KEY: Final = "no-real-key"
WHERE: Final = folder()
"""Computed on import, because a test changes the home directory."""

QUIET: Final = {
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_HIRING_BANNER_ENABLED": "false",
    "N8N_DYNAMIC_BANNERS_ENABLED": "false",
    "N8N_LICENSE_AUTO_RENEW_ENABLED": "false",
    "N8N_PUBLIC_API_DISABLED": "true",
    "N8N_DISABLED_MODULES": (
        "mcp-registry,community-packages,instance-ai,chat-hub,insights,source-control"
    ),
}
"""Turn off telemetry and everything that the tests do not use."""

_REFUSED: Final = (401, 403, 500)
_READY_SECONDS: Final = 400


class N8nError(Exception):
    """A command of n8n failed; has the end of its output."""


@dataclass
class N8n:
    """One n8n with its own folder; at most one process serves it at a time."""

    home: Path
    model_url: str
    with_editor: bool = False
    more: Mapping[str, str | None] = field(default_factory=dict)
    """Variables to set; None removes one that is set otherwise."""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.port, self._broker = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def webhook(self) -> str:
        return f"{self.url}/webhook/prompt-learning-teacher"

    @property
    def database(self) -> Path:
        return self.home / ".n8n" / "database.sqlite"

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def log(self) -> Path:
        return self.home / "n8n.log"

    @property
    def environment(self) -> dict[str, str]:
        names = ("LANG", "TMPDIR", "USER")
        variables = {
            **{name: os.environ[name] for name in names if name in os.environ},
            **QUIET,
            "PATH": f"{node(WHERE)}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(self.home),
            "N8N_USER_FOLDER": str(self.home),
            "N8N_ENCRYPTION_KEY": "for-tests-on-loopback",
            "N8N_HOST": "127.0.0.1",
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_PORT": str(self.port),
            "N8N_RUNNERS_BROKER_PORT": str(self._broker),
            "N8N_DISABLE_UI": "false" if self.with_editor else "true",
            "N8N_BLOCK_ENV_ACCESS_IN_NODE": "false",
            "ANTHROPIC_BASE_URL": self.model_url,
            "ANTHROPIC_API_KEY": KEY,
            "N8N_WEBHOOK_TOKEN": TOKEN,
            **self.more,
        }
        return {name: value for name, value in variables.items() if value is not None}

    def command(self, *arguments: str) -> str:
        """Run an n8n command, and return its output."""
        done = subprocess.run(
            [WHERE / "node_modules/.bin/n8n", *arguments],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        text = done.stdout.decode(errors="replace")
        # n8n 2.39.10 now and then crashes while it exits from an import that is complete.
        crashed = done.returncode == -signal.SIGSEGV and "Successfully imported" in text
        if done.returncode and not crashed:
            raise N8nError(f"n8n {' '.join(arguments)}: {text[-2000:]}")
        return text

    def import_workflows(self, *workflows: str, publish: bool = True) -> None:
        """Import the shipped credentials and workflows as N8N_SETUP.md says."""
        self.command("import:credentials", f"--input={SHIPPED / 'credentials.json'}")
        for name in workflows:
            path = SHIPPED / f"{name}.json"
            self.command("import:workflow", f"--input={path}")
            if publish:
                identity = json.loads(path.read_text(encoding="utf-8"))["id"]
                self.command("publish:workflow", f"--id={identity}")

    def start(
        self, ready: str = "webhook/prompt-learning-teacher", status: int | None = 403
    ) -> None:
        """Start serving, and wait until the path answers a POST without token as expected.

        Args:
            ready: The path.
            status: The expected status; None is any refusal. (While n8n starts, it answers 200 with
                a page that asks to wait, then 404.)
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [WHERE / "node_modules/.bin/n8n", "start"],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_until_ready(ready, status)

    def wait_until_ready(
        self, ready: str = "webhook/prompt-learning-teacher", status: int | None = 403
    ) -> None:
        """Wait until the path answers as `start` expects it."""
        process = self._process
        assert process is not None
        # `/healthz` answers 200 before the webhooks exist, so it is not used here.
        end = time.monotonic() + _READY_SECONDS
        while not _is_expected(now := post_status(f"{self.url}/{ready}"), status):
            if process.poll() is not None or time.monotonic() > end:
                self.kill()
                text = self.log.read_text(encoding="utf-8", errors="replace")
                raise N8nError(f"n8n did not come up ({now}): {text[-3000:]}")
            time.sleep(0.2)

    def stop(self, grace_seconds: float = 20) -> None:
        """Ask it and its runner to exit, and kill what is left after the grace."""
        self._end(signal.SIGTERM, grace_seconds)

    def kill(self) -> None:
        """Kill it and its runner at once, like a power failure."""
        self._end(signal.SIGKILL, 20)

    def _end(self, how: signal.Signals, grace_seconds: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        group = process.pid
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)  # what is left of it, its runner too
        process.wait()


def post_status(url: str) -> int:
    """Return the status of a POST without a token; 0 if there is no answer."""
    request = urllib.request.Request(url, b"{}", {"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 -- loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def _is_expected(status: int, expected: int | None) -> bool:
    return status == expected if expected is not None else status in _REFUSED


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
