"""End and undo what a case left behind."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil


def clean_up(folder: Path) -> None:
    """End the processes that belong to a case's folder, unmount what is mounted below it."""
    for _ in range(5):  # one that ends may be replaced by its parent
        found = list(find_processes(folder))
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=5)
        if not found:
            break
    for mounted in find_mounts(folder):
        subprocess.run(["umount", "--lazy", mounted], capture_output=True, check=False)


def remove_folder(folder: Path) -> None:
    """Remove a case's folder, immutable files included."""
    if shutil.which("chattr"):
        subprocess.run(["chattr", "-R", "-i", folder], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def find_processes(folder: Path) -> Iterator[psutil.Process]:
    """Yield the processes that work in a folder, or name it in arguments or environment."""
    for process in psutil.process_iter():
        if process.pid != os.getpid() and str(folder) in _describe(process):
            yield process


def find_mounts(folder: Path) -> list[str]:
    """Return what is mounted below a folder, the innermost first; nothing where /proc is not."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    points = [line.split(" ")[4] for line in lines]
    return [point for point in reversed(points) if point.startswith(f"{folder}/")]


def _describe(process: psutil.Process) -> str:
    words = []
    with contextlib.suppress(psutil.Error):
        words += process.cmdline()
    with contextlib.suppress(psutil.Error):
        words.append(process.cwd() or "")
    with contextlib.suppress(psutil.Error):
        words += process.environ().values()
    return "\n".join(words)
