"""The example in docs/replay.md does what the page says."""

import re
from pathlib import Path

import pytest

from orchestrator.replay import FaultKind, ReplayServer, Scenario, load_scenario
from orchestrator.replay.schema import ENTRIES, ScenarioEntry, list_keys
from tests.replay.claude import run_claude

_PAGE = Path(__file__).parents[2] / "docs" / "replay.md"
_RULE = "- **Rule**: Always check the divisor\n  before a division.\n"


def _block(kind: str) -> str:
    found = re.findall(rf"<!-- {kind} -->\n```\w+\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    path = tmp_path / "division.yaml"
    path.write_text(_block("scenario"), encoding="utf-8")
    return load_scenario(path)


def test_python_example(
    scenario: Scenario,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(_block("python"), {})  # noqa: S102 -- the page's own code
    lines = capsys.readouterr().out.splitlines()
    assert '"why": "Division by zero ended calculator with ZeroDivisionError."' in lines[0]
    assert [line[:12] for line in lines[1:]] == ["1 teacher 0 ", "2 teacher 0 "]
    assert "'busy once'" in lines[1]
    assert "'lesson'" in lines[2]


@pytest.mark.parametrize(("rule", "check"), [("", False), (_RULE, True)])
def test_claude_repairs_rightly_only_if_the_rule_reached_it(
    scenario: Scenario, project: Path, home: Path, rule: str, check: bool
) -> None:
    (project / "CLAUDE.md").write_text(f"# Notes\n\n{rule}", encoding="utf-8")
    with ReplayServer(scenario, variables={"program": "calculator"}) as model:
        run = run_claude(model.url, "Repair safe_divide", project, home)
    assert run.result["terminal_reason"] == "completed"
    assert not model.unanswered_requests
    code = (project / "division.py").read_text(encoding="utf-8")
    assert ("if b == 0" in code) is check
    assert all((_RULE.strip() in request.text) is check for request in model.requests)


def test_the_format_names_every_key() -> None:
    page = _PAGE.read_text("utf-8")
    keys = {
        *list_keys(ScenarioEntry),
        *(key for entry in ENTRIES.values() for key in list_keys(entry)),
        *FaultKind,
    }
    missing = {key for key in keys - {"kind"} if f"`{key}`" not in page}
    assert len(keys) > 30
    assert not missing
