"""A job with all that can go wrong in a path, and a program that records how it was started."""

import json
import sys
from pathlib import Path

from hypothesis import strategies as st

from orchestrator.sessions.schedule.job import ClockTime, Job

ODD = "Müller's 100% & <50>$HOME"
"""The name of a folder."""

WORDS = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Zl", "Zp"])
    | st.sampled_from("%\\\"'$ &<>;#"),
    min_size=1,
    max_size=30,
).filter(lambda text: text.isprintable())
CLOCKS = st.builds(ClockTime, st.integers(0, 23), st.integers(0, 59))

_RECORDER = """#!{python} -I
import json, os, sys
record = {{"argv": sys.argv, "env": dict(os.environ)}}
with open({target!r}, "w", encoding="utf-8") as file:
    json.dump(record, file)
print("said")
print("complained", file=sys.stderr)
"""


def make_recorder(folder: Path) -> tuple[Path, Path]:
    """Write a program that records its arguments and variables; give it, and the record's path."""
    folder.mkdir(parents=True, exist_ok=True)
    program, record = folder / "prögram", folder / "record.json"
    program.write_text(_RECORDER.format(python=sys.executable, target=str(record)), "utf-8")
    program.chmod(0o755)
    return program, record


def read_record(path: Path) -> tuple[list[str], dict[str, str]]:
    """Return the arguments (without the program) and variables that were recorded."""
    record = json.loads(path.read_text("utf-8"))
    return record["argv"][1:], record["env"]


def make_job(folder: Path, program: Path | str = "/usr/bin/true", hour: int = 2) -> Job:
    """Make a job that starts a program."""
    variables = {"PATH": f"{folder}/bin:/usr/bin", "HOME": str(folder), "USER": "ü % $x"}
    command = (str(program), "-P", "review", '100% $HOME `x` "y"')
    return Job(command, variables, ClockTime(hour, 5), folder / "state dir" / "review.log")
