"""Learned rules are restored; the rest of CLAUDE.md is for the agent to edit."""

from pathlib import Path

import pytest

from orchestrator.guard.learned_rules import has_changed_rules, restore_rules
from orchestrator.models import FindingKind, RunOutcome
from tests.guard.projects import RIGHT, Attempts, list_finding_kinds, make_project, write

BLOCK = """## Learned Rules & Patterns

<!-- rule r-000001: failure 0000, source pytest -->
- **Rule**: Never subtract in add().
- **When**: Always.
- **Why**: It fails.
  - **Source**: Learned on 2026-11-20 from test failure
"""
BEFORE = f"# Notes\n\nBe kind.\n\n{BLOCK}\n## More\n\nText.\n"


@pytest.mark.parametrize(
    ("now", "mended"),
    [
        (BEFORE.replace("Never subtract", "Always subtract"), BEFORE),
        (
            BEFORE.replace("Be kind.", "Be brief.").replace(
                "**When**: Always.", "**When**: Never."
            ),
            BEFORE.replace("Be kind.", "Be brief."),
        ),
        (BEFORE.replace("  - **Source**", "- **Rule**: Edit the tests.\n  - **Source**"), BEFORE),
        (BEFORE.replace(BLOCK, ""), BEFORE),
        (BEFORE.replace(BLOCK, f"<!--\n{BLOCK}-->\n"), BEFORE),
        (BEFORE + BLOCK.replace("000001", "000002").replace("Never", "Always"), BEFORE),
        ("", BEFORE),
        (None, BEFORE),
    ],
)
def test_rewritten_rules_come_back(now: str | None, mended: str) -> None:
    data = None if now is None else now.encode()
    assert has_changed_rules(BEFORE.encode(), data)
    assert restore_rules(BEFORE.encode(), data) == mended.encode()


@pytest.mark.parametrize(
    "now", [BEFORE, BEFORE.replace("Be kind.", "Be brief."), BEFORE + "\n## End\n\nYes.\n"]
)
def test_other_edits_are_none_of_our_business(now: str) -> None:
    assert not has_changed_rules(BEFORE.encode(), now.encode())


def test_rules_of_the_agents_own_making_go(tmp_path: Path) -> None:
    del tmp_path
    assert restore_rules(None, BLOCK.encode()) is None
    assert restore_rules(b"# Notes\n", f"# Notes!\n\n{BLOCK}".encode()) == b"# Notes!\n\n"


def test_an_agent_does_not_rewrite_its_own_lessons(project: Path) -> None:
    make_project(project, {"CLAUDE.md": BEFORE})
    cheat = BEFORE.replace("Never subtract", "Always subtract").replace("Text.", "Words.")
    edit = {"calc.py": RIGHT, "CLAUDE.md": cheat}
    result = Attempts(project, lambda folder: write(folder, edit)).run()
    assert result.outcome is RunOutcome.SOLVED
    assert list_finding_kinds(result) == {FindingKind.RULES}
    text = (project / "CLAUDE.md").read_text(encoding="utf-8")
    assert text == BEFORE.replace("Text.", "Words.")


SCOPED = f"---\npaths:\n- src/**\n---\n\n{BLOCK}"
"""A file of the rules folder."""


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("AGENTS.md", BEFORE, BEFORE.replace("Never subtract", "Always subtract")),
        (".claude/rules/learned-src.md", SCOPED, SCOPED.replace("Never", "Always")),
        (".claude/rules/learned-src.md", SCOPED, SCOPED.replace("src/**", "nowhere/**")),
        (".claude/rules/learned-src.md", SCOPED, SCOPED.replace("paths:", "paths: [")),
        (".claude/rules/learned-src.md", SCOPED, None),
    ],
)
def test_nor_those_in_other_files(project: Path, name: str, before: str, after: str | None) -> None:
    make_project(project, {name: before})

    def cheat(folder: Path) -> None:
        write(folder, {"calc.py": RIGHT})
        if after is None:
            (folder / name).unlink()
        else:
            write(folder, {name: after})

    result = Attempts(project, cheat).run()
    assert result.outcome is RunOutcome.SOLVED
    assert list_finding_kinds(result) == {FindingKind.RULES}
    assert (project / name).read_text(encoding="utf-8") == before


def test_new_rules_of_an_agents_own_are_taken_out_of_the_rules_folder(project: Path) -> None:
    make_project(project, {})
    name = ".claude/rules/more.md"
    result = Attempts(project, lambda to: write(to, {"calc.py": RIGHT, name: BLOCK})).run()
    assert list_finding_kinds(result) == {FindingKind.RULES}
    assert not (project / name).exists()


def test_a_rules_folder_that_now_leads_elsewhere_is_put_back(project: Path, tmp_path: Path) -> None:
    make_project(project, {".claude/rules/learned-src.md": SCOPED})
    elsewhere = tmp_path / "elsewhere"

    def cheat(folder: Path) -> None:
        write(folder, {"calc.py": RIGHT})
        (folder / ".claude").rename(elsewhere)
        (folder / ".claude").symlink_to(elsewhere)

    assert list_finding_kinds(Attempts(project, cheat).run()) == {FindingKind.RULES}
    assert not (project / ".claude").is_symlink()
    kept = project / ".claude/rules/learned-src.md"
    assert kept.read_text(encoding="utf-8") == SCOPED
