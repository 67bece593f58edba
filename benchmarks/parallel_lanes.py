"""How much sooner seven agents finish a list than one, and what the suite makes of it.

The agents are the real Claude Code; each reply of the scripted model takes 20 s, three for each
task. One agent does fewer tasks, whose time is scaled: they come one after the other, all alike.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks import children, projects
from benchmarks.machine import environment
from benchmarks.results import Table
from orchestrator.replay import ReplayServer, parse_scenario

TASKS: Final = 7
ALONE: Final = 2
"""Tasks that one agent does, scaled to all."""
LATENCY: Final = 20.0
"""Seconds before each reply of the model."""
REPLIES: Final = 3
SUITES: Final = {"short": 0.0, "10 s of CPU": 10.0}
"""Seconds of CPU time that one run of the suite takes beyond the start of pytest."""
AIM: Final = 6.0

_SUITE: Final = f"{sys.executable} -m pytest -q -p no:cacheprovider tests"
_TEST: Final = """\
import importlib, pathlib, time


def test_parts():
    while time.process_time() < {seconds}:
        pass
    for path in pathlib.Path("parts").glob("p*.py"):
        assert importlib.import_module(f"parts.{{path.stem}}").value() == 42
"""


def measure() -> Table:
    """Measure with each suite."""
    rows = list[tuple[str, ...]]()
    samples = dict[str, list[float]]()
    for name, seconds in SUITES.items():
        one, seven = _measure_list(ALONE, 1, seconds), _measure_list(TASKS, TASKS, seconds)
        scaled = one.seconds * TASKS / ALONE
        model = LATENCY * REPLIES
        rows.append(
            (
                name,
                f"{scaled:.0f} s",
                f"{one.seconds / ALONE - model:.1f} s",
                f"{seven.seconds:.0f} s",
                f"{seven.judged}",
                f"{seven.cpu_seconds:.0f} s",
                f"{scaled / seven.seconds:.1f}x",
                f"at least {AIM:g}x" if not seconds else "",
            )
        )
        samples |= {f"{name}: one": [one.seconds], f"{name}: seven": [seven.seconds]}
    return Table(
        f"Seven agents beside one: {TASKS} tasks, {REPLIES} replies of {LATENCY:g} s each "
        f"(one run; that of one agent has {ALONE} tasks, scaled)",
        (
            *("suite", "one agent", "beyond the model, a task", "seven agents"),
            *("combined suites", "CPU time of all", "ratio", "aim"),
        ),
        tuple(rows),
        samples,
    )


@dataclass(frozen=True)
class Spent:
    """What one list took."""

    seconds: float
    cpu_seconds: float
    """Of all its processes."""
    judged: int
    """How often the suite ran on a combined tree."""


def _measure_list(tasks: int, lanes: int, seconds: float) -> Spent:
    with TemporaryDirectory(prefix="benchmark-") as folder, _arena(Path(folder), seconds) as env:
        top = Path(folder).resolve()
        lines = [
            f"- [ ] T{n:03} Write part {n} [P] (files: parts/p{n}.py)\n  token: task-{n}-end\n"
            for n in range(tasks)
        ]
        listed = top / "project" / "tasks.md"
        listed.write_text("".join(lines), encoding="utf-8")
        argv = [sys.executable, "-m", "orchestrator", "tasks", "run", str(listed), "--json"]
        argv += ["--parallel", str(lanes), "--config", str(top / "config.yaml")]
        argv += ["--project-dir", str(top / "project")]
        before = os.times()
        spent = children.run(argv, top, env, top / "output")
        after = os.times()
        said = (top / "output").read_text(encoding="utf-8", errors="replace")
        # A benchmark of something that did not happen is worth nothing.
        if spent.exit_code or listed.read_text(encoding="utf-8").count("[x]") != tasks:
            raise RuntimeError(f"{argv} ended with {spent.exit_code}:\n{said[-4000:]}")
        cpu = sum(after[2:4]) - sum(before[2:4])
        return Spent(spent.seconds, cpu, said.count('"combined_suite_started"'))


@contextmanager
def _arena(folder: Path, seconds: float) -> Iterator[dict[str, str]]:
    """Make a project and a slow model; give the environment."""
    project = folder.resolve() / "project"
    files = {
        "parts/__init__.py": "",
        "conftest.py": "",
        "tests/test_parts.py": _TEST.format(seconds=seconds),
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    projects.commit(project)
    settings = {"tests": {"command": _SUITE}, "limits": {"max_agent_starts_per_hour": None}}
    (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")
    scenario = {"answers": [_answer(number) for number in range(TASKS)]}
    with ReplayServer(parse_scenario(json.dumps(scenario))) as model:
        yield {
            **environment(),
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "no-key-is-needed",
            "CLAUDE_CONFIG_DIR": str(folder / "claude"),
            "ORCHESTRATOR_STATE_DIR": str(folder / "state"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }


def _answer(number: int) -> dict[str, Any]:
    path = f"${{cwd}}/parts/p{number}.py"
    content = "def value():\n    return 42\n"
    calls = [
        {"name": "Read", "input": {"file_path": "${cwd}/parts/__init__.py"}},
        {"name": "Write", "input": {"file_path": path, "content": content}},
    ]
    steps: list[dict[str, Any]] = [{"tools": [call], "delay": LATENCY} for call in calls]
    return {
        "when": {"speaker": "agent", "contains": f"task-{number}-end"},
        "steps": [*steps, {"say": "Done.", "delay": LATENCY}],
    }


if __name__ == "__main__":
    started = time.monotonic()
    print(measure().plain, f"{time.monotonic() - started:.0f} s")
