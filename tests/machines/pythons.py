"""Try every Python that this machine has: `make test-pythons`.

Looks on the PATH and in the folders of pyenv and uv, and runs the demo and the smoke test with
each interpreter from 3.11 on, in an environment of its own. A version that pyproject.toml claims
and that is not here, or an interpreter that cannot be tried, has a loud line and is no failure.
Runs on the standard library alone.
"""

from __future__ import annotations  # also an interpreter that is too old runs this file

import json
import os
import re
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(__file__).parents[2]
OLDEST: Final = (3, 11)

_NAME = re.compile(r"python3(\.\d+)?")
_ASK = """
import importlib.util, json, platform, sqlite3, sys
print(json.dumps({
    "version": platform.python_version(), "info": sys.version_info[:2], "prefix": sys.prefix,
    "base": sys.base_prefix, "kind": platform.python_implementation(),
    "sqlite": sqlite3.sqlite_version, "venv": bool(importlib.util.find_spec("ensurepip")),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine; `prefix` is where it is installed."""

    program: Path
    version: str
    minor: tuple[int, int]
    prefix: Path
    sqlite: str
    makes_venvs: bool

    def __str__(self) -> str:
        return f"Python {self.version} with SQLite {self.sqlite} ({self.program})"


def find_programs() -> Iterator[Path]:
    """Yield whatever is called `python3` or `python3.N` in the usual places."""
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    data = Path(os.environ.get("XDG_DATA_HOME", home / ".local/share"))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", data / "uv/python"))
    folders = [Path(part) for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part]
    for root in (pyenv / "versions", uv):
        folders += sorted(root.glob("*/bin"))
    for folder in folders:
        try:
            yield from sorted(file for file in folder.iterdir() if _NAME.fullmatch(file.name))
        except OSError:
            continue  # not there, or not ours to enter


def describe(program: Path) -> Interpreter | None:
    """Ask a program what it is; None if it is no CPython, or does not run here."""
    try:
        done = subprocess.run(
            [program, "-I", "-c", _ASK], capture_output=True, text=True, timeout=60, check=True
        )
        answer = json.loads(done.stdout)
        if answer["kind"] != "CPython" or answer["prefix"] != answer["base"]:
            return None  # a virtual environment is another's interpreter
        major, minor = answer["info"]
        prefix = Path(answer["base"]).resolve()
        return Interpreter(
            *(program, answer["version"], (major, minor)),
            *(prefix, answer["sqlite"], answer["venv"]),
        )
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, KeyError):
        return None  # such as a shim of pyenv for a version that is not chosen


def find_interpreters(programs: Iterable[Path]) -> list[Interpreter]:
    """Return each interpreter once, the oldest first."""
    found: dict[tuple[Path, str], Interpreter] = {}
    for program in programs:
        interpreter = describe(program)
        if interpreter and interpreter.minor >= OLDEST:
            found.setdefault((interpreter.prefix, interpreter.version), interpreter)
    return sorted(found.values(), key=lambda each: (each.minor, each.version, each.program))


def claimed_versions() -> list[tuple[int, int]]:
    """Return the versions that pyproject.toml names."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")  # tomllib came with 3.11
    return [(3, int(minor)) for minor in re.findall(r'"Programming .* :: 3\.(\d+)"', text)]


def try_interpreter(interpreter: Interpreter) -> bool:
    """Run the demo and the smoke test with an interpreter; return whether both passed."""
    name = f"python-{interpreter.version}-{zlib.crc32(os.fsencode(interpreter.prefix)):x}"
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    make = ["make", "--no-print-directory", f"PYTHON={interpreter.program}"]
    done = subprocess.run(
        [*make, f"VENV=build/environments/{name}", "demo", "smoke"],
        cwd=ROOT,
        env=environment,
        check=False,
    )
    return done.returncode == 0


def print_loudly(text: str) -> None:
    """Print a line that nobody overlooks."""
    print(f"########## {text} ##########", flush=True)


def main() -> int:
    """Try all; return 1 when one failed, or when none could be tried."""
    interpreters = find_interpreters(find_programs())
    results: list[str] = []
    outcomes: list[bool] = []
    for interpreter in interpreters:
        if not interpreter.makes_venvs:
            results.append(f"NOT TRIED: {interpreter} lacks ensurepip (Debian: python3-venv)")
            continue
        print(f"\n---------- {interpreter}", flush=True)
        started = time.monotonic()
        outcomes.append(try_interpreter(interpreter))
        word = "passed" if outcomes[-1] else "FAILED"
        results.append(f"{word}: {interpreter}, {time.monotonic() - started:.0f} s")
    here = {interpreter.minor for interpreter in interpreters}
    results += [
        f"NOT TRIED: Python {major}.{minor} is claimed and not on this machine"
        for major, minor in claimed_versions()
        if (major, minor) not in here
    ]
    print()
    for result in results:
        if result.startswith("passed"):
            print(result)
        else:
            print_loudly(result)
    return 0 if outcomes and all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
