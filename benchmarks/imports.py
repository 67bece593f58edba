"""What commands cost before they do their work: CPU time, as a ratio to `import click`."""

import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import children, projects
from benchmarks.machine import environment
from benchmarks.results import Table, spread
from orchestrator.replay import ReplayServer, parse_scenario

ROUNDS: Final = 15

FLOOR: Final = "`import click`"
PROGRAMS: Final = {
    FLOOR: ("-c", "import click"),
    "`orchestrator runs`": ("-m", "orchestrator", "runs"),
    "`orchestrator config show`": ("-m", "orchestrator", "config", "show"),
    "`orchestrator rules list`": ("-m", "orchestrator", "rules", "list"),
    "our own modules of a run": ("-c", "import orchestrator.services.runs"),
    "`import dbos`, in every run": ("-c", "import dbos"),
    "`import anthropic`, with the first lesson": (
        "-c",
        "import gc; gc.disable(); import anthropic",
    ),
}
AIMS: Final = {
    "`orchestrator runs`": "at most 2x",
    "`orchestrator config show`": "at most 4x",
    "`orchestrator rules list`": "at most 4x",
}
ASKING: Final = "`report-failure`, until the teacher is asked"

_REPORT: Final = ("--failure-type", "planning_error", "--description", "It guessed.")
_SCENARIO: Final = """
answers:
  - when: {speaker: teacher}
    reply:
      delay: 0.2 # time for a look
      json:
        {reason: It guessed., action: none, target: null, paths: [], rule: "", when: "", why: ""}
"""


def measure() -> Table:
    """Let all take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in (*PROGRAMS, ASKING)}
    with TemporaryDirectory(prefix="benchmark-") as folder:
        project = projects.example(Path(folder) / "project")
        for number in range(ROUNDS + 1):
            spent = {name: _start(argv, project) for name, argv in PROGRAMS.items()}
            spent[ASKING] = _ask(project)
            if number:  # the first one may compile bytecode
                for name, value in spent.items():
                    seconds[name].append(value)
    rows = [
        (
            name,
            spread([1000 * each for each in taken], " ms", 0),
            spread([a / b for a, b in zip(taken, seconds[FLOOR], strict=True)], "x"),
            AIMS.get(name, ""),
        )
        for name, taken in seconds.items()
    ]
    return Table(
        f"CPU time of the start (median and quartiles of {ROUNDS} rounds)",
        ("what", "took", "ratio", "aim"),
        tuple(rows),
        seconds,
    )


def _start(argv: tuple[str, ...], project: Path) -> float:
    """Return the CPU seconds of a program that starts others at most to find out where it is."""
    env = {**environment(), "ORCHESTRATOR_STATE_DIR": str(project.parent / "state")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *argv], cwd=project, env=env, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{argv} ended with {done.returncode}\n{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _ask(project: Path) -> float:
    """Return the CPU seconds of a report until its request is there."""
    with ReplayServer(parse_scenario(_SCENARIO)) as model:
        env = {
            **environment(),
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "no-key-is-needed",
            "ORCHESTRATOR_STATE_DIR": str(project.parent / "state"),
            "NO_PROXY": "127.0.0.1",
        }
        spent = children.run(
            [sys.executable, "-m", "orchestrator", "report-failure", *_REPORT],
            project,
            env,
            project.parent / "output",
            until=lambda: bool(model.requests),
        )
        if spent.exit_code or len(model.requests) != 1:
            raise RuntimeError((project.parent / "output").read_text(encoding="utf-8"))
    projects.put_back(project)
    return spent.cpu_seconds
