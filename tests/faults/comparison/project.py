"""A project with all kinds of files of a user's, whose suite can kill the program that runs it."""

import hashlib
import json
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

PLAN: Final = "KILLS_PLAN"
"""Names a link whose target says at which of its points the suite kills whom: `point process`.

A link, because a file that test code reads is guarded as the tests' data.
"""

POINTS: Final = 38
"""Points of one run of the suite: collected, three for each of the twelve tests, finished."""

_CONFTEST: Final = '''
import os, pathlib, re, signal, subprocess, time

HERE = pathlib.Path(__file__).parent
points = 0


def rewrite_build():
    """As a generator of code does: only the number of the run is new."""
    path = HERE / "build_info.py"
    made = re.sub(r"RUN = \\d+", f"RUN = {time.monotonic_ns()}", path.read_text())
    path.with_suffix(".new").write_text(made)
    path.with_suffix(".new").replace(path)


def write_log(word):
    with (HERE / "suite.log").open("a") as log:
        log.write(f"{word}\\n")


def reach_point():
    global points
    points += 1
    point, process = map(int, os.readlink(os.environ["KILLS_PLAN"]).split())
    if point != points:
        return
    os.kill(process, signal.SIGKILL)
    quiet = {"stdin": -3, "stdout": -3, "stderr": -3}
    subprocess.Popen(["sleep", "600"], start_new_session=True, **quiet)
    for _ in range(200):
        write_log("still there")
        rewrite_build()
        time.sleep(0.02)


def pytest_sessionstart():
    rewrite_build()
    write_log("started")


def pytest_collection_finish():
    reach_point()


def pytest_runtest_setup():
    reach_point()


def pytest_runtest_call():
    reach_point()


def pytest_runtest_teardown():
    reach_point()


def pytest_sessionfinish():
    reach_point()
'''

_WOBBLE: Final = '''
import os, pathlib

from kept import wobble

COUNT = pathlib.Path(os.environ["KILLS_PLAN"]).with_name("runs.txt")


def test_wobble():
    """Of the runs of one comparison, every other fails."""
    assert wobble() == 1
    if COUNT.exists():
        number = int(COUNT.read_text()) + 1
        COUNT.write_text(str(number))
        assert number % 2 == 0
'''

FILES: Final = {
    "answers.py": "def answer():\n    return 0\n",
    "kept.py": "def kept():\n    return 1\n\n\ndef wobble():\n    return 1\n",
    "old.py": "def old():\n    return 1\n",
    "tool.py": "print('works')\n",
    "build_info.py": "KIND = 'before'\nRUN = 0\n",
    "conftest.py": _CONFTEST,
    "tests/test_answer.py": (
        "from answers import answer\n\n\ndef test_answer():\n    assert answer() == 42\n"
    ),
    "tests/test_kept.py": "from kept import kept\n\n\ndef test_kept():\n    assert kept() == 1\n",
    "tests/test_wobble.py": _WOBBLE,
    "tests/test_tool.py": (
        'import subprocess, sys\n\nRUN = \'import runpy; runpy.run_path("tool" + ".py")\'\n\n\n'
        "def test_tool():\n"
        "    assert subprocess.run([sys.executable, '-ISc', RUN]).returncode == 0\n"
    ),
    "tests/test_more.py": (
        "import pytest\n\n\n@pytest.mark.parametrize('number', range(8))\n"
        "def test_more(number):\n    assert number < 8\n"
    ),
    ".gitignore": "suite.log\n.env\nprivate/\n__pycache__/\n*.new\n",
    "dos.txt": "one\r\ntwo\r\nno line end",
    "swapped.txt": "a file that becomes a folder\n",
    "tool.txt": "a script\n",
}

TASK: Final = "Make answer() return the right number."
SECRET: Final = "PASSWORD=mine\n"


def make_project(folder: Path, kind: str) -> Path:
    """Make a project in a folder, and return its path; `kind` is what its agent does."""
    project = folder / "project"
    for name, text in {**FILES, "orchestrator.yaml": _configuration(kind)}.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (project / "tool.txt").chmod(0o755)
    (project / "link.txt").symlink_to("dos.txt")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    _add_user_files(project)
    return project


def _add_user_files(project: Path) -> None:
    """Add what no commit has: untracked, ignored, staged and edited files, links, modes."""
    (project / ".env").write_text(SECRET, encoding="ascii")
    (project / ".env").chmod(0o600)
    (project / "private").mkdir(mode=0o700)
    (project / "private" / "key").write_bytes(bytes(range(256)))
    (project / "notes of mine.txt").write_bytes(b"mine\r\n\xff without a line end")
    (project / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"a name that is no text\n")
    (project / "dangling.txt").symlink_to("nowhere")
    (project / "empty").mkdir(mode=0o750)
    (project / "lines.txt").write_bytes(b"mine\n")
    (project / "lines.txt").chmod(0o640)
    subprocess.run(["git", "add", "lines.txt"], cwd=project, check=True)
    (project / "lines.txt").write_bytes(b"mine, and more\n")


def _configuration(kind: str) -> str:
    agent = [sys.executable, str(Path(__file__).with_name("agent.py")), kind]
    command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider tests"
    return json.dumps(
        {
            "agent": {"kind": "command", "command": agent},
            "tests": {"command": command},
            "learning": {"max_retries": 0},
            "failure_sources": [{"name": "pytest", "enabled": False}],
        }
    )


def read_entries(project: Path) -> dict[str, list[str]]:
    """Return what stands in a project: of each file, link and folder its kind, mode and content.

    What the suite itself writes is left out: its log, bytecode, and the number in `build_info.py`.
    """
    found = {}
    for folder, folders, files in os.walk(project):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in (*folders, *files):
            path = Path(folder) / name
            relative = path.relative_to(project).as_posix()
            if relative not in ("suite.log", "build_info.new"):
                found[relative] = _describe_entry(path)
    return found


def _describe_entry(path: Path) -> list[str]:
    at = path.lstat()
    if stat.S_ISLNK(at.st_mode):
        return ["link", "", str(path.readlink())]
    mode = f"{stat.S_IMODE(at.st_mode):o}"
    if stat.S_ISDIR(at.st_mode):
        return ["folder", mode, ""]
    content = path.read_bytes()
    if path.name == "build_info.py":
        content = re.sub(rb"RUN = \d+", b"RUN = N", content)
    return ["file", mode, f"{len(content)} {hashlib.sha256(content).hexdigest()}"]


def count_lost_bytes(expected: dict[str, list[str]], found: dict[str, list[str]]) -> int:
    """Return how many bytes of the expected files are not there as they were."""
    lost = (entry for name, entry in expected.items() if found.get(name, [])[2:] != entry[2:])
    return sum(int(entry[2].split()[0]) if entry[0] == "file" else 1 for entry in lost)
