"""Read N8N_SETUP.md, and run its commands like a person with several terminals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from tests.n8n.server import KEY, ROOT, WHERE, N8n
from tests.replay.claude import claude_binary

if TYPE_CHECKING:
    from collections.abc import Mapping

GUIDE: Final = (ROOT / "N8N_SETUP.md").read_text(encoding="utf-8")
BLOCKS: Final = [
    (kind, dedent(text))
    for kind, text in re.findall(r"^ *```(\w+)\n(.*?)^ *```$", GUIDE, re.MULTILINE | re.DOTALL)
]
PROSE: Final = re.sub(r"^ *```.*?^ *```$", "", GUIDE, flags=re.MULTILINE | re.DOTALL)
"""The guide without its blocks."""
PORT: Final = "5678"

_PROGRAM: Final = WHERE / "node_modules" / ".bin" / "n8n"
_N8N: Final = """\
[ "$1" = start ] && exec env -0 > {started}
output=$({n8n} "$@" 2>&1)
code=$?
printf '%s\\n' "$output"
case "$code:$output" in 139:*"Successfully imported"*) exit 0 ;; esac
exit $code
:"""
"""Runs a command of n8n. The server itself is started by the test, with the variables of this
shell. n8n 2.39.10 crashes in one of four imports while it exits, after its work is done."""

FROM_GUIDE: Final = (
    "ANTHROPIC_API_KEY",
    "N8N_BLOCK_ENV_ACCESS_IN_NODE",
    "N8N_LISTEN_ADDRESS",
    "N8N_WEBHOOK_TOKEN",
)
"""What n8n must get by following the guide, and not from the tests."""


def blocks(language: str) -> list[str]:
    """Return the guide's blocks in a language, in their order."""
    return [text for kind, text in BLOCKS if kind == language]


def read_commands() -> dict[str, list[str]]:
    """Return the blocks of commands below each heading that has some."""
    parts = re.split(r"^#+ (.*)$", GUIDE, flags=re.MULTILINE)
    found = {
        heading: [dedent(b) for b in re.findall(r"^ *```bash\n(.*?)^ *```$", text, re.M | re.S)]
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {heading: commands for heading, commands in found.items() if commands}


COMMANDS: Final = read_commands()


class GuideN8n(N8n):
    """An n8n that has of the guide's variables only those that are in `more`."""

    @property
    def environment(self) -> dict[str, str]:
        given = {n: v for n, v in super().environment.items() if n not in FROM_GUIDE}
        return {**given, **{name: value for name, value in self.more.items() if value}}

    def restart(self, ready: str = "webhook/prompt-learning-teacher") -> None:
        """Start it with the variables of the guide's file `n8n.env`, as systemd does."""
        self.stop()
        self.more = read_variables(self.home / "n8n-teacher" / "n8n.env")
        self.start(ready)


@dataclass
class Terminal:
    """A shell that is opened in the home folder, and stays in its folder between commands.

    Only what a command exports is known to the next one, and nothing of another terminal's.
    """

    server: N8n
    folder: Path | None = None
    exported: dict[str, str] = field(default_factory=dict)

    def run(self, *commands: str) -> str:
        """Run blocks of the guide, and return what they print."""
        home = self.server.home
        end = home / "variables"
        script = f"set -euo pipefail\n{''.join(commands)}\nenv -0 > {quote(str(end))}\n"
        done = subprocess.run(
            ["bash", "-c", script.replace(PORT, str(self.server.port))],
            cwd=self.folder or home,
            env={**self.server.environment, **self._tools(), **self.exported},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"exit code {done.returncode}: {done.stdout[-3000:]}"
        after = dict(
            each.split("=", 1) for each in end.read_text(encoding="utf-8").split("\0") if each
        )
        self.folder = Path(after["PWD"])
        self.exported = {
            name: value
            for name, value in after.items()
            if name in FROM_GUIDE or name.startswith("ORCHESTRATOR_")
        }
        return done.stdout

    def _tools(self) -> dict[str, str]:
        """Return the variables with which the guide's programs are found, n8n's among them."""
        home = self.server.home
        tools = home / "tools"
        if not tools.exists():
            tools.mkdir()
            # A link, as pipx makes it: the guide follows it to the package.
            (tools / "orchestrator").symlink_to(Path(sys.executable).parent / "orchestrator")
            stand_in = Path(__file__).with_name("docker_stand_in.py")
            for name, command in {
                "claude": quote(str(claude_binary())),
                "docker": f"{quote(sys.executable)} {quote(str(stand_in))}",
                "n8n": _N8N.format(started=quote(str(home / "started")), n8n=quote(str(_PROGRAM))),
            }.items():
                (tools / name).write_text(f'#!/bin/sh\n{command} "$@"\n', encoding="utf-8")
                (tools / name).chmod(0o755)
        return {
            "PATH": f"{tools}{os.pathsep}{self.server.environment['PATH']}",
            "ORCHESTRATOR_STATE_DIR": str(home / "state"),
            "CLAUDE_CONFIG_DIR": str(home / "claude"),
            "NO_PROXY": os.environ["NO_PROXY"],
        }


def read_variables(path: Path) -> dict[str, str]:
    """Return the variables of a file as systemd and Docker read it: lines of NAME=value."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line)


def enter_key(folder: Path) -> None:
    """Replace `your-key` in `n8n.env`, as the guide asks a person to do with an editor."""
    path = folder / "n8n.env"
    text = path.read_text(encoding="utf-8")
    assert text.count("your-key") == 1
    path.write_text(text.replace("your-key", KEY), encoding="utf-8")


def read_started(server: N8n) -> Mapping[str, str]:
    """Return the guide's variables in the shell where it started n8n."""
    text = (server.home / "started").read_text(encoding="utf-8")
    started = dict(each.split("=", 1) for each in text.split("\0") if each)
    return {name: started[name] for name in FROM_GUIDE if name in started}
