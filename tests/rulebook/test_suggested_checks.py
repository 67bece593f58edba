"""Each suggested check is taken over as it stands, and does what it says."""

import json
import re
import subprocess
import textwrap
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import example, given

from orchestrator.models import Rule
from orchestrator.rulebook.records import Origin, RuleRecord, Status
from orchestrator.rulebook.suggested_checks import suggest_check
from teacher.models import RuleText
from tests.rulebook.making import rule_texts

MOMENT = datetime(2026, 11, 20, tzinfo=UTC)


def record(rule: str | RuleText) -> RuleRecord:
    text = RuleText(rule, "Working", "It failed") if isinstance(rule, str) else rule
    origin = Origin(summary="1 failed\nx = 1", cases=("test_a[\0]", "test_b"))
    return RuleRecord(Rule("r-1", text, ""), Status.ACTIVE, "", origin, MOMENT, MOMENT)


def lint(said: str) -> dict[str, Any]:
    (repo,) = yaml.safe_load(said.partition("\n")[2])
    (hook,) = repo["hooks"]
    assert hook["language"] == "pygrep"
    return dict(hook)


def settings(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines() if line.startswith("  {")]


@pytest.mark.parametrize(
    ("rule", "breaks", "keeps"),
    [
        ("Never call os.system; use subprocess.run", "os.system('x')", "subprocess.run(['x'])"),
        ("Never call os.system; use subprocess.run", "os . system('x')", "macos.system_of('x')"),
        ("Avoid print in library code", "    print ('x')", "pprint('x')"),
        ("Use literal_eval, never `eval()`", "x = eval(y)", "x = literal_eval(y)"),
        ("Do not use `except:` at all", "except :", "except ValueError:"),
        ("Don't use it's \"x\" `a'b\"c` in code", "a'b\"c", "a'b'c"),
        ("Never use assert for input", "assert x", "self.assertEqual(x, y)"),
        ("Stop using datetime.utcnow", "datetime.utcnow()", "datetime.now(UTC)"),
    ],
)
def test_a_lint_rule_finds_code_that_breaks_the_rule(rule: str, breaks: str, keeps: str) -> None:
    hook = lint(suggest_check(record(rule)))
    assert hook["name"] == rule
    assert re.search(hook["entry"], breaks)
    assert not re.search(hook["entry"], keeps)


@pytest.mark.parametrize(
    ("rule", "denied"),
    [
        ("Never run git push --force", "git push --force"),
        ("Never run git push on main", "git push"),
        ("Do not use `rm -rf build` to clean up", "rm -rf build"),
        ("Avoid running docker compose down.", "docker compose"),
        ("Never use sudo", "sudo"),
    ],
)
def test_a_command_is_denied_with_its_flags(rule: str, denied: str) -> None:
    first, *_ = settings(suggest_check(record(rule)))
    assert first == {"permissions": {"deny": [f"Bash({denied}:*)"]}}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("git push --force", 2),
        ("cd x && git push origin main --force", 2),
        ("git push", 0),
        ("git push --force-with-lease", 0),
        ("git fetch --force", 0),
    ],
)
def test_a_hook_sees_the_flag_wherever_it_stands(command: str, code: int) -> None:
    _, hook = settings(suggest_check(record("Never run git push --force")))
    (entry,) = hook["hooks"]["PreToolUse"]
    (script,) = entry["hooks"]
    call = json.dumps({"tool_name": "Bash", "tool_input": {"command": command}})
    done = subprocess.run(
        ["sh", "-c", script["command"]], input=call, text=True, capture_output=True, check=False
    )
    assert (done.returncode, bool(done.stderr)) == (code, code == 2), done.stderr


@pytest.mark.parametrize(
    "rule",
    [
        "Never make assumptions about the input order",
        "Never use make for what a script does",
        "Never call requests.get without a timeout",
        "Never return `None` for a missing user",
        "Never edit conftest.py",
        "Never compare floats with `==`",
        'Always say what\'s "meant" \\ done',
        "Avoid surprises, e.g. in names",
    ],
)
def test_where_no_check_of_words_fits_it_is_a_test_that_says_the_rule(rule: str) -> None:
    said = suggest_check(record(rule))
    assert said.startswith("a test of its own")
    names: dict[str, Any] = {}
    exec(compile(textwrap.dedent(said.partition("\n")[2]), "suggested", "exec"), names)  # noqa: S102 -- that it runs is the point
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    with pytest.raises(AssertionError) as raised:
        test()
    assert str(raised.value) == rule


@given(rule_texts)
@example(RuleText("Never use `\U0001f600\ufffe\x7f`", "", ""))
def test_every_suggestion_can_be_taken_over(text: RuleText) -> None:
    for rule in (text.rule, f"Never use {text.rule}", f"Never run git {text.rule}"):
        said = suggest_check(record(replace(text, rule=rule)))
        if said.startswith("a lint rule"):
            hook = lint(said)
            assert hook["name"] == rule
            re.compile(hook["entry"])
        elif said.startswith("a permission"):
            assert settings(said)
        else:
            compile(textwrap.dedent(said.partition("\n")[2]), "suggested", "exec")
