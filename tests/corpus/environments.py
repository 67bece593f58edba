"""Virtual environments for the projects of the cases.

Cases damage the environment that they use: each worker has a copy, made again once it is not the
same any more.
"""

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Final

PYTEST_ONLY: Final = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py")
"""The packages without which pytest does not run."""

Signature = frozenset[tuple[str, int, int]]


class Environment:
    """A copy of `source` at `folder`, for one case after the other."""

    def __init__(self, source: Path, folder: Path) -> None:
        self._source, self.folder = source, folder
        self._signature: Signature | None = None

    def renew(self) -> Path:
        """Make the copy, unless it is there and as it was made; return its folder."""
        if self._signature is None or compute_signature(self.folder) != self._signature:
            shutil.rmtree(self.folder, ignore_errors=True)
            copy_environment(self._source, self.folder)
            self._signature = compute_signature(self.folder)
        return self.folder


def copy_environment(source: Path, folder: Path, only: Collection[str] = ()) -> None:
    """Make an environment with the packages of another one.

    Args:
        source: the environment to copy.
        folder: where to make it.
        only: the import names of the packages to copy; all if empty.
    """
    python = source / "bin" / "python"
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    for path in _find_packages(source).iterdir():
        if not only or path.name.split("-")[0].split(".")[0] in only:
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, _find_packages(folder) / path.name)
    for name in ("pytest", "py.test"):
        _write_script(folder / "bin" / name, folder / "bin" / "python")


def compute_signature(folder: Path) -> Signature:
    """Return path, size and time of every file, compiled ones apart."""
    found = set()
    for path in folder.rglob("*"):
        if path.suffix != ".pyc" and not path.is_dir():
            state = path.lstat()
            found.add((str(path), state.st_size, state.st_mtime_ns))
    return frozenset(found)


def _find_packages(environment: Path) -> Path:
    return next((environment / "lib").glob("python3*/site-packages"))


def _write_script(path: Path, python: Path) -> None:
    path.write_text(
        f"#!{python}\nimport sys\n\nfrom pytest import console_main\n\n"
        'if __name__ == "__main__":\n    sys.exit(console_main())\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
