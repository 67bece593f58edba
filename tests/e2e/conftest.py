"""A small project, a scripted model, and the true loop between them."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.config import Override
from orchestrator.models import RunResult
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.replay.request import RecordedRequest
from orchestrator.replay.scenario import Speaker
from orchestrator.services.runs import resume_run, start_run
from tests.trusting import trust_project

SUITE = f"{shlex.quote(sys.executable)} -m pytest tests/ -v --tb=short -p no:cacheprovider"
TASK = "Make answer() return the right number."
RULE = "Never answer before asking"

WRONG = """
  - name: the agent, without the rule
    when: {speaker: agent, lacks: Never answer before asking}
    steps:
      - tools: [{name: Write, input: {file_path: "${cwd}/answers.py",
                 content: "def answer():\\n    return 41\\n"}}]
      - say: I think it is 41.
"""
RIGHT_WITH_RULE = """
  - name: the agent, with the rule
    when: {speaker: agent, contains: Never answer before asking}
    steps:
      - tools: [{name: Read, input: {file_path: "${cwd}/answers.py"}}]
      - tools: [{name: Write, input: {file_path: "${cwd}/answers.py",
                 content: "def answer():\\n    return 42\\n"}}]
      - say: It is 42.
"""
RIGHT = RIGHT_WITH_RULE.replace("contains: Never answer before asking", "lacks: nothing at all")
LESSON = """
  - name: the teacher
    when: {speaker: teacher, contains: answer}
    reply:
      json: {reason: It guessed., action: add, target: null, paths: [],
             rule: Never answer before asking., when: A number is asked for., why: Guesses fail.}
"""


@dataclass
class World:
    """One project and what happened to it."""

    project: Path
    home: Path
    received_events: list[events.Event] = field(default_factory=list)
    requests: tuple[RecordedRequest, ...] = ()

    def run(self, *answers: str, **settings: object) -> RunResult:
        """Run the task with the scripted answers."""
        return self._with_model(
            answers,
            lambda environment: start_run(
                TASK,
                self.project,
                overrides=[Override(k.replace("__", "."), v, "test") for k, v in settings.items()],
                listener=self.received_events.append,
                environment=environment,
            ),
        )

    def resume(self, *answers: str) -> RunResult:
        """Go on with the last run."""

        def go_on(environment: dict[str, str]) -> RunResult:
            with pytest.MonkeyPatch.context() as patch:
                for name, value in environment.items():
                    patch.setenv(name, value)
                return resume_run("last", listener=self.received_events.append)

        return self._with_model(answers, go_on)

    def list_requests(self, speaker: Speaker) -> list[RecordedRequest]:
        """The requests that one of the two made in the last run."""
        return [request for request in self.requests if request.speaker is speaker]

    @property
    def rulebook(self) -> str:
        """CLAUDE.md, empty when there is none."""
        path = self.project / "CLAUDE.md"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def _with_model(
        self, answers: tuple[str, ...], function: Callable[[dict[str, str]], RunResult]
    ) -> RunResult:
        scenario = parse_scenario("answers:\n" + "".join(answers))
        with ReplayServer(scenario) as model:
            environment = {
                **os.environ,
                "ANTHROPIC_BASE_URL": model.url,
                "ANTHROPIC_API_KEY": "a-key-for-tests",
                "CLAUDE_CODE_MAX_RETRIES": "0",
            }
            try:
                return function(environment)
            finally:
                self.requests = model.requests


@pytest.fixture
def world(project: Path, home: Path) -> World:
    (project / "tests").mkdir()
    (project / "answers.py").write_text("def answer():\n    return 0\n", encoding="utf-8")
    (project / "tests" / "test_answer.py").write_text(
        "from answers import answer\n\n\ndef test_answer():\n    assert answer() == 42\n",
        encoding="utf-8",
    )
    (project / "orchestrator.yaml").write_text(
        f"tests:\n  command: {json.dumps(SUITE)}\nlearning:\n  max_retries: 1\n", encoding="utf-8"
    )
    (project / "conftest.py").write_text("", encoding="utf-8")
    (project / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    trust_project(project)
    return World(project, home)
