"""Small projects with tests, for real pytest runs."""

import shlex
import sys
from pathlib import Path
from textwrap import dedent
from typing import Final

from orchestrator.models import SuiteReport
from orchestrator.suites.pytest.suite import PytestSuite

PYTEST: Final = f"{shlex.quote(sys.executable)} -m pytest"


def wrap_command(arguments: str = "") -> str:
    """Return a command that runs pytest behind a shell of its own."""
    return shlex.join(["sh", "-c", f"{PYTEST} {arguments}"])


def write(project: Path, **files: str) -> None:
    """Write files; `__` in a name stands for a slash, `_py` at its end for `.py`."""
    for name, text in files.items():
        path = project / (name.removesuffix("_py").replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")


def run_suite(
    project: Path, arguments: str = "tests/ -v --tb=short", seconds: float = 60
) -> SuiteReport:
    return PytestSuite(f"{PYTEST} {arguments}", seconds).run(project)
