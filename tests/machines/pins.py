"""Choose the versions that the Makefile installs: `make pins`.

Writes `constraints.txt` with the newest versions that go together, for every Python that
pyproject.toml admits, and `constraints-lowest.txt` with the oldest that it admits. Neither names a
host: whoever installs, installs from their own index. The first lines say how much an install
takes, which the Makefile shows before it begins; it is measured, for this machine.
"""

import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FILES: Final = {"constraints.txt": "highest", "constraints-lowest.txt": "lowest-direct"}


@dataclass(frozen=True)
class Size:
    """Bytes of a package: as it is downloaded, and unpacked."""

    download: int
    disk: int


def main() -> int:
    """Resolve, measure and write both files."""
    for name, resolution in FILES.items():
        print(f"{name}: resolving ({resolution}) ...", flush=True)
        pins = resolve_pins(resolution)
        print(f"{name}: {len(pins.splitlines())} pins; measuring ...", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_text(pins, encoding="utf-8")
            head = _head(resolution, file)
        (ROOT / name).write_text("\n".join([*head, pins]), encoding="utf-8")
    print("Now run the tests: make test test-lowest test-pythons")
    return 0


def resolve_pins(resolution: str) -> str:
    """Return a line `name==version` for each package, with markers where platforms differ."""
    done = _run(
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet"),
        *("--universal", "--python-version", _oldest_python(), "--resolution", resolution),
        *("--no-annotate", "--no-header", "--group", "dev", "--group", "setup", "pyproject.toml"),
    )
    if "://" in done:
        raise SystemExit(f"a pin names a host:\n{done}")
    return done


def _oldest_python() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["requires-python"]).removeprefix(">=")


def _head(resolution: str, constraints: Path) -> list[str]:
    what = "newest versions that go together" if resolution == "highest" else "oldest admitted"
    runtime = _sizes(constraints, ".")
    claude = _exclude_packages(runtime, _sizes(constraints, ".[claude]"))
    development = _exclude_packages({**runtime, **claude}, _sizes(constraints, "--group", "dev"))
    return [
        f"# The {what}, chosen by `make pins`. Do not edit.",
        f"# runtime: {_describe(runtime)}",
        f"# claude: {_describe(claude)}",
        f"# development: {_describe(development)}",
    ]


def _exclude_packages(base: dict[str, Size], sizes: dict[str, Size]) -> dict[str, Size]:
    return {name: size for name, size in sizes.items() if name not in base}


def _sizes(constraints: Path, *what: str) -> dict[str, Size]:
    """Return the size of each wheel that an install of `what` takes, by its file's name."""
    with tempfile.TemporaryDirectory() as folder:
        pip = (sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check")
        _run(*pip, "--prefer-binary", "-d", folder, "-c", str(constraints), *what)
        sizes = {file.name: _size(file) for file in Path(folder).glob("*.whl")}
    return {name: size for name, size in sizes.items() if not name.startswith("prompt_learning")}


def _size(wheel: Path) -> Size:
    with zipfile.ZipFile(wheel) as file:
        unpacked = sum(member.file_size for member in file.infolist())
    return Size(wheel.stat().st_size, unpacked)


def _describe(sizes: dict[str, Size]) -> str:
    download = sum(size.download for size in sizes.values()) / 1e6
    disk = sum(size.disk for size in sizes.values()) / 1e6
    return f"{len(sizes)} packages, {download:.0f} MB to download, {disk:.0f} MB on disk"


def _run(*argv: str) -> str:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv[:5])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
