"""The demo is green because the loop learns, and red wherever the rule is lost on its way."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.services.demo import RULE, run_demo
from orchestrator.storage.state_directory import resolve_state_directory
from tests.trusting import trust_project

Sabotage = Callable[[Path], None]


@pytest.fixture(autouse=True)
def only_the_runner_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example needs no plugins, and its suite runs often."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def demo(sabotage: Sabotage = lambda _rulebook: None) -> tuple[int, str]:
    """Run the demo; `sabotage` gets the rulebook as soon as the rule stands in it.

    It does so again with each event, because the guard puts lost rules back.
    """
    said: list[str] = []
    rulebooks: list[Path] = []

    def listen(event: events.Event) -> None:
        if isinstance(event, events.RuleWritten):
            rulebooks.append(event.change.path)
        for rulebook in rulebooks:
            sabotage(rulebook)

    code = run_demo(keep=False, listener=listen, say=said.append)
    return code, "\n".join(said)


@pytest.mark.whole
def test_the_loop_learns(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: set[Path] = set()
    # What the user has set for their own work leads the demo nowhere.
    monkeypatch.setenv("CLAUDE_CODE_DISABLE_CLAUDE_MDS", "1")
    monkeypatch.setenv("ANTHROPIC_MODEL", "nosuch")
    monkeypatch.setenv("ORCHESTRATOR_TEACHER_MODE", "webhook")
    monkeypatch.setenv("ORCHESTRATOR_LEARNING_MAX_RETRIES", "0")
    code, said = demo(lambda rulebook: folders.add(rulebook.parents[1]))
    assert code == 0, said
    assert said.count("\n  yes  ") == 4
    assert "NO" not in said.replace("No key, no network", "").replace("NO_PROXY", "")
    assert "scripted" in said
    (folder,) = folders
    assert not folder.exists()
    assert not resolve_state_directory().exists()
    assert not (home / ".claude").exists()


def not_written(rulebook: Path) -> None:
    rulebook.unlink(missing_ok=True)


def not_loaded(rulebook: Path) -> None:
    settings = rulebook.parent / ".claude" / "settings.local.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(json.dumps({"claudeMdExcludes": ["**/CLAUDE.md"]}), encoding="utf-8")
    trust_project(rulebook.parent, rulebook.parent.parent / "state")  # else it is not loaded


def not_sent(rulebook: Path) -> None:
    text = rulebook.read_text(encoding="utf-8")
    if text.startswith("<!--\n"):
        return
    rulebook.write_text(f"<!--\n{text.replace('<!--', '').replace('-->', '')}-->\n", "utf-8")
    assert RULE in rulebook.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sabotage", "stands"),
    [
        pytest.param(not_written, "NO ", marks=pytest.mark.whole),
        pytest.param(not_loaded, "yes", marks=pytest.mark.whole),
        pytest.param(not_sent, "yes", marks=pytest.mark.whole),
    ],
)
def test_a_rule_that_is_lost_on_its_way(sabotage: Sabotage, stands: str) -> None:
    code, said = demo(sabotage)
    assert code == 1, said
    assert f"  {stands}  the teacher's rule stands in CLAUDE.md" in said
    assert "  yes  the first attempt failed its tests" in said
    assert "  NO   Claude Code sent the rule (0 of " in said
    assert "  NO   the next attempt passed" in said
