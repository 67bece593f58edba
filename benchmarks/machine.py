"""The machine that a measurement was made on, and how busy it was."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent


def facts(load_before: float) -> dict[str, str]:
    """What has to be known to read the figures.

    Args:
        load_before: `os.getloadavg()[0]` from before the measurement.
    """
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "of": _output("git", "describe", "--always", "--dirty", "--abbrev=10"),
        "on": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "git": _output("git", "version").removeprefix("git version "),
        "load average": f"{load_before:.1f} before, {os.getloadavg()[0]:.1f} after",
    }


def environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A user's environment: one in which Python keeps the bytecode that it compiles."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    kept = {name: value for name, value in base.items() if name not in unwanted}
    return {**kept, "PYTHONPATH": str(ROOT)}


def _output(*argv: str) -> str:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
