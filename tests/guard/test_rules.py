"""The learned rules stay as we wrote them; the rest of CLAUDE.md is the agent's to edit."""

from pathlib import Path

import pytest

from orchestrator.guard.rules import rewritten, with_rules_of
from orchestrator.models import FindingKind, RunOutcome
from tests.guard.projects import RIGHT, Attempts, found, make, write

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
    assert rewritten(BEFORE.encode(), data)
    assert with_rules_of(BEFORE.encode(), data) == mended.encode()


@pytest.mark.parametrize(
    "now", [BEFORE, BEFORE.replace("Be kind.", "Be brief."), BEFORE + "\n## End\n\nYes.\n"]
)
def test_other_edits_are_none_of_our_business(now: str) -> None:
    assert not rewritten(BEFORE.encode(), now.encode())


def test_rules_of_the_agents_own_making_go(tmp_path: Path) -> None:
    del tmp_path
    assert with_rules_of(None, BLOCK.encode()) is None
    assert with_rules_of(b"# Notes\n", f"# Notes!\n\n{BLOCK}".encode()) == b"# Notes!\n\n"


def test_an_agent_does_not_rewrite_its_own_lessons(project: Path) -> None:
    make(project, {"CLAUDE.md": BEFORE})
    cheat = BEFORE.replace("Never subtract", "Always subtract").replace("Text.", "Words.")
    edit = {"calc.py": RIGHT, "CLAUDE.md": cheat}
    result = Attempts(project, lambda folder: write(folder, edit)).run()
    assert result.outcome is RunOutcome.SOLVED
    assert found(result) == {FindingKind.RULES}
    text = (project / "CLAUDE.md").read_text(encoding="utf-8")
    assert text == BEFORE.replace("Text.", "Words.")
