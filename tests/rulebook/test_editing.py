"""Every edit does what it says, and leaves every byte that is not ours as it was."""

import re
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.errors import RulebookError
from orchestrator.models import Rule
from orchestrator.rulebook.document import find_free_id, find_front_matter, parse_document
from orchestrator.rulebook.editing import adopt_rule, amend_rule, append_rule, reinforce_rule
from orchestrator.rulebook.text import sanitize_text
from teacher.models import RuleText
from tests.rulebook.making import LISTS, NONE, TODAY, any_files, is_one_insertion, rule_texts

_RULE = Rule("r-111111", RuleText("A", "B", "C"), "Learned on 2026-11-20 from test failure")
_LINES = [
    "<!-- rule r-111111: failure 1 -->",
    "- **Rule**: A",
    "- **When**: B",
    "- **Why**: C",
    "  - **Source**: Learned on 2026-11-20 from test failure",
]
_BLOCK = "\n".join(_LINES)
_SECTION = "## Learned Rules & Patterns\n\n" + _BLOCK


def _appended(before: str) -> str:
    return append_rule(before.encode(), _RULE, "failure 1").decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{_SECTION}\n"),
        ("\ufeff", f"\ufeff{_SECTION}\n"),
        ("\n\n", f"{_SECTION}\n\n\n"),
        ("# A\n", f"# A\n\n{_SECTION}\n"),
        ("# A", f"# A\n\n{_SECTION}"),
        ("# A\n\n\n", f"# A\n\n{_SECTION}\n\n\n"),
        ("# A\r\nb\r\n", f"# A\r\nb\r\n\r\n{_SECTION}\r\n"),
        ("# A\n## Learned Rules & Patterns", f"# A\n{_SECTION}"),
        ("## Learned Rules & Patterns\n\n## B\n", f"{_SECTION}\n\n## B\n"),
        ("## Learned Rules & Patterns\n## B\n", f"{_SECTION}\n\n## B\n"),
        ("## Learned Rules & Patterns\nText\nB\n===\n", None),
        (
            "## Learned Rules & Patterns\n\nBy hand.\n\n\n# B\n",
            f"## Learned Rules & Patterns\n\nBy hand.\n\n{_BLOCK}\n\n\n# B\n",
        ),
        ("```py\nx\n", f"```py\nx\n```\n\n{_SECTION}\n"),
        ("<!-- x\n", f"<!-- x\n-->\n\n{_SECTION}\n"),
        ("<script>\n", f"<script>\n</script>\n\n{_SECTION}\n"),
        ("- ```\n  x", f"- ```\n  x\n\n{_SECTION}"),
        ("---\na: b\rc: d\n---\n", None),
    ],
)
def test_a_rule_goes_to_the_end_of_its_section(before: str, after: str | None) -> None:
    written = _appended(before)
    assert is_one_insertion(before.encode(), written.encode())
    assert parse_document(reinforce_rule(written.encode(), _RULE.id, TODAY)).rules == (_RULE,)
    if after is not None:
        newline = "\r\n" if "\r\n" in before else "\n"
        assert written == re.sub(r"\r?\n", newline, after)


def test_the_next_rule_follows_with_a_blank_line_between() -> None:
    second = Rule("r-222222", LISTS, "Learned on 2026-11-21 from scope error")
    written = append_rule(
        _appended("# A\n\n## Learned Rules & Patterns\n\n# B\n").encode(), second, ""
    )
    assert parse_document(written).rules == (_RULE, second)
    assert f"{_BLOCK}\n\n<!-- rule r-222222 -->\n- **Rule**: Never".encode() in written


def test_imports_come_before_a_section_that_is_made() -> None:
    assert (
        append_rule(b"", _RULE, "failure 1", ["AGENTS.md"]).decode()
        == f"@AGENTS.md\n\n{_SECTION}\n"
    )
    written = append_rule(
        b"<!-- note -->\n", _RULE, "failure 1", ["AGENTS.md", ".claude/AGENTS.md"]
    )
    assert written.decode() == (f"<!-- note -->\n\n@AGENTS.md\n@.claude/AGENTS.md\n\n{_SECTION}\n")


def _would_end(data: bytes, text: RuleText) -> bool:
    """Whether a rule would end the front matter that a file begins and does not end."""
    said = "".join((text.rule, text.when, text.why))
    return (
        "---" in said
        and find_front_matter(data) is None
        and find_front_matter(data + b"\n---") is not None
    )


def test_a_rule_that_would_end_what_a_file_begins_is_refused() -> None:
    rule = Rule("r-1", RuleText("Begin it with ---", "", ""), "by hand")
    with pytest.raises(RulebookError, match="front matter"):
        append_rule(b"---\n# Project\n", rule, "")
    assert parse_document(append_rule(b"---\n---\n# Project\n", rule, "")).rules == (rule,)


@given(any_files, rule_texts)
def test_any_file_in_any_rule_on_top_every_foreign_byte_out(data: bytes, text: RuleText) -> None:
    text = sanitize_text(text)
    if not text.rule:
        text = NONE
    assume(not _would_end(data, text))
    before = parse_document(data)
    rule = Rule(find_free_id(text, before.ids), text, "Learned on 2026-11-20 from test failure")
    written = append_rule(data, rule, "failure 1")
    assert is_one_insertion(data, written)
    after = list(parse_document(written).rules)
    assert after.pop(after.index(rule)) == rule
    assert after == list(before.rules)


