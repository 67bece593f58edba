"""`report-failure`: a person's report becomes a rule in CLAUDE.md like any failure."""

from pathlib import Path

import pytest

from orchestrator.budget.ledger import Ledger
from orchestrator.cli.report import TYPES
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import resolve_state_directory
from teacher.models import FailureType
from teacher.prompt import build_system_prompt
from tests.agents.claude import log_in
from tests.cli.conftest import RULE, Call, Shop

WORDS = {
    "description": "It wrote to the table without a migration.",
    "context": "Migrations live in db/.",
    "task": "Add a column.",
}


def report(kind: str, **words: str) -> list[str]:
    options = [part for name, text in words.items() for part in (f"--{name}", text)]
    return ["report-failure", "--failure-type", kind, *options]


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_is_taught_with_its_own_prompt(
    call: Call, shop: Shop, teacher: ReplayServer, kind: str
) -> None:
    done = call(*report(kind, **WORDS), "--project-dir", shop.project)
    assert (done.code, done.err) == (0, "")
    assert "  teacher  add: It guessed." in done.out
    assert f"    Rule   {RULE}." in done.out
    (request,) = teacher.requests
    assert build_system_prompt(FailureType(kind)) in request.text
    others = [build_system_prompt(other) for other in FailureType if other != kind]
    assert len(set(others)) == len(others)
    assert all(other not in request.text for other in others)
    for text in WORDS.values():
        assert text in request.text
    assert f"- **Rule**: {RULE}.\n".encode() in shop.rulebook
    source = "reported failure" if kind == "other" else kind.replace("_", " ")
    assert source.encode() in shop.rulebook


def test_json_lines_tell_a_report(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    done = call(*report("other", **WORDS), "--project-dir", shop.project, "--json")
    assert (done.code, done.err) == (0, "")
    names = [event["event"] for event in done.events]
    assert names == ["teaching_started", "lesson_learned", "rule_written"]


def test_a_second_report_of_the_same_adds_no_second_rule(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    for _ in range(2):
        assert call(*report("other", **WORDS), "--project-dir", shop.project).code == 0
    assert shop.rulebook.count(RULE.encode()) == 1


@pytest.mark.parametrize("command", ["report-failure", "teach", "teacher"])
def test_every_lesson_is_metered(
    call: Call, shop: Shop, teacher: ReplayServer, command: str
) -> None:
    shop.configure(limits={"max_cost_usd_per_day": 0.0001})
    here = ("--project-dir", shop.project)
    done = call(*report("other", **WORDS), *here)
    assert done.code == 3
    assert "the cost limit of a day is used up" in done.err
    if command != "report-failure":
        words = {"teach": ("teach", "--pending"), "teacher": ("teacher", "test")}[command]
        done = call(*words, *here)
        assert done.code == 3
        assert "the cost limit of a day is used up" in done.err
    assert teacher.requests == ()
    shop.configure()
    assert call("teach", "--pending", *here).code == 0
    assert len(teacher.requests) == 1
    with open_database(resolve_state_directory()) as database:
        assert Ledger(database).sum_spending() > 0


def test_without_a_key(call: Call, shop: Shop) -> None:
    done = call(*report("other", description="x"), "--project-dir", shop.project)
    assert done.code == 3
    assert done.err.startswith(
        "orchestrator: the teacher has no API key, and Claude Code has no login (log in with `"
    )
    assert "or set ORCHESTRATOR_TEACHER_API_KEY, a key that only the teacher uses" in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""
    assert shop.rulebook == b""


def test_with_a_login_alone(
    call: Call, shop: Shop, teacher: ReplayServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(home)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    done = call(*report("other", **WORDS), "--project-dir", shop.project)
    assert (done.code, done.err) == (0, "")
    assert f"    Rule   {RULE}." in done.out
    [request] = teacher.requests
    assert request.user_agent.startswith("claude-cli/")


def test_with_reports_switched_off(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    shop.configure(failure_sources=[{"name": "manual", "enabled": False}])
    done = call(*report("other", description="x"), "--project-dir", shop.project)
    assert done.code == 2
    assert "reports are switched off" in done.err
    assert "enable failure_sources: manual" in done.err
    assert teacher.requests == ()


@pytest.mark.parametrize("description", ["", " \n "])
def test_without_a_description(
    call: Call, shop: Shop, teacher: ReplayServer, description: str
) -> None:
    done = call(*report("other", description=description), "--project-dir", shop.project)
    assert done.code == 2
    assert "empty" in done.err
    assert teacher.requests == ()


def test_a_teacher_that_refuses(
    call: Call, shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = parse_scenario("answers: [{when: {speaker: teacher}, reply: {fault: 403}}]")
    with ReplayServer(down) as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        done = call(*report("other", description="x"), "--project-dir", shop.project)
    assert done.code == 3
    assert "403" in done.err
    assert len(done.err.splitlines()) == 1
    assert shop.rulebook == b""


def test_a_lesson_of_nothing(
    call: Call, shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = LESSON_OF_NOTHING
    with ReplayServer(parse_scenario(nothing)) as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        done = call(*report("other", description="x"), "--project-dir", shop.project)
    assert (done.code, done.err) == (0, "")
    assert "  teacher  none: That was bad luck." in done.out
    assert shop.rulebook == b""


LESSON_OF_NOTHING = """
answers:
  - when: {speaker: teacher}
    reply:
      json: {reason: That was bad luck., action: none, target: null, paths: [],
             rule: "", when: "", why: ""}
"""
