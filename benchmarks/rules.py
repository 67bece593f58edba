"""What one more rule and one more learning cost, among few and among many; and looking at them.

Counts the CPU time of this process, with what the system does for it, so that the wait for a busy
disk is not in it. What grows is a slope: the cost of the last ones less that of the first ones,
for each that lies between.
"""

import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import children
from benchmarks.machine import environment
from benchmarks.results import Table, spread
from orchestrator.config import Config
from orchestrator.learnings.entries import Kind
from orchestrator.learnings.entry_log import log_entry
from orchestrator.learnings.workspace import Workspace, initialize_workspace
from orchestrator.services.rulebooks import open_rulebook
from orchestrator.storage.opening import open_database
from teacher.models import Action, Failure, FailureType, Lesson, RuleText

RULES: Final = 229
LEARNINGS: Final = 1000
WINDOW: Final = 20
"""Of the first and of the last so many, the median is taken."""
ROUNDS: Final = 15
COMMON: Final = (
    *("return", "value", "test", "list", "file", "function", "name", "error", "parse", "check"),
    *("string", "number", "call", "before", "result", "missing", "input", "config", "path"),
)


def measure() -> Table:
    """Add rules and learnings one by one, then look at them."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        project, state = Path(folder) / "project", Path(folder) / "state"
        project.mkdir()
        added = _add_rules(project, state)
        logged = _log_learnings(project)
        looked = _look(project, state)
    floor = looked.pop('python -c "import click"')
    rows: list[tuple[str, ...]] = [
        _growth(f"a rule, the last of {RULES}", added),
        _growth(f"a learning, the last of {LEARNINGS}", logged),
        ('`python -c "import click"`', spread(_milliseconds(floor), " ms", 0), "1x", ""),
    ]
    for name, seconds in looked.items():
        ratios = [a / b for a, b in zip(seconds, floor, strict=True)]
        aim = "at most 4x" if name != "orchestrator learnings log" else ""
        rows.append(
            (f"`{name}`", spread(_milliseconds(seconds), " ms", 0), spread(ratios, "x"), aim)
        )
    return Table(
        f"Rules and learnings (CPU time; {RULES} rules and {LEARNINGS} learnings are there)",
        ("what", "took", "beside the first, or click", "aim"),
        tuple(rows),
        {"rules": added, "learnings": logged, "click": floor, **looked},
    )


def _add_rules(project: Path, state: Path) -> list[float]:
    config = Config.model_validate({"rules": {"max_rules": None, "max_tokens": None}})
    with open_database(state) as database:
        book, _ = open_rulebook(config, project, database, lambda _event: None)
        return [_timed(partial(_apply, book.apply, number)) for number in range(RULES)]


def _apply(apply: Callable[[Lesson, Failure], object], number: int) -> None:
    chance = random.Random(number)  # noqa: S311 -- repeatable, not secret
    text = RuleText(f"Never {_words(chance, 8)}", _words(chance, 5), _words(chance, 6))
    failure = Failure(FailureType.TEST_FAILURE, "pytest", "1 failed", f"{number:012x}")
    if apply(Lesson(Action.ADD, "new", text), failure) is None:
        raise RuntimeError(f"no rule was made of {text}")


def _log_learnings(project: Path) -> list[float]:
    workspace = Workspace(project, everywhere=False)
    initialize_workspace(workspace)
    chance = random.Random(1)  # noqa: S311 -- repeatable, not secret
    texts = [f"It broke in {_words(chance, 6)}. Then {_words(chance, 9)}" for _ in range(LEARNINGS)]
    return [_timed(partial(log_entry, workspace, Kind.ERR, text)) for text in texts]


def _words(chance: random.Random, count: int) -> str:
    """Half of them words that many rules have, the others made up."""

    def made_up() -> str:
        syllables = (chance.choice("bcdfghklmnprstvz") + chance.choice("aeiou") for _ in range(3))
        return "".join(syllables)

    return " ".join(
        chance.choice(COMMON) if chance.random() < 0.5 else made_up() for _ in range(count)
    )


def _look(project: Path, state: Path) -> dict[str, list[float]]:
    """Let the commands take turns."""
    program = (sys.executable, "-m", "orchestrator")
    commands: dict[str, tuple[str, ...]] = {
        'python -c "import click"': (sys.executable, "-c", "import click")
    }
    for words in ("rules list", "config show", "learnings review", "learnings log ERR again"):
        name = f"orchestrator {words.removesuffix(' ERR again')}"
        commands[name] = (*program, *words.split())
    env = {**environment(), "ORCHESTRATOR_STATE_DIR": str(state), "HOME": str(state)}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(ROUNDS + 1):
        for name, argv in commands.items():
            before = _children_seconds()
            spent = children.run(argv, project, env, state / "output")
            if spent.exit_code:
                raise RuntimeError((state / "output").read_text(encoding="utf-8"))
            if number:  # the first one may compile bytecode
                seconds[name].append(_children_seconds() - before)
    return seconds


def _children_seconds() -> float:
    """Return the CPU time of all children that have ended: the clock says more of the others."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _timed(action: Callable[[], object]) -> float:
    started = time.process_time()
    action()
    return time.process_time() - started


def _growth(what: str, seconds: Sequence[float]) -> tuple[str, str, str, str]:
    first = 1000 * statistics.median(seconds[1:WINDOW])
    last = 1000 * statistics.median(seconds[-WINDOW:])
    slope = 1000 * (last - first) / len(seconds)
    shown = f"{last / first:.1f}x: {slope:.1f} µs for each that is there"
    return what, f"{last:.1f} ms", shown, "flat but for reading the file"


def _milliseconds(seconds: Sequence[float]) -> list[float]:
    return [1000 * each for each in seconds]