@given(any_files, st.lists(rule_texts, min_size=2, max_size=5))
def test_rules_pile_up_and_come_off_again(data: bytes, texts: list[RuleText]) -> None:
    stages = [data]
    for text in texts:
        known = parse_document(stages[-1])
        text = RuleText(sanitize_text(text).rule or "x", text.when[:0], "y")  # noqa: PLW2901 -- made safe
        assume(not _would_end(data, text))
        rule = Rule(find_free_id(text, known.ids), text, "s")
        stages.append(append_rule(stages[-1], rule, ""))
    assert len(parse_document(stages[-1]).rules) == len(parse_document(data).rules) + len(texts)
    assert all(is_one_insertion(early, late) for early, late in pairwise(stages))


@pytest.mark.whole
def test_a_file_of_a_megabyte_takes_a_rule() -> None:
    data = b"# Notes\r\n\r\nSome prose that goes on and on, as such files do.\r\n\r\n" * 16_000
    assert len(data) > 1_000_000
    written = append_rule(data, _RULE, "failure 1")
    assert written.startswith(data.rstrip())
    assert is_one_insertion(data, written)
    assert parse_document(written).rules == (_RULE,)


# ---- amend and reinforce -------------------------------------------------------------------

_NEW = RuleText("New", "Then", "So")
_AROUND = f"# A\n\n## Learned Rules & Patterns\n\nBy hand.\n\n{_BLOCK}\n\nMore.\n\n# B\n"


def test_amend_replaces_the_three_bullets_and_keeps_the_rest() -> None:
    written = amend_rule(_AROUND.encode(), "r-111111", _NEW, TODAY).decode()
    assert written == (
        _AROUND.replace("failure 1 -->", "failure 1, amended 1 (2026-11-20) -->")
        .replace("**: A", "**: New")
        .replace("**: B", "**: Then")
        .replace("**: C", "**: So")
    )
    again = amend_rule(written.encode(), "r-111111", _RULE.text, TODAY).decode()
    assert again == _AROUND.replace("failure 1 -->", "failure 1, amended 2 (2026-11-20) -->")


def test_reinforce_counts_in_the_comment_alone() -> None:
    once = reinforce_rule(_AROUND.encode(), "r-111111", TODAY).decode()
    assert once == _AROUND.replace("failure 1 -->", "failure 1, reinforced 1 (2026-11-20) -->")
    twice = reinforce_rule(once.encode(), "r-111111", TODAY.replace(day=21)).decode()
    assert twice == _AROUND.replace("failure 1 -->", "failure 1, reinforced 2 (2026-11-21) -->")


def test_a_rule_written_by_hand_gets_its_comment_when_it_is_adopted() -> None:
    data = b"## Learned Rules & Patterns\r\n- **Rule**: A\r\n- **Rule**: B"
    first, second = parse_document(data).hand_written
    written = adopt_rule(data, second.id)
    comment = f"<!-- rule {second.id} -->\r\n".encode()
    assert written == data.replace(b"- **Rule**: B", comment + b"- **Rule**: B")
    found = parse_document(written)
    assert (found.rules, found.hand_written) == ((second,), (first,))


def test_amend_completes_a_half_deleted_rule() -> None:
    data = b"## Learned Rules & Patterns\n\n<!-- rule r-1 -->\n- **Rule**: A\n  and more"
    written = amend_rule(data, "r-1", _NEW, TODAY).decode()
    assert written == (
        "## Learned Rules & Patterns\n\n<!-- rule r-1: amended 1 (2026-11-20) -->\n"
        "- **Rule**: New\n- **When**: Then\n- **Why**: So"
    )


def test_amend_leaves_what_the_new_text_leaves_out() -> None:
    written = amend_rule(_AROUND.encode(), "r-111111", RuleText("New", "", ""), TODAY)
    assert parse_document(written).rules[0].text == RuleText("New", "B", "C")


def test_an_unknown_rule_cannot_be_changed() -> None:
    with pytest.raises(KeyError):
        amend_rule(_AROUND.encode(), "r-0", _NEW, TODAY)
    with pytest.raises(KeyError):
        reinforce_rule(_AROUND.encode(), "r-0", TODAY)


@given(any_files, rule_texts, st.integers(0, 100))
def test_in_any_file_an_edit_touches_its_own_rule_only(
    data: bytes, text: RuleText, pick: int
) -> None:
    assume(not _would_end(data, sanitize_text(text)))
    data = append_rule(data, Rule("r-dddddd", NONE, "s"), "")
    rules = parse_document(data).rules
    target = rules[pick % len(rules)]
    try:
        reinforced = reinforce_rule(data, target.id, TODAY)
        amended = amend_rule(data, target.id, sanitize_text(text), TODAY)
    except RulebookError:
        # A rule that people tangled may be refused, ours never.
        assert target.id != "r-dddddd"
        return
    assert parse_document(reinforced).rules == rules
    others = [rule for rule in rules if rule != target]
    assert [rule for rule in parse_document(amended).rules if rule.id != target.id] == others
    for written in (reinforced, amended):
        lines = iter(parse_document(written).lines)
        assert all(line in lines for line in _foreign(data, target.id))


def _foreign(data: bytes, rule: str) -> list[str]:
    """Lines that belong neither to the rule's bullets nor to its comment."""
    document = parse_document(data)
    place = document.find_location(rule)
    spans = [(bullet.start, bullet.end) for bullet in place.bullets]
    if place.comment:
        spans.append((place.comment.start, place.comment.end))
    owned = {number for start, end in spans for number in range(start, end)}
    return [line for number, line in enumerate(document.lines) if number not in owned]
