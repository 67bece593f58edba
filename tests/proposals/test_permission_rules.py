"""What a permission rule covers, compared with the real Claude Code program."""

import json
from pathlib import Path

import pytest

from orchestrator.proposals.permission_rules import (
    is_covered,
    is_rule_covered,
    read_allow_rules,
)
from orchestrator.replay import ReplayServer, parse_scenario
from tests.proposals.making import draft_permission, open_queue, propose
from tests.replay.claude import run_claude

MAKEFILE = "lint:\n\t@echo $(X) >> made.txt\ntest:\n\t@echo tested >> made.txt\n"
CASES = {
    "Bash(make lint *)": {
        "make lint": True,
        "make lint X=1": True,
        "make  lint X=1": True,
        "make linty": False,
        "make test": False,
        "cd . && make lint X=1": True,
        "make lint X=1 | tail -1": True,
        "make lint 2>&1": True,
        "timeout 60 make lint": True,
        "make lint; make test": False,
        "make lint > out.txt": False,
        "X=1 make lint": False,
        'make lint "X=$(echo 1)"': True,
    },
    "Bash(make lint:*)": {"make lint": True, "make lint X=1": True, "make linty": False},
    "Bash(make lint)": {"make lint": True, "make lint X=1": False, "make lint | tail -1": True},
    "Bash(make * X=1)": {"make lint X=1": True, "make lint X=2": False},
    "Bash(make*)": {"make": True, "make lint": True},
    "Bash": {"make lint; make test": True},
    "Bash(*)": {"make test": True},
    "Read(**)": {"make lint": False},
}


def run_commands(project: Path, home: Path, *commands: str) -> tuple[list[str], bool]:
    """Let the real program run commands; return those that were denied, and whether it ended."""
    steps = [
        {"tools": [{"name": "Bash", "input": {"command": each, "description": "x"}}]}
        for each in commands
    ]
    scenario = {"answers": [{"steps": [*steps, {"say": "Done."}]}]}
    with ReplayServer(parse_scenario(json.dumps(scenario))) as model:
        done = run_claude(model.url, "Tidy up", project, home, "--permission-mode", "default")
    denied = [each["tool_input"]["command"] for each in done.result["permission_denials"]]
    return denied, done.result["result"] == "Done."


@pytest.mark.parametrize("rule", CASES)
def test_cover(rule: str) -> None:
    found = {command: is_covered(command, [rule]) for command in CASES[rule]}
    assert found == CASES[rule]


@pytest.mark.parametrize("rule", ["Bash(make lint *)", "Bash(make lint:*)", "Bash(make lint)"])
def test_cover_is_what_the_real_program_does(project: Path, home: Path, rule: str) -> None:
    (project / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    (project / ".claude").mkdir()
    settings = {"permissions": {"allow": [rule]}}
    (project / ".claude" / "settings.local.json").write_text(json.dumps(settings), encoding="utf-8")
    denied, is_done = run_commands(project, home, *CASES[rule])
    assert is_done
    assert {command: command not in denied for command in CASES[rule]} == CASES[rule]


def test_an_accepted_permission_runs_headless_and_another_one_is_denied(
    project: Path, home: Path
) -> None:
    (project / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    (identity,) = propose(project, draft_permission(project, ["Bash(make lint)"]))
    made = project / "made.txt"
    assert run_commands(project, home, "make lint") == (["make lint"], True)
    assert not made.exists()
    with open_queue(project) as manager:
        manager.accept(identity)
    assert run_commands(project, home, "make lint", "make test") == (["make test"], True)
    assert made.read_text("utf-8") == "\n"
    with open_queue(project) as manager:
        manager.reject(identity)
    assert run_commands(project, home, "make lint") == (["make lint"], True)


@pytest.mark.parametrize(
    ("rule", "others", "expected"),
    [
        ("Bash(go test *)", ["Bash(go test *)"], True),
        ("Bash(go test *)", ["Bash(go test:*)"], True),
        ("Bash(go test *)", ["Bash(go *)"], True),
        ("Bash(go test *)", ["Bash"], True),
        ("Bash(go test *)", ["Bash(go test)"], False),
        ("Bash(go test *)", ["Bash(go test ./...)", "Bash(go vet *)"], False),
        ("Bash(go test)", ["Bash(go test *)"], True),
        ("Bash(go test)", [], False),
        ("Read(**)", ["Read(**)"], True),
        ("Read(**)", ["Bash"], False),
    ],
)
def test_a_rule_that_others_cover(rule: str, others: list[str], expected: bool) -> None:
    assert is_rule_covered(rule, others) is expected


def test_the_rules_of_a_project_and_of_its_user(project: Path, home: Path) -> None:
    for folder, name, rule in (
        (home, "settings.json", "Bash(a)"),
        (project, "settings.json", "Bash(b)"),
        (project, "settings.local.json", "Bash(c)"),
    ):
        (folder / ".claude").mkdir(exist_ok=True)
        text = json.dumps({"permissions": {"allow": [rule, 1], "deny": ["Bash(d)"]}})
        (folder / ".claude" / name).write_text(text, encoding="utf-8")
    environment = {"HOME": str(home)}
    assert read_allow_rules(project, environment) == ("Bash(a)", "Bash(b)", "Bash(c)")
    (project / ".claude" / "settings.json").write_text("{oops", encoding="utf-8")
    assert read_allow_rules(project, environment) == ("Bash(a)", "Bash(c)")


@pytest.mark.parametrize("command", ["", " ", "'", "$(", "a" * 500_000, "\0", "((((", "`"])
def test_odd_commands_are_not_covered(command: str) -> None:
    assert not is_covered(command, ["Bash(go test *)"])
