"""Install with pip, and show how far it is: `python -m tests.machines.install [arguments]`.

pip unpacks hundreds of megabytes without a word. What is installed is counted by the folders with
metadata that packages have. Knows the standard library only, because nothing is installed yet.
What pip says, and its exit code, go through as they are.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.machines.heartbeat import heartbeat


def main(*arguments: str) -> int:
    """Run pip; return its exit code."""
    packages = Path(sysconfig.get_path("purelib"))
    before = count_packages(packages)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    with heartbeat(lambda: f"unpacked {count_packages(packages) - before} packages"):
        return subprocess.run([*pip, *arguments], check=False).returncode


def count_packages(folder: Path) -> int:
    """Return how many packages are installed in a folder."""
    return sum(1 for _ in folder.glob("*.dist-info"))


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on.")
        sys.exit(130)
