"""A project with sessions of the real Claude Code program, and what a person does with them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.replay.request import RecordedRequest
from tests.replay.claude import run_claude

HIDING: Final = f"{sys.executable} -m pytest -q -p no:cacheprovider tests | tail -1; echo done"
RULE: Final = "Never pipe the output of pytest into another command; run pytest plain"
LESSON: Final[Mapping[str, Any]] = {
    "action": "add",
    "reason": "The pipe hid the exit code.",
    "rule": f"{RULE}.",
    "when": "The tests of this project are run.",
    "why": "A pipe hides that tests failed.",
    "target": None,
    "paths": [],
}


class Night:
    """A project, and what a person and the review do in it."""

    def __init__(self, project: Path, home: Path) -> None:
        self.project, self.home = project, home

    def work(self, *commands: str, prompt: str = "Fix the shop") -> tuple[RecordedRequest, ...]:
        """Have Claude Code run commands in a session of its own; return what its model got."""
        steps = [{"tools": [{"name": "Bash", "input": {"command": each}}]} for each in commands]
        scenario = {"answers": [{"steps": [*steps, {"say": "Done."}]}]}
        with ReplayServer(parse_scenario(json.dumps(scenario))) as model:
            done = run_claude(model.url, prompt, self.project, self.home, "--allowedTools", "Bash")
            assert done.completed.returncode == 0, done.completed.stderr
            return model.requests

    def orchestrate(
        self, *words: str, url: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of ours as a person does."""
        keys = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sk-not-a-key"} if url else {}
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *words],
            cwd=self.project,
            env={**os.environ, **keys, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )

    def review(self, *words: str, lesson: Mapping[str, Any] = LESSON) -> dict[str, Any]:
        """Review with a scripted teacher; return the report."""
        scenario = {"answers": [{"when": {"speaker": "teacher"}, "reply": {"json": dict(lesson)}}]}
        with ReplayServer(parse_scenario(json.dumps(scenario))) as model:
            done = self.orchestrate(
                "review", "--project", str(self.project), "--json", *words, url=model.url
            )
            self.asked = model.requests
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def list_proposals(self) -> list[dict[str, Any]]:
        done = self.orchestrate("review", "list", "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def create_night(project: Path, home: Path) -> Night:
    """Return a project whose only test fails."""
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    (project / "tests").mkdir()
    (project / "tests" / "test_shop.py").write_text("def test_price():\n    assert 1 == 2\n")
    return Night(project, home)
