"""Choose the versions that the Makefile installs: `make pins`.

Writes `constraints.txt` with the newest versions that go together, for every Python that
pyproject.toml admits, and `constraints-lowest.txt` with the oldest that it admits. Neither names a
host: whoever installs, installs from their own index. The first lines say how much there is to
download, which the Makefile shows before it begins; they are measured, on this machine.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FILES: Final = {"constraints.txt": "highest", "constraints-lowest.txt": "lowest-direct"}


def main() -> int:
    """Resolve, measure and write both files."""
    for name, resolution in FILES.items():
        print(f"{name}: resolving ({resolution}) ...", flush=True)
        pins = resolve_pins(resolution)
        file = ROOT / name
        file.write_text(pins, encoding="utf-8")
        print(f"{name}: {len(pins.splitlines())} pins; measuring the download ...", flush=True)
        file.write_text("\n".join([*_head(resolution, file), pins]), encoding="utf-8")
    print("Now run the tests: make test test-lowest test-pythons")
    return 0


def resolve_pins(resolution: str) -> str:
    """Return a line `name==version` for each package, with markers where platforms differ."""
    done = _run(
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config"),
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
    runtime = _download_sizes(constraints, ".")
    everything = {**runtime, **_download_sizes(constraints, "--group", "dev")}
    added = {name: size for name, size in everything.items() if name not in runtime}
    return [
        f"# The {what}, chosen by `make pins`. Do not edit.",
        f"# runtime: {_describe(runtime)}",
        f"# development: {_describe(added)}",
    ]


def _download_sizes(constraints: Path, *what: str) -> dict[str, int]:
    """Return the size in bytes of each file that an install of `what` downloads."""
    with tempfile.TemporaryDirectory() as folder:
        pip = (sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check")
        _run(*pip, "-d", folder, "-c", str(constraints), *what)
        files = {file.name: file.stat().st_size for file in Path(folder).iterdir()}
    return {name: size for name, size in files.items() if not name.startswith("prompt_learning")}


def _describe(sizes: dict[str, int]) -> str:
    return f"{len(sizes)} packages, about {sum(sizes.values()) / 1e6:.0f} MB to download"


def _run(*argv: str) -> str:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv[:5])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
