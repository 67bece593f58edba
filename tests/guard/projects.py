"""A project with one bug and a suite that shows it, and whole attempts on it."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from orchestrator import events
from orchestrator.agents.fake import ScriptedAgent
from orchestrator.guard import GuardMode, build_guard
from orchestrator.journal.memory import MemoryJournal
from orchestrator.loop.policy import Policy
from orchestrator.loop.run_loop import run_loop
from orchestrator.loop.steps import Steps
from orchestrator.models import (
    AgentLimits,
    AgentOutcome,
    AgentResult,
    FindingKind,
    RunResult,
    SuiteReport,
    Task,
)
from orchestrator.ports import Agent
from orchestrator.rulebook.fake import MemoryRulebook
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.pytest.suite import PytestSuite
from orchestrator.workspace import open_workspace
from teacher.fake import ScriptedTeacher
from teacher.models import Action, Lesson

Edit = Callable[[Path], None]

COMMAND: Final = f"{shlex.quote(sys.executable)} -m pytest tests -q -p no:cacheprovider"

FILES: Final[Mapping[str, str]] = {
    "calc.py": (
        '"""Sums."""\n\n\ndef add(a, b):\n    return a - b\n\n\ndef double(x):\n    return 2 * x\n'
    ),
    "pyproject.toml": (
        '[project]\nname = "calc"\nversion = "1"\ndependencies = []\n\n'
        '[tool.pytest.ini_options]\naddopts = "-ra"\npythonpath = ["."]\n'
    ),
    "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef two():\n    return 2\n",
    "tests/test_calc.py": (
        "import pytest\nfrom calc import add, double\n\n\n"
        "def test_add(two):\n    assert add(two, two) == 4\n\n\n"
        "@pytest.mark.parametrize('x', [1, 3])\n"
        "def test_double(x):\n    assert double(x) == x + x\n"
    ),
    "tests/data/expected.txt": "4\n",
    "CLAUDE.md": "# Notes\n\nBe kind.\n",
}

RIGHT: Final = FILES["calc.py"].replace("a - b", "a + b")
"""calc.py without the bug."""


def write(project: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def read_contents(project: Path) -> dict[str, bytes]:
    """The project's files, but for git's and Python's caches."""
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and not {".git", "__pycache__"} & set(path.parts)
    }


def make_project(project: Path, more: Mapping[str, str] | None = None) -> Path:
    project.mkdir(exist_ok=True)
    write(project, {**FILES, ".gitignore": "ignored/\n__pycache__/\n.venv/\n", **(more or {})})
    subprocess.run(["git", "init", "-q", "--template="], cwd=project, check=True)
    return project


class Attempts:
    """The loop on a real project: everything is real but the agent's mind and the teacher.

    Args:
        project: made by `make`.
        edits: what the agent does, attempt by attempt.
        command: the suite's.
        mode: of the guard.
        agent: an agent in place of the edits.
        path: folders in front of the PATH.
    """

    def __init__(
        self,
        project: Path,
        *edits: Edit,
        command: str = COMMAND,
        mode: GuardMode = GuardMode.RESTORE,
        agent: Agent | None = None,
        path: str = "",
    ) -> None:
        self.events: list[events.Event] = []
        self.teacher = ScriptedTeacher(*[Lesson(Action.NONE, "nothing")] * 9)
        self.folder = project.parent / f"{project.name}-run"
        self.folder.mkdir(exist_ok=True)
        self.scripted = ScriptedAgent(*[_act(edit) for edit in edits])
        env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        env["PATH"] = path + env["PATH"]
        task = Task("fix add()", project)
        self.guard = build_guard(
            project, mode, command, env, folder=self.folder / "guard", task=task.text
        )
        self._steps = Steps(
            task=task,
            agent=agent or self.scripted,
            suite=PytestSuite(command, 60, lambda folder: build_project_environment(folder, env)),
            teacher=self.teacher,
            workspace=open_workspace(project, self.folder),
            rulebook=MemoryRulebook(),
            journal=MemoryJournal(),
            folder=self.folder,
            emit=self._record_event,
            guard=self.guard,
        )

    def _record_event(self, event: events.Event) -> None:
        self.events.append(event)  # looked up each time: a test may bring a list of its own

    def run(self, retries: int = 0) -> RunResult:
        return run_loop(self._steps, Policy(max_retries=retries))


def list_finding_kinds(result: RunResult) -> set[FindingKind]:
    return {finding.kind for attempt in result.attempts for finding in attempt.findings}


def last_report(result: RunResult) -> SuiteReport:
    report = result.attempts[-1].report
    assert report is not None
    return report


def _act(edit: Edit) -> Callable[..., AgentResult]:
    def act(prompt: str, workspace: Path, limits: AgentLimits, emit: object) -> AgentResult:
        del prompt, limits, emit
        edit(workspace)
        return AgentResult(AgentOutcome.COMPLETED, "done")

    return act
