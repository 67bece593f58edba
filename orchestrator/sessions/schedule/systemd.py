"""Write the user timer of systemd, and the service that it starts.

`Persistent=true` starts the service once after the machine was off or asleep at the time, however
often it was missed (systemd.timer(5)). The output is in the journal, which bounds itself.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from orchestrator.sessions.schedule.job import MARK, NAME, Job

SERVICE: Final = f"{NAME}.service"
TIMER: Final = f"{NAME}.timer"
LOG_COMMAND: Final = f"journalctl --user -u {SERVICE}"
_DESCRIPTION: Final = "Review of past Claude Code sessions (orchestrator)"


def find_units_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Return the folder of the user's units (systemd.unit(5))."""
    chosen = environment.get("XDG_CONFIG_HOME", "")
    config = Path(chosen) if chosen.startswith("/") else home / ".config"
    return config / "systemd" / "user"


def render_service(job: Job) -> str:
    """Return the text of the service."""
    variables = [
        f"Environment={quote_word(f'{name}={value}')}"
        for name, value in sorted(job.environment.items())
    ]
    lines = [
        f"# {MARK}; edit with: systemctl --user edit {SERVICE}",
        "[Unit]",
        f"Description={_DESCRIPTION}",
        "",
        "[Service]",
        "Type=oneshot",
        *variables,
        f"ExecStart={_quote_command(job.command)}",
        "UMask=0077",
        "Nice=10",
        "TimeoutStartSec=4h",
    ]
    return "\n".join(lines) + "\n"


def render_timer(job: Job) -> str:
    """Return the text of the timer."""
    lines = [
        f"# {MARK}; edit with: systemctl --user edit {TIMER}",
        "[Unit]",
        f"Description={_DESCRIPTION}, every night",
        "",
        "[Timer]",
        f"OnCalendar=*-*-* {job.at}:00",
        "Persistent=true",
        "RandomizedDelaySec=10min",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def quote_word(text: str) -> str:
    """Return a text as one word of a unit: quoted, and without specifiers (`%h`)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _quote_command(command: Sequence[str]) -> str:
    # systemd takes no program whose path has one of these.
    if any(each in command[0] for each in "\"'\\"):
        command = ("/usr/bin/env", *command)
    first, *arguments = command
    # `:` turns `$x` in a command into plain text, from systemd 244 on, where it is needed.
    prefix = ":" if any("$" in word for word in command) else ""
    return " ".join([quote_word(prefix + first), *map(quote_word, arguments)])
