"""What the real Claude Code program sends of rules that stand elsewhere than in CLAUDE.md."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.memory import MarkdownRulebook
from orchestrator.memory.agents_md import agents_unloaded
from orchestrator.memory.pages import Target
from orchestrator.memory.shelf import Shelf
from orchestrator.replay import ReplayServer, parse_scenario
from tests.memory.making import FAILURE, LISTS, NONE, add
from tests.replay.claude import run_claude

READS = """
answers:
  - steps:
      - tools: [{name: Read, input: {file_path: "${cwd}/README.md"}}]
      - tools: [{name: Read, input: {file_path: "${cwd}/src/api/prices.py"}}]
      - say: Done.
"""


def book(root: Path, target: Target, *, mirror: bool = False) -> MarkdownRulebook:
    return MarkdownRulebook(Shelf(root, target, mirror=mirror), root.parent / "locks")


def sent(
    project: Path, home: Path, scenario: str = "answers: [{reply: {say: Done.}}]"
) -> list[str]:
    """The text of each request that the program sends in the project."""
    with ReplayServer(parse_scenario(scenario)) as model:
        run = run_claude(model.url, "Say done", project, home)
        assert run.result["result"] == "Done."
        return [request.text for request in model.requests]


def test_a_rule_for_some_files_is_loaded_once_one_of_them_is_touched(
    project: Path, home: Path
) -> None:
    (project / "src" / "api").mkdir(parents=True)
    (project / "src" / "api" / "prices.py").write_text("x = 1\n", encoding="utf-8")
    (project / "README.md").write_text("# Shop\n", encoding="utf-8")
    (project / "AGENTS.md").write_text("Use tabs, as AGENTS says.\n", encoding="utf-8")
    rules = book(project, Target.RULES_DIR)
    rules.apply(add(NONE), FAILURE)
    rules.apply(replace(add(LISTS), paths=("src/api/**",)), FAILURE)
    first, second, third = sent(project, home, READS)
    assert [NONE.rule in text for text in (first, second, third)] == [True, True, True]
    assert [LISTS.rule in text for text in (first, second, third)] == [False, False, True]
    assert "Use tabs, as AGENTS says." in first
    assert "<!-- rule" not in third
    assert "paths:" not in third


def test_the_users_own_rules_are_loaded_in_every_project(project: Path, home: Path) -> None:
    book(home / ".claude", Target.USER).apply(add(NONE), FAILURE)
    (project / "CLAUDE.md").write_text("Use tabs.\n", encoding="utf-8")
    (text,) = sent(project, home)
    assert NONE.rule in text
    assert "Use tabs." in text
    assert "<!-- rule" not in text


@pytest.mark.parametrize(
    "claude", [None, "<!-- nothing -->\n", "Use tabs.\n", "Use tabs.\n\n@AGENTS.md\n"]
)
def test_agents_md_is_loaded_just_when_we_think_so(
    project: Path, home: Path, claude: str | None
) -> None:
    if claude is not None:
        (project / "CLAUDE.md").write_text(claude, encoding="utf-8")
    book(project, Target.AGENTS_MD).apply(add(NONE), FAILURE)
    (text,) = sent(project, home)
    assert (NONE.rule in text) is (agents_unloaded(project) is None)
    assert (agents_unloaded(project) is None) is (claude != "Use tabs.\n")


@pytest.mark.parametrize("claude", [None, "Use tabs.\n", "Use tabs.\n\n@AGENTS.md\n"])
def test_a_mirrored_rule_is_sent_once(project: Path, home: Path, claude: str | None) -> None:
    (project / "AGENTS.md").write_text("Say please.\n", encoding="utf-8")
    if claude is not None:
        (project / "CLAUDE.md").write_text(claude, encoding="utf-8")
    book(project, Target.PROJECT, mirror=True).apply(add(NONE), FAILURE)
    (text,) = sent(project, home)
    assert text.count(NONE.rule) == 1
    assert ("Use tabs." in text) is (claude is not None)
