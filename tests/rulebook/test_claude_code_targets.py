"""What the real Claude Code program sends of rules that stand elsewhere than in CLAUDE.md."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.rulebook.agents_md import find_shadowing_file
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook
from tests.replay.claude import run_claude
from tests.rulebook.making import FAILURE, LISTS, NONE, add
from tests.rulebook.test_document import IMPORTS

READS = """
answers:
  - steps:
      - tools: [{name: Read, input: {file_path: "${cwd}/README.md"}}]
      - tools: [{name: Read, input: {file_path: "${cwd}/src/api/prices.py"}}]
      - say: Done.
"""


def book(root: Path, target: Target, *, mirror: bool = False) -> MarkdownRulebook:
    return MarkdownRulebook(RuleFiles(root, target, mirror=mirror), root.parent / "locks")


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


@pytest.mark.parametrize("configured", [".claude", "claude"])
def test_the_users_own_file_is_where_the_configuration_is(
    home: Path, configured: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / configured))
    project = home / "shop"
    for path in (project / "AGENTS.md", home / ".claude" / "CLAUDE.md"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"As {path.name} says.\n", encoding="utf-8")
    variables = {"CLAUDE_CONFIG_DIR": str(home / configured)}
    with ReplayServer(parse_scenario("answers: [{reply: {say: Done.}}]")) as model:
        run_claude(model.url, "Say done", project, home, env=variables)
        (request,) = model.requests
    assert ("As AGENTS.md says." in request.text) is (find_shadowing_file(project) is None)
    assert (find_shadowing_file(project) is None) is (configured == ".claude")


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
    assert (NONE.rule in text) is (find_shadowing_file(project) is None)
    assert (find_shadowing_file(project) is None) is (claude != "Use tabs.\n")


@pytest.mark.parametrize("claude", [None, "Use tabs.\n", "Use tabs.\n\n@AGENTS.md\n"])
def test_a_mirrored_rule_is_sent_once(project: Path, home: Path, claude: str | None) -> None:
    (project / "AGENTS.md").write_text("Say please.\n", encoding="utf-8")
    if claude is not None:
        (project / "CLAUDE.md").write_text(claude, encoding="utf-8")
    book(project, Target.PROJECT, mirror=True).apply(add(NONE), FAILURE)
    (text,) = sent(project, home)
    assert text.count(NONE.rule) == 1
    assert ("Use tabs." in text) is (claude is not None)


def test_what_imports_is_what_we_think(project: Path, home: Path) -> None:
    # All in one file: front matter is at its beginning, a fence without an end at its end.
    texts = sorted(IMPORTS, key=lambda text: (not text.startswith("---"), text.count("~~~")))
    texts.remove("---\na: b\n---\n@AGENTS.md")
    (project / "docs").mkdir()
    parts = []
    for number, text in enumerate(texts):
        (project / f"f{number}.md").write_text(f"Said by file {number}.\n", encoding="utf-8")
        parts.append(text.replace("AGENTS.md", f"f{number}.md"))
    (project / "CLAUDE.md").write_text("\n\n# Next\n\n".join(parts) + "\n", encoding="utf-8")
    (sent_text,) = sent(project, home)
    said = {text: f"Said by file {number}." in sent_text for number, text in enumerate(texts)}
    assert said == {text: IMPORTS[text] for text in texts}


@pytest.mark.parametrize(
    "front",
    [
        "---\nx: '\n\n{}\n# '\n---\n",
        "\ufeff---\r\n\r\n{}\r\n  --- ",
        "---\nx: y --- z\n\n{}\n---\n",
        "---\n\n{}\n",
        "\n---\n\n{}\n---\n",
        "---\n---\n---\n\n{}\n---\n",
    ],
)
def test_rules_in_front_matter_are_read_just_when_they_are_sent(
    project: Path, home: Path, front: str
) -> None:
    section = "## Learned Rules & Patterns\n\n- **Rule**: Never use eval\n"
    data = (front.format(section) + "# Project\n\nUse tabs.\n").encode()
    (project / "CLAUDE.md").write_bytes(data)
    (text,) = sent(project, home)
    assert "Use tabs." in text
    assert ("Never use eval" in text) is bool(book(project, Target.PROJECT).list_hand_written())
