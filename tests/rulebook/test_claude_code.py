"""What the real Claude Code program sends of a rulebook, and what it does not."""

from pathlib import Path

import pytest

from orchestrator.models import Rule
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.rulebook.text import sanitize_line, sanitize_text
from teacher.models import RuleText
from tests.replay.claude import run_claude
from tests.rulebook.making import FAILURE, LISTS, NONE, add, amend, reinforce, rulebook


def _sent(project: Path, home: Path) -> str:
    """The text of the first request that the program sends in the project."""
    with ReplayServer(parse_scenario("answers: [{reply: {say: Done.}}]")) as model:
        run = run_claude(model.url, "Say done", project, home)
        assert run.result["result"] == "Done."
        return model.requests[0].text


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"# Project\n\nUse tabs.",
        b"\xef\xbb\xbf# Project\r\n\r\n- one\r\n- two\r\n",
        b"# Project\n\n## Learned Rules & Patterns\n\nBy hand.\n\n## Next\n\ntext\n",
        b"# Project\n\n```py\nnever ended\n",
        b"# Project\n\n<!-- never ended\n",
    ],
    ids=["new", "no final newline", "BOM and CRLF", "section amid", "open fence", "open comment"],
)
def test_the_rules_are_sent_and_their_comments_are_not(
    project: Path, home: Path, before: bytes
) -> None:
    (project / "CLAUDE.md").write_bytes(before)
    book = rulebook(project)
    first = book.apply(add(NONE), FAILURE)
    book.apply(add(LISTS), FAILURE)
    assert first is not None
    book.apply(reinforce(first.rule.id), FAILURE)
    text = _sent(project, home)
    bullets = [f"- **Rule**: {NONE.rule}", f"- **When**: {NONE.when}", f"- **Why**: {NONE.why}"]
    source = "  - **Source**: Learned on 2026-11-20 from test failure"
    assert "\n".join([*bullets, source]) in text.replace("\r\n", "\n")
    assert f"- **Rule**: {LISTS.rule}" in text
    assert first.rule.id not in text
    assert "reinforced" not in text
    assert "<!-- rule" not in text


def test_a_rule_without_a_comment_keeps_its_new_one_to_itself(project: Path, home: Path) -> None:
    (project / "CLAUDE.md").write_bytes(
        b"## Learned Rules & Patterns\n- **Rule**: Never a\n  - **Source**: Learned on a day\n"
        b"- **Rule**: Never b\n- **When**: now\n  - **Source**: Learned on a day\n"
    )
    book = rulebook(project)
    for known in book.known_rules():
        book.apply(amend(known.id, RuleText(f"{known.text.rule}!", "Later", "So")), FAILURE)
    assert (project / "CLAUDE.md").read_bytes().count(b"<!-- rule") == 2
    text = _sent(project, home)
    assert "<!-- rule" not in text
    assert "- **Rule**: Never a!\n- **When**: Later\n- **Why**: So" in text
    assert "- **Rule**: Never b!\n- **When**: Later\n- **Why**: So" in text


def test_agents_md_and_the_rules_both_reach_the_model(project: Path, home: Path) -> None:
    (project / "AGENTS.md").write_text("Use tabs, as AGENTS says.\n", encoding="utf-8")
    (project / ".claude").mkdir()
    (project / ".claude" / "AGENTS.md").write_text("Say please.\n", encoding="utf-8")
    before = _sent(project, home)
    assert "Use tabs, as AGENTS says." in before
    assert "Say please." in before
    rulebook(project).apply(add(), FAILURE)
    after = _sent(project, home)
    assert "Use tabs, as AGENTS says." in after
    assert "Say please." in after
    assert NONE.rule in after


@pytest.mark.parametrize(
    "harm",
    [
        "@secret.py",
        "see @secret.py now",
        "`see @secret.py now`",
        "**@secret.py**",
        "``see @secret.py now``",
        "[a](b`c) @secret.py `",
        r"a\\@secret.py \ @secret.py",
        "`@secret.py#part` and `x @secret.py#part`",
    ],
)
def test_no_rule_imports_a_file(project: Path, home: Path, harm: str) -> None:
    (project / "secret.py").write_text("WHAT_NO_RULE_MAY_IMPORT = 1\n", encoding="utf-8")
    rule = Rule("r-000001", sanitize_text(RuleText(harm, harm, harm)), "Added by hand")
    rulebook(project).edit_files(lambda file_set: file_set.add_rule(rule, ""))
    text = _sent(project, home)
    assert f"- **Rule**: {sanitize_line(harm)}" in text
    assert "WHAT_NO_RULE_MAY_IMPORT" not in text


def test_the_same_words_unmended_would_import_it(project: Path, home: Path) -> None:
    """The danger is real: this is why a span with an `@` inside is split."""
    (project / "secret.py").write_text("WHAT_NO_RULE_MAY_IMPORT = 1\n", encoding="utf-8")
    (project / "CLAUDE.md").write_text("- **Rule**: `see @secret.py now`\n", encoding="utf-8")
    assert "WHAT_NO_RULE_MAY_IMPORT" in _sent(project, home)
