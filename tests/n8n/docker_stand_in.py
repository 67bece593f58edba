"""Do what the guide's `docker` commands do, with the n8n from npm in place of a container.

It knows these commands and nothing else, so that a wrong one is an error. The container's files
are in `container` in the home folder; its variables are those of `env_file` in `compose.yaml`.
"""

import os
import subprocess
import sys
from pathlib import Path

import yaml

HOME = Path(os.environ["HOME"])
ROOT = HOME / "container"


def read_service() -> dict[str, object]:
    """Return the service `n8n` of the compose file in this folder."""
    compose = yaml.safe_load(Path("compose.yaml").read_text(encoding="utf-8"))
    service = compose["services"]["n8n"]
    assert isinstance(service, dict)
    return service


def run_n8n(arguments: list[str], mounts: dict[str, str]) -> int:
    """Run an n8n command as in the container, whose folders are elsewhere here."""
    variables = read_lines(Path("n8n.env"))
    places = {**mounts, "/tmp": str(ROOT / "tmp")}  # noqa: S108 - the container's own
    done = subprocess.run(
        ["n8n", *(translate(each, places) for each in arguments)],
        env={**os.environ, **variables},
        check=False,
    )
    return done.returncode


def translate(argument: str, places: dict[str, str]) -> str:
    """Return an argument with the path that a file of the container has here."""
    option, equals, path = argument.partition("=")
    for inside, outside in places.items():
        if path.startswith(f"{inside}/"):
            return f"{option}{equals}{outside}{path.removeprefix(inside)}"
    return argument


def read_lines(path: Path) -> dict[str, str]:
    """Return the variables of a file with lines of NAME=value."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line)


def main(arguments: list[str]) -> int:
    """Run one command of the guide."""
    match arguments:
        case ["compose", "run", "--rm", "-v", mount, "n8n", *command]:
            outside, inside, mode = mount.split(":")
            assert mode == "ro"
            assert read_service()["env_file"] == "n8n.env"
            return run_n8n(command, {inside: outside})
        case ["compose", "run", "--rm", "n8n", *command]:
            return run_n8n(command, {})
        case ["compose", "up", "-d"]:
            assert read_service()["restart"]
        case ["cp", source, target]:
            name, path = target.split(":")
            assert name == "n8n"
            destination = ROOT / path.lstrip("/")
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_bytes(Path(source).read_bytes())
        case ["exec", "-u", "node", "n8n", "n8n", *command]:
            return run_n8n(command, {})
        case ["restart", "n8n"]:
            pass
        case _:
            sys.exit(f"docker: not in the guide: {arguments}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
