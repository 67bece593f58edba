"""A project with a list of tasks, a scripted model, and what became of them."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.events import Event
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.replay.request import RecordedRequest
from orchestrator.replay.scenario import Speaker
from orchestrator.services.task_lists import resume_list, start_list
from orchestrator.storage.state_directory import list_folder, resolve_state_directory
from orchestrator.tasks.models import ListOptions, ListSummary, TaskRecord
from tests.trusting import trust_project

SUITE = f"{shlex.quote(sys.executable)} -m pytest tests/ -v --tb=short -p no:cacheprovider"
RULE = "Never answer before asking"
CHECKS = """\
import importlib
import pathlib

import pytest

import shared

PARTS = sorted(path.stem for path in pathlib.Path("parts").glob("p_*.py"))


@pytest.mark.parametrize("name", PARTS)
def test_part(name):
    assert importlib.import_module(f"parts.{name}").value() == 42


def test_weights():
    weights = [getattr(importlib.import_module(f"parts.{n}"), "WEIGHT", 0) for n in PARTS]
    assert sum(weights) <= 10, "the weights of all parts together are too large"


def test_shared():
    assert isinstance(shared.NAMES, list)
"""
FILES = {
    "parts/__init__.py": "",
    "parts/p_base.py": "def value():\n    return 42\n",
    "shared.py": "NAMES = []\n",
    "tests/test_parts.py": CHECKS,
    "conftest.py": "",
    ".gitignore": "__pycache__/\n",
}
Answer = Mapping[str, Any]


def write_file(path: str, content: str) -> dict[str, Any]:
    """Return a tool call that writes a file of the lane."""
    return {"name": "Write", "input": {"file_path": f"${{cwd}}/{path}", "content": content}}


def read_file(path: str) -> dict[str, Any]:
    """Return a tool call that reads a file of the lane: only then it can be replaced."""
    return {"name": "Read", "input": {"file_path": f"${{cwd}}/{path}"}}


def part(value: int, weight: int = 0) -> str:
    """Return the text of a part."""
    return f"WEIGHT = {weight}\n\n\ndef value():\n    return {value}\n"


def agent(
    contains: str | Sequence[str],
    *calls: Sequence[Mapping[str, Any]],
    lacks: str | Sequence[str] = "nothing at all",
    **reply: Any,
) -> Answer:
    """Return an answer of the agent: tool calls turn by turn, and a last word."""
    when = {"speaker": "agent", "contains": contains, "lacks": lacks}
    turns = [{"tools": list(each), **reply} for each in calls]
    return {"when": when, "steps": [*turns, {"say": "Done."}]}


def fault(contains: str, **values: Any) -> Answer:
    """Return an answer of the agent that fails."""
    return {"when": {"speaker": "agent", "contains": contains}, "reply": {"fault": values}}


def lesson(contains: str, rule: str = RULE) -> Answer:
    """Return an answer of the teacher."""
    values = {
        "reason": "It guessed.",
        "action": "add",
        "target": None,
        "paths": [],
        "rule": f"{rule}.",
        "when": "A number is asked for.",
        "why": "Guesses fail.",
    }
    return {"when": {"speaker": "teacher", "contains": contains}, "reply": {"json": values}}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


@dataclass
class ListWorld:
    """One project with a list, and what happened to it."""

    project: Path
    received: list[Event] = field(default_factory=list)
    requests: tuple[RecordedRequest, ...] = ()
    unanswered: tuple[RecordedRequest, ...] = ()

    def configure(self, **sections: Mapping[str, Any]) -> None:
        """Write the settings, and trust them."""
        values: dict[str, Any] = {
            "tests": {"command": SUITE},
            "learning": {"max_retries": 1},
            **sections,
        }
        (self.project / "orchestrator.yaml").write_text(json.dumps(values), encoding="utf-8")
        git(self.project, "add", "-A")
        git(self.project, "commit", "-q", "--allow-empty", "-m", "settings")
        trust_project(self.project)

    def run(self, text: str, *answers: Answer, **options: Any) -> ListSummary:
        """Write the list, and work on it."""
        (self.project / "tasks.md").write_bytes(text.encode())
        with self._model(answers) as environment:
            return start_list(
                str(self.project / "tasks.md"),
                self.project,
                options=ListOptions(**options),
                listener=self.received.append,
                environment=environment,
            )

    def resume(self, *answers: Answer) -> ListSummary:
        """Go on with the last list."""
        with self._model(answers) as environment:
            return resume_list("last", listener=self.received.append, environment=environment)

    @contextmanager
    def _model(self, answers: Sequence[Answer]) -> Iterator[dict[str, str]]:
        with ReplayServer(parse_scenario(json.dumps({"answers": list(answers)}))) as model:
            try:
                yield {
                    **os.environ,
                    "ANTHROPIC_BASE_URL": model.url,
                    "ANTHROPIC_API_KEY": "a-key-for-tests",
                    "CLAUDE_CODE_MAX_RETRIES": "0",
                    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                }
            finally:
                self.requests, self.unanswered = model.requests, model.unanswered_requests

    # ---- what there is to see

    @property
    def text(self) -> str:
        return (self.project / "tasks.md").read_bytes().decode()

    def asked(self, contains: str, speaker: Speaker = Speaker.AGENT) -> list[RecordedRequest]:
        """Return the requests of one speaker that have a text."""
        return [each for each in self.requests if each.speaker is speaker and contains in each.text]

    def log(self, summary: ListSummary, form: str = "%s") -> list[str]:
        """Return the commits of the list's branch, oldest first."""
        record = summary.record
        end = "%x00"
        text = git(
            self.project, "log", "--reverse", f"--format={form}{end}", f"HEAD..{record.branch}"
        )
        return [each.strip() for each in text.split("\0") if each.strip()]

    def show(self, summary: ListSummary, path: str) -> str:
        """Return a file of the list's branch."""
        return git(self.project, "show", f"{summary.record.branch}:{path}")

    def refs(self, summary: ListSummary) -> dict[str, str]:
        """Return the refs of the list's own repository."""
        folder = list_folder(resolve_state_directory(), summary.record.id) / "repository.git"
        lines = git(folder, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(tuple(line.split(" ")) for line in lines)  # type: ignore[misc]


def by_id(summary: ListSummary) -> dict[str, TaskRecord]:
    return {each.item.id: each for each in summary.tasks}


def describe_repository(project: Path) -> dict[str, object]:
    """Return all of the user's that a list must leave as it is, byte for byte."""
    top = project / ".git"
    kept = {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_file()
        and not path.relative_to(top).as_posix().startswith(("objects/",))
        and "orchestrator/tasks-" not in path.as_posix()
    }
    files = {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file() and ".git" not in path.parts and path.name != "tasks.md"
    }
    return {"git": kept, "files": files, "stash": git(project, "stash", "list")}


@pytest.fixture
def list_world(project: Path, home: Path) -> ListWorld:
    for name, text in FILES.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "as it is")
    world = ListWorld(project)
    world.configure()
    return world
