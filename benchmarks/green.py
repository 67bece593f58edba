"""An attempt that is green at once, beside a shell script with the same children.

Both let Claude Code, with a replay model, repair one line of a small project, take the diff and run
the suite once. Only the attempt is timed, from the moment before the agent starts to the verdict:
what a run costs at its start and end is in the table of the loop.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import children, projects
from benchmarks.comparison import FILES, RIGHT
from benchmarks.machine import environment
from benchmarks.results import Table, spread
from orchestrator import events
from orchestrator.agents import claude_environment
from orchestrator.agents.claude_program import find_program
from orchestrator.agents.permissions import build_suite_permissions
from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.services.runs import start_run
from orchestrator.suites.environment import build_project_environment

ROUNDS: Final = 12
TASK: Final = "Fix `cents`."
SUITE: Final = f"{sys.executable} -m pytest tests/ -v --tb=short"
_HERE: Final = Path(__file__).parent

_SCENARIO: Final = """
answers:
  - when: {speaker: agent}
    steps:
      - tools:
          - name: Bash
            input: {command: "${repair}", description: Repair the module}
      - say: It is repaired.
"""


def measure() -> Table:
    """Measure both, by turns."""
    found: dict[str, list[float]] = {"script": [], "loop": []}
    with TemporaryDirectory(prefix="benchmark-") as folder, _arena(Path(folder).resolve()) as env:
        _loop(Path(folder), env)  # the first one compiles bytecode, and fills Claude Code's folder
        _script(Path(folder), env)
        for number in range(ROUNDS):
            turns = ["script", "loop"] if number % 2 else ["loop", "script"]
            for who in turns:
                found[who].append((_loop if who == "loop" else _script)(Path(folder), env))
    ratios = [ours / floor for ours, floor in zip(found["loop"], found["script"], strict=True)]
    row = (spread(found["script"], " s"), spread(found["loop"], " s"), spread(ratios, "x"))
    return Table(
        f"An attempt that is green at once (median and quartiles of {ROUNDS} rounds)",
        ("script", "loop", "ratio", "aim"),
        ((*row, "at most 1.10x"),),
        {**found, "median ratio": [statistics.median(ratios)]},
    )


@contextmanager
def _arena(folder: Path) -> Iterator[dict[str, str]]:
    """Make the project and the model; give the environment in which both work."""
    project = folder / "project"
    for name, text in FILES.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    projects.commit(project)
    (folder / "config.yaml").write_text(
        json.dumps(
            {
                "tests": {"command": SUITE},
                "claude": {"allowed_tools": ["Bash(printf *)"]},
                "limits": {"max_agent_starts_per_hour": None},
            }
        ),
        encoding="utf-8",
    )
    with ReplayServer(parse_scenario(_SCENARIO), variables={"repair": RIGHT}) as model:
        yield {
            **environment(),
            "RUNS": str(folder / "runs"),
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "no-key-is-needed",
            "CLAUDE_CONFIG_DIR": str(folder / "claude"),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }


def _loop(folder: Path, env: Mapping[str, str]) -> float:
    """Run the loop, and return the seconds of its one attempt."""
    projects.put_back(folder / "project")
    marks: dict[type[events.Event], float] = {}
    os.environ["RUNS"] = env["RUNS"]  # the suite's environment is this process's own
    result = start_run(
        TASK,
        folder / "project",
        folder / "config.yaml",
        listener=lambda event: marks.__setitem__(type(event), time.perf_counter()),
        environment=env,
        state=folder / "state",
    )
    if result.outcome is not RunOutcome.SOLVED or len(result.attempts) != 1:
        raise RuntimeError(f"the attempt was not green at once: {result.outcome} {result.message}")
    return marks[events.AttemptFinished] - marks[events.AttemptStarted]


def _script(folder: Path, env: Mapping[str, str]) -> float:
    """Run the script, and return its seconds."""
    projects.put_back(folder / "project")
    (folder / "out").mkdir(exist_ok=True)
    own = claude_environment.build_child_environment(
        build_project_environment(folder / "project", env), folder / "project"
    )
    own |= {
        "TASK": TASK,
        "SUITE": SUITE,
        "CLAUDE": str(find_program()),
        "ALLOWED": ",".join(build_suite_permissions(SUITE)),
        "OUT": str(folder / "out"),
    }
    argv = ["sh", str(_HERE / "floor_green.sh")]
    spent = children.run(argv, folder / "project", own, folder / "output")
    if spent.exit_code:
        raise RuntimeError((folder / "output").read_text(encoding="utf-8", errors="replace"))
    return spent.seconds
