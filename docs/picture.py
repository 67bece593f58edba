"""Make the pictures in docs/images: run the real programs and save what they print.

`make picture` makes all of them; `make picture PICTURES=demo` makes one. The recording of the
first hour is made in a terminal, of the installed program, on a small project of the tests. The
statistics are those of made-up sessions.
"""

import io
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console as Screen
from rich.terminal_theme import NIGHT_OWLISH
from rich.text import Text

from docs.recording import Recording
from orchestrator.cli.task_lines import iter_board_lines, iter_styled_lines
from orchestrator.platform.folders import CLAUDE_MD
from orchestrator.storage.opening import open_database
from tests.cli.task_records import NOW, build_summary
from tests.first_hour.person import PROGRAM, Person
from tests.first_hour.shapes import find_shape
from tests.sessions.stored_tasks import store_run, store_session

IMAGES: Final = Path(__file__).parent / "images"
SHAPE: Final = "src_with_venv"
COLUMNS: Final = 100


def make_demo() -> int:
    """Run the demo, write its picture, and return the demo's exit code."""
    # In the order of the files, as for somebody who has installed the program without its tests.
    environment = {**os.environ, "PYTEST_ADDOPTS": "-p no:randomly", "COLUMNS": str(COLUMNS)}
    recording = Recording(COLUMNS, Path.cwd(), environment, {sys.prefix: ".venv"})
    code = recording.type("make demo", [str(PROGRAM), "demo"])
    save_lines(recording.render_lines(), "demo", "The demo")
    return code


def make_first_hour() -> int:
    """Set up, run and undo in a small project, write the picture; return the worst exit code."""
    with tempfile.TemporaryDirectory(prefix="pll-") as folder:
        world = Path(folder).resolve()
        person = Person(world, find_shape(SHAPE))
        (person.project / CLAUDE_MD).write_text("# Ledger\n\nAmounts are in cents.\n", "utf-8")
        person.git("add", "-A")
        person.git("commit", "-q", "-m", "Explain amounts")
        link_claude(world / "bin")
        with person.serve_model(person.repair()) as variables:
            recording = Recording(
                COLUMNS,
                person.project,
                {**person.environment, **variables, "COLUMNS": str(COLUMNS), **find_path(world)},
                {
                    str(person.project): "~/ledger",
                    str(world / "bin"): "~/.local/bin",
                    str(person.home): "~",
                },
            )
            codes = [
                recording.type(
                    f"orchestrator {command}", ["/bin/sh", "-c", f"exec {PROGRAM} {command}"]
                )
                for command in ("init", f'run "{person.shape.task}" --max-cost-usd 2', "undo")
            ]
    save_lines(recording.render_lines(), "first-hour", "The first hour")
    return max(codes)


def make_stats() -> int:
    """Draw the statistics of made-up sessions and runs of eight weeks; return the exit code."""
    randomness = random.Random(16)  # noqa: S311 -- the same picture each time
    monday = date.today() - timedelta(days=date.today().weekday())  # noqa: DTZ011 -- a local week
    with tempfile.TemporaryDirectory(prefix="pll-") as folder:
        state, project = Path(folder).resolve() / "state", Path(folder).resolve() / "shop"
        project.mkdir()
        with open_database(state) as database:
            for week in range(8):
                start = datetime.combine(monday - timedelta(weeks=8 - week), time(9), tzinfo=UTC)
                for number in range(6):
                    began = start + timedelta(hours=9 * number)
                    tasks = [make_up_task(randomness, week) for _ in range(5)]
                    store_session(database, str(project), began, *tasks)
                solved = [[True], [False, True], [True], [False, week > 3, True]]
                for number, verdicts in enumerate(solved):
                    began = start + timedelta(hours=20 * number)
                    store_run(database, str(project), began, *verdicts, cost=0.9 - week / 20)
        environment = {**os.environ, "ORCHESTRATOR_STATE_DIR": str(state)}
        command = [str(PROGRAM), "stats", "--svg", str(IMAGES / "stats.svg")]
        return subprocess.run(command, cwd=project, env=environment, check=False).returncode


def make_tasks() -> int:
    """Draw the board of a made-up list; return the exit code."""
    activities = {"T003": "attempt 1: Edit src/currency.py", "T004": "attempt 1: the suite"}
    board = iter_board_lines(build_summary(), COLUMNS, activities, NOW)
    save_lines(map(Text.from_ansi, iter_styled_lines(board)), "tasks", "orchestrator tasks status")
    return 0


def make_up_task(randomness: random.Random, week: int) -> dict[str, Any]:
    """Return the numbers of a task: a little better each week."""
    reds = max(0, round(randomness.gauss(2.4 - week / 6, 0.9)))
    return {
        "edits": 3,
        "suite_runs": reds + 1,
        "red_runs": reds,
        "resolved": None if not reds else int(randomness.random() < 0.9),
        "first_green": int(randomness.random() < 0.5 + week / 25),
        "rejections": int(randomness.random() < 0.25),
        "version": "2.1.300" if week < 5 else "2.1.332",
    }


def find_path(world: Path) -> dict[str, str]:
    """Return a PATH on which Claude Code is found in a short folder."""
    return {"PATH": f"{world / 'bin'}{os.pathsep}{PROGRAM.parent}{os.pathsep}{os.defpath}"}


def link_claude(folder: Path) -> None:
    """Link Claude Code into a folder, so that the picture has no path of this machine."""
    folder.mkdir()
    found = shutil.which("claude")
    if found is None:
        import claude_agent_sdk

        found = str(Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude")
    (folder / "claude").symlink_to(found)


def save_lines(lines: Iterable[Text], name: str, title: str) -> None:
    """Write the picture of a recording."""
    screen = Screen(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    for line in lines:
        screen.print(line, no_wrap=True, overflow="crop")
    save(screen, name, title)


def save(screen: Screen, name: str, title: str) -> None:
    """Write what was printed as a picture."""
    svg = screen.export_svg(title=title, theme=NIGHT_OWLISH, unique_id=name)
    # Load no font from the network: a font of the reader's system is good enough.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (IMAGES / f"{name}.svg").write_text(svg, encoding="utf-8")


PICTURES: Final = {
    "demo": make_demo,
    "first-hour": make_first_hour,
    "stats": make_stats,
    "tasks": make_tasks,
}


def main(*names: str) -> int:
    """Make the pictures of these names, or all; return the worst exit code."""
    return max(PICTURES[name]() for name in names or PICTURES)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
