"""A whole night on the real programs: sessions, review, proposal, accepted, the next session.

The real Claude Code program makes the sessions and loads the rule; its model and the teacher's are
scripted.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.replay.request import RecordedRequest
from tests.replay.claude import run_claude

HIDING = f"{sys.executable} -m pytest -q -p no:cacheprovider tests | tail -1; echo done"
RULE = "Never pipe the output of pytest into another command; run pytest plain"
LESSON = {
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

    def work(self, *commands: str, prompt: str = "Fix the shop") -> list[RecordedRequest]:
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


@pytest.fixture
def night(project: Path, home: Path) -> Iterator[Night]:
    for words in (("init", "-q"), ("config", "user.email", "dev@example.org")):
        subprocess.run(["git", *words], cwd=project, check=True)
    (project / "tests").mkdir()
    (project / "tests" / "test_shop.py").write_text("def test_price():\n    assert 1 == 2\n")
    yield Night(project, home)


def find_findings(report: Mapping[str, Any], detector: str) -> Sequence[Mapping[str, Any]]:
    return [
        found
        for project in report["projects"]
        for found in project["findings"]
        if found["detector"] == detector
    ]


def test_what_goes_wrong_twice_becomes_a_rule_of_the_next_session(night: Night) -> None:
    for _ in range(2):
        night.work(HIDING)
    report = night.review()
    assert report["sessions"] == {"headless": 2}
    (found,) = find_findings(report, "hidden test failure")
    assert len(found["sessions"]) == 2
    assert not (night.project / "CLAUDE.md").exists(), "nothing is written at night"
    (proposal,) = night.list_proposals()
    assert proposal["id"] == found["proposal"]
    (question,) = night.asked
    assert "hid the exit code" in question.text
    assert "1 failed" in question.text

    done = night.orchestrate("review", "accept", proposal["id"])
    assert done.returncode == 0, done.stderr
    assert RULE in (night.project / "CLAUDE.md").read_text()
    assert night.list_proposals() == []

    requests = night.work("true")
    assert RULE in requests[0].text
    # The next review has nothing to ask, and says what the rule did since.
    again = night.review("--since", "30d")
    assert not night.asked
    (found,) = find_findings(again, "hidden test failure")
    assert found["outcome"].startswith("accepted")


@pytest.mark.whole
def test_a_rejected_finding_never_comes_back(night: Night) -> None:
    for _ in range(2):
        night.work(HIDING)
    night.review()
    (proposal,) = night.list_proposals()
    assert night.orchestrate("review", "reject", proposal["id"]).returncode == 0
    night.work(HIDING)
    night.review("--since", "30d")
    assert not night.asked
    assert night.list_proposals() == []


@pytest.mark.whole
def test_without_a_key_the_finding_waits_for_the_teacher(night: Night) -> None:
    for _ in range(2):
        night.work(HIDING)
    done = night.orchestrate("review", "--project", str(night.project))
    assert done.returncode == 0, done.stderr
    assert "waits for the teacher" in done.stdout
    (proposal,) = night.list_proposals()
    assert proposal["status"] == "waits for the teacher"
    night.review("--since", "30d")
    assert len(night.asked) == 1
    (proposal,) = night.list_proposals()
    assert proposal["status"] == "waits for you"


@pytest.mark.whole
def test_a_run_of_ours_teaches_nothing(night: Night) -> None:
    hiding = {"tools": [{"name": "Bash", "input": {"command": HIDING}}]}
    scenario = {
        "answers": [
            {"when": {"speaker": "teacher"}, "reply": {"json": {**LESSON, "action": "none"}}},
            {"when": {"speaker": "agent"}, "steps": [hiding, {"say": "Done."}]},
        ]
    }
    for _ in range(3):
        with ReplayServer(parse_scenario(json.dumps(scenario))) as model:
            done = night.orchestrate(
                *("run", "Make the test pass, please", "--max-retries", "1"),
                *("--dangerously-skip-permissions",),
                url=model.url,
                environment={"IS_SANDBOX": "1"},
            )
        assert done.returncode in (0, 1), done.stderr
    report = night.review("--since", "30d")
    assert set(report["sessions"]) <= {"own"}
    assert report["sessions"]["own"] >= 3
    assert not [found for each in report["projects"] for found in each["findings"]]
    assert night.list_proposals() == []
