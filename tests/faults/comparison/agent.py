"""A coding agent that solves the task, and changes files of all kinds.

    python agent.py KIND     (the prompt comes on standard input)

KIND says what else it does: `breaks` what worked before, makes nothing worse (`wobbles`: a test
that is unsteady begins to fail), or `adds` tests.
"""

import os
import sys
from pathlib import Path


def main() -> None:
    kind = sys.argv[1]
    sys.stdin.read()
    write("answers.py", "def answer():\n    return 42\n")
    write("build_info.py", Path("build_info.py").read_text("utf-8").replace("before", "attempt"))
    if kind == "breaks":
        write("kept.py", "def kept():\n    return 0\n\n\ndef wobble():\n    return 1\n")
        write("tool.py", "raise SystemExit(1)\n")
    if kind == "wobbles":
        write("kept.py", "def kept():\n    return 1\n\n\ndef wobble():\n    return 2 - 1\n")
        Path(os.environ["KILLS_PLAN"]).with_name("runs.txt").write_text("0", encoding="ascii")
    if kind == "adds":
        write("tests/test_new.py", "def test_new():\n    assert True\n")
    change_other_files()
    print("done")


def change_other_files() -> None:
    """Add, remove, replace and chmod, as an attempt may."""
    Path("old.py").unlink()
    Path("swapped.txt").unlink()
    write("swapped.txt/inside.txt", "a folder that was a file\n")
    Path("link.txt").unlink()
    Path("link.txt").symlink_to("tool.txt")
    Path("tool.txt").chmod(0o644)
    write("lines.txt", "the attempt's\r\nno line end")
    write("pkg/deep/added.py", "added = 1\n")
    write("pkg/deep/empty.py", "")
    write("run.txt", "#!/bin/sh\n")
    Path("run.txt").chmod(0o755)
    write("closed/secret.txt", "the attempt's own secret\n")
    Path("closed/secret.txt").chmod(0o600)
    Path("closed").chmod(0o700)
    Path("new link.txt").symlink_to("pkg/deep")
    write("empty/filled.txt", "\x00\x01")
    write("private/ignored.txt", "what git ignores\n")


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


main()
