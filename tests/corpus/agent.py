"""Act as the agent of an outcome: make its change, let the world change, end as the case says.

Run by path as a command agent, with the standard library only.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path


def main() -> int:
    """Make the change in the working directory; return the exit code of the case."""
    case = json.loads((Path(os.environ["CASE_DIR"]) / "change.json").read_text(encoding="utf-8"))
    for name, text in case["files"].items():
        _write(Path(name), text)
    if case["world"]:
        with urllib.request.urlopen(os.environ["RUNNER"] + "/world", data=b"") as answer:  # noqa: S310 -- loopback
            answer.read()
    agent = case["agent"]
    print(agent.get("stdout") or "Done: changed " + ", ".join(case["files"]))
    if agent.get("stderr"):
        print(agent["stderr"], file=sys.stderr)
    return int(agent.get("exit", 0))


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
