"""How many runs of the suite an attempt takes, by what it comes to; and what a green one costs.

The runs are counted by the suite itself: each adds a line to a file outside of the project. The
coding agent is a line of shell, so that nearly all that is left is the suite and ours.
"""

import json
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import children, projects
from benchmarks.machine import environment
from benchmarks.results import Table, spread
from orchestrator.replay import ReplayServer, parse_scenario

ROUNDS: Final = 8
SUITE: Final = f"{sys.executable} -m pytest tests/ -q"

_SCENARIO: Final = """
answers:
  - when: {speaker: teacher}
    reply:
      json: {reason: It guessed., action: add, target: null, paths: [],
             rule: Never guess., when: Always., why: Guesses fail.}
"""

FILES: Final = {
    "shop/__init__.py": "",
    "shop/prices.py": "def cents(text):\n    return int(float(text) * 100)\n",
    "shop/other.py": "def other():\n    return 1\n",
    "conftest.py": (
        "import os\n\nwith open(os.environ['RUNS'], 'a') as file:\n    file.write('run\\n')\n"
    ),
    "tests/test_prices.py": (
        "from shop.prices import cents\n\n\ndef test_plain():\n    assert cents('2') == 200\n"
    ),
    "tests/test_other.py": (
        "from shop.other import other\n\n\ndef test_other():\n    assert other() == 1\n"
    ),
}
_OLD: Final = {"tests/test_old.py": "def test_old():\n    assert 1 == 2\n"}
_FLAKY: Final = {
    "tests/test_flaky.py": (
        "import os\n\n\ndef test_flaky():\n"
        "    assert len(open(os.environ['RUNS']).readlines()) != 2\n"
    )
}
RIGHT: Final = "printf 'def cents(text):\\n    return round(float(text) * 100)\\n' >shop/prices.py"


@dataclass(frozen=True)
class Kind:
    """One kind of attempt."""

    name: str
    agent: str
    files: Mapping[str, str]
    exit_code: int


KINDS: Final = (
    Kind("green at once", RIGHT, {}, 0),
    Kind("green, with an old failure out of its reach", RIGHT, _OLD, 0),
    Kind("green, with a flaky case out of its reach", RIGHT, _FLAKY, 0),
    Kind(
        "breaks what passed",
        "printf 'def cents(text):\\n    return 0\\n' >shop/prices.py",
        {},
        1,
    ),
    Kind(
        "leaves the task's own test red",
        "printf 'def cents(text):\\n    return 7\\n' >shop/prices.py",
        {"tests/test_prices.py": "from shop.prices import cents\n\n\n"
         "def test_half():\n    assert cents('1.005') == 101\n"},
        1,
    ),
)  # fmt: skip


def measure() -> Table:
    """Count and time every kind of attempt."""
    rows = []
    samples: dict[str, list[float]] = {}
    for kind in KINDS:
        with TemporaryDirectory(prefix="benchmark-") as folder:
            seconds, runs = [], set()
            for _ in range(ROUNDS):
                spent, count = _run(Path(folder), kind)
                seconds.append(spent)
                runs.add(count)
        samples[kind.name] = seconds
        counted = ", ".join(map(str, sorted(runs)))
        rows.append((kind.name, "1", counted, spread(seconds, " s")))
    return Table(
        f"Runs of the suite that an attempt takes (median and quartiles of {ROUNDS} rounds)",
        ("attempt", "baseline", "after it", "whole run of the loop"),
        tuple(rows),
        samples,
    )


def _run(folder: Path, kind: Kind) -> tuple[float, int]:
    """Run the loop once on a fresh project; return its seconds and the suite's runs after it."""
    project, state, counter = folder / "project", folder / "state", folder / "runs"
    counter.write_text("", encoding="utf-8")
    if not project.exists():
        for name, text in {**FILES, **kind.files}.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text, encoding="utf-8")
        projects.commit(project)
    projects.put_back(project)
    settings = {
        "agent": {"kind": "command", "command": ["sh", "-c", f"{kind.agent}; echo done"]},
        "tests": {"command": SUITE},
        "learning": {"max_retries": 0},
        "limits": {"max_agent_starts_per_hour": None},
    }
    config = folder / "config.yaml"
    config.write_text(json.dumps(settings), encoding="utf-8")
    with ReplayServer(parse_scenario(_SCENARIO)) as model:
        env = {
            **environment(),
            "RUNS": str(counter),
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "no-key-is-needed",
            "ORCHESTRATOR_STATE_DIR": str(state),
            "NO_PROXY": "127.0.0.1",
        }
        argv = [sys.executable, "-m", "orchestrator", "run", "Fix `cents`."]
        argv += ["--config", str(config), "--project-dir", str(project)]
        started = time.perf_counter()
        spent = children.run(argv, folder, env, folder / "output")
        seconds = time.perf_counter() - started
    if spent.exit_code != kind.exit_code:
        said = (folder / "output").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"{shlex.join(argv)} ended with {spent.exit_code} ({kind.name})\n{said}")
    return seconds, len(counter.read_text(encoding="utf-8").splitlines()) - 1
