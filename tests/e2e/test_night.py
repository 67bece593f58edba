"""A whole night on the real programs: sessions, review, proposal, accepted, the next session.

The real Claude Code program makes the sessions and loads the rule; its model and the teacher's are
scripted.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.replay import ReplayServer, parse_scenario
from tests.sessions.night import HIDING, LESSON, RULE, Night, create_night


@pytest.fixture
def night(project: Path, home: Path) -> Night:
    return create_night(project, home)


def find_findings(report: Mapping[str, Any], detector: str) -> Sequence[Mapping[str, Any]]:
    return [
        found
        for project in report["projects"]
        for found in project["findings"]
        if found["detector"] == detector
    ]


@pytest.mark.whole
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
