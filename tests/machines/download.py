"""Download with pip, and show how far it is: `python -m tests.machines.download DIR [arguments]`.

A folder of our own, because not every index lets pip cache what comes from it: what is there once
is not downloaded again, after Ctrl-C or for another interpreter. pip moves files there at its end,
so a call that is cut short keeps none. pip's own output is a line or two for each of a hundred
packages; without it a slow download looks like a program that hangs. Knows the standard library
only, because nothing is installed yet. What pip says on standard error, and its exit code, go
through as they are.
"""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.machines.heartbeat import heartbeat

_COMES = re.compile(
    r"\s*(Downloading|Using cached) (\S+?)-\d\S*(?<!\.metadata) \(([\d.]+) (bytes|kB|MB|GB)\)"
)
_IS_THERE = re.compile(r"\s*File was already downloaded (.+)")
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_BYTES = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_LARGE = 5 * 10**6
"""Bytes from which on a file has a line of its own where lines cannot be overwritten."""


@dataclass
class Progress:
    """How far pip has come; sizes in bytes."""

    packages: int = 0
    finished: float = 0
    """Of the files before the present one."""
    file: str = ""
    size: float = 0
    arrived: float = 0

    def begin(self, file: str, size: float, arrived: float) -> None:
        """Go on to the next file."""
        self.finished += self.size
        self.packages += 1
        self.file, self.size, self.arrived = file, size, arrived

    def __str__(self) -> str:
        megabytes = (self.finished + self.arrived) / 10**6
        return f"package {self.packages}, {megabytes:.0f} MB: {self.file}"


def follow(lines: Iterable[str]) -> Iterator[Progress]:
    """Read pip's output; yield the progress whenever it changes."""
    now = Progress()
    for line in lines:
        if found := _COMES.match(line):
            size = float(found[3]) * _BYTES[found[4]]
            now.begin(found[2], size, 0 if found[1] == "Downloading" else size)
        elif found := _IS_THERE.match(line):
            file = Path(found[1].strip())
            size = file.stat().st_size if file.is_file() else 0
            now.begin(file.name.partition("-")[0], size, size)
        elif found := _PROGRESS.match(line):
            now.arrived = float(found[1])
        else:
            continue
        yield now


def main(folder: str, *arguments: str) -> int:
    """Run pip; return its exit code."""
    for wheel in Path(folder).glob("*.whl"):
        if not zipfile.is_zipfile(wheel):
            wheel.unlink()  # a disk that was full; pip finds out only where the index has hashes
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    with subprocess.Popen(
        [*pip, "--progress-bar", "raw", "-d", folder, *arguments],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as child:
        assert child.stdout
        now, announced = Progress(), set[str]()
        with heartbeat(lambda: str(now) if now.packages else "choosing the versions"):
            for now in follow(child.stdout):
                announce_large_file(now, announced)
        return child.wait()


def announce_large_file(now: Progress, announced: set[str]) -> None:
    """Print a line for a large file that is fetched, once, where lines cannot be overwritten."""
    is_fetched = now.size >= _LARGE and now.arrived < now.size
    if is_fetched and now.file not in announced and not sys.stdout.isatty():
        announced.add(now.file)
        print(f"  downloading {now.file}, {now.size / 10**6:.0f} MB", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on.")
        sys.exit(130)
