"""Programs that stand in for `systemctl`, `loginctl`, `launchctl` and `crontab` on the PATH.

They are real child processes, and as strict as the real ones. Each call is added to `calls`; a line
of `faults` (`<program> <word> <what>`) makes a program fail, or kill the process that started it,
when the word is among its arguments.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(sys.argv[0]).parent
WANTS = "timers.target.wants"


def run_crontab(arguments: list[str]) -> int:
    table = FOLDER / "crontab.txt"
    if arguments == ["-l"]:
        if not table.exists():
            return complain("no crontab for anna")
        sys.stdout.buffer.write(table.read_bytes())
        return 0
    if arguments == ["-r"]:
        table.unlink()
        return 0
    data = sys.stdin.buffer.read()
    if data and not data.endswith(b"\n"):
        return complain("new crontab file is missing newline before EOF, can't install.")
    if any(len(line) >= 1000 for line in data.split(b"\n")):
        return complain("command too long")
    table.write_bytes(data)
    return 0


def run_systemctl(arguments: list[str]) -> int:
    assert arguments[0] == "--user"
    units = Path(os.environ["HOME"]) / ".config/systemd/user"
    link = units / WANTS / arguments[-1]
    if arguments[1] == "show":
        sys.stdout.write("252.39\n")
    elif arguments[1] in ("enable", "restart", "disable"):
        if not (units / arguments[-1]).exists():
            return complain(f"Unit file {arguments[-1]} does not exist.")
        if arguments[1] == "enable":
            link.parent.mkdir(exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(units / arguments[-1])
        elif arguments[1] == "disable":
            link.unlink(missing_ok=True)
    return 0


def run_loginctl(arguments: list[str]) -> int:
    sys.stdout.write("no\n")
    return 0


def run_launchctl(arguments: list[str]) -> int:
    loaded = FOLDER / "loaded"
    if arguments[0] == "bootstrap":
        if loaded.exists():
            return complain("Bootstrap failed: 5: Input/output error")
        loaded.write_bytes(Path(arguments[2]).read_bytes())
        return 0
    if not loaded.exists():
        return complain("Could not find service")
    if arguments[0] == "bootout":
        loaded.unlink()
    return 0


def complain(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1


PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "crontab": run_crontab,
    "systemctl": run_systemctl,
    "loginctl": run_loginctl,
    "launchctl": run_launchctl,
}


def main() -> int:
    name, arguments = Path(sys.argv[0]).name, sys.argv[1:]
    with (FOLDER / "calls").open("a", encoding="utf-8") as calls:
        calls.write(f"{name} {' '.join(arguments)}\n")
    faults = FOLDER / "faults"
    for line in faults.read_text("utf-8").splitlines() if faults.exists() else ():
        program, word, what = line.split(maxsplit=2)
        if program == name and word in arguments:
            if what == "kill":
                os.kill(os.getppid(), signal.SIGKILL)
                return 1
            return complain(what)
    return PROGRAMS[name](arguments)


if __name__ == "__main__":
    sys.exit(main())
