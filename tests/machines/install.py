"""Install with pip, and show how far it is: `python -m tests.machines.install [pip's arguments]`.

pip's own output is a line or two for each of a hundred packages; without it a slow download looks
like a program that hangs. Knows the standard library only, because nothing is installed yet. What
pip says on standard error, and its exit code, go through as they are.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_FILE = re.compile(r"\s*(Downloading|Using cached) (.+?)-\d\S* \(([\d.]+) (bytes|kB|MB|GB)\)")
_BYTES = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_LARGE = 5 * 10**6
"""Bytes from which on a file has a line of its own where lines cannot be overwritten."""


@dataclass
class Progress:
    """How far pip has come."""

    packages: int = 0
    finished_bytes: float = 0
    """Of the files before the present one."""
    file: str = ""
    file_bytes: float = 0
    arrived_bytes: float = 0
    cached: bool = False

    def __str__(self) -> str:
        arrived = (self.finished_bytes + self.arrived_bytes) / 10**6
        return f"  {self.packages} packages, {arrived:.0f} MB: {self.file}"


def follow(lines: Iterable[str]) -> Iterator[Progress | str]:
    """Read pip's output; yield the progress whenever it changes, and what else to show."""
    now = Progress()
    for line in lines:
        if found := _FILE.match(line):
            now.finished_bytes += now.file_bytes
            now.packages += 1
            now.cached = found[1] == "Using cached"
            now.file = found[2]
            now.file_bytes = float(found[3]) * _BYTES[found[4]]
            now.arrived_bytes = now.file_bytes if now.cached else 0
            yield now
        elif found := _PROGRESS.match(line):
            now.arrived_bytes = float(found[1])
            yield now
        elif line.startswith("Installing collected packages"):
            yield f"  {now.packages} packages are here; unpacking them"


def main() -> int:
    """Run pip; return its exit code."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
    terminal = sys.stdout.isatty()
    with subprocess.Popen(
        [*pip, "--progress-bar", "raw", *sys.argv[1:]],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as child:
        assert child.stdout
        announced = ""
        for news in follow(child.stdout):
            if terminal:
                width = shutil.get_terminal_size().columns - 1
                print(f"\r\x1b[K{str(news)[:width]}", end="\n" * isinstance(news, str), flush=True)
            elif isinstance(news, str):
                print(news, flush=True)
            elif news.file_bytes >= _LARGE and news.file != announced and not news.cached:
                announced = news.file
                print(f"  downloading {news.file}, {news.file_bytes / 10**6:.0f} MB", flush=True)
        return child.wait()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on; what is downloaded is kept.")
        sys.exit(130)
