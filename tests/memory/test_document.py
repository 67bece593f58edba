"""Which rules are read out of a file, however it was treated."""

import pytest
from hypothesis import given

from orchestrator.errors import RulebookError
from orchestrator.memory.document import has_content, parse
from orchestrator.memory.text import rule_id
from orchestrator.models import Rule
from teacher.models import RuleText
from tests.memory.making import any_files

_HEAD = "# Project\n\n## Learned Rules & Patterns\n\n"
_ONE = "- **Rule**: A\n- **When**: B\n- **Why**: C\n  - **Source**: Learned on 2024-12-07\n"
_TEXT = RuleText("A", "B", "C")


def _rules(text: str) -> tuple[Rule, ...]:
    return parse(text.encode()).rules


def test_a_rule_is_read_with_its_id_and_source() -> None:
    found = _rules(_HEAD + "<!-- rule r-3f2a9c: failure 9f8e -->\n" + _ONE)
    assert found == (Rule("r-3f2a9c", _TEXT, "Learned on 2024-12-07"),)


def test_a_rule_written_by_hand_has_an_id_from_its_text() -> None:
    assert _rules(_HEAD + _ONE) == (Rule(rule_id(_TEXT), _TEXT, "Learned on 2024-12-07"),)


@pytest.mark.parametrize(
    "text",
    [
        _ONE,
        "## Other\n\n" + _ONE,
        _HEAD + "text\n\n## Next\n\n" + _ONE,
        _HEAD + "Next\n====\n\n" + _ONE,
        _HEAD + "```\n" + _ONE + "```\n",
        _HEAD + "<!--\n" + _ONE + "-->\n",
        "```\n" + _HEAD + "```\n" + _ONE,
        "<!--\n" + _HEAD + "-->\n" + _ONE,
        _HEAD + "> - **Rule**: A\n",
        _HEAD + "<!-- rule r-1: its bullets were deleted -->\n",
        _HEAD + "- **When**: B\n- **Why**: C\n",
    ],
    ids=[
        "no section",
        "other section",
        "behind the next heading",
        "behind an underlined heading",
        "rule in a fence",
        "rule in a comment",
        "heading in a fence",
        "heading in a comment",
        "quoted",
        "comment alone",
        "no Rule bullet",
    ],
)
def test_what_is_no_rule_is_not_read(text: str) -> None:
    assert _rules(text) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_HEAD + "### Python\n\n" + _ONE, _TEXT),
        (_HEAD + "```\n## Next\n```\n" + _ONE, _TEXT),
        (_HEAD + "<!--\n## Next\n-->\n" + _ONE, _TEXT),
        (_HEAD + "- **Rule**: A\n- **When**: B\n", RuleText("A", "B", "")),
        (_HEAD + "- **Rule**: A\n  and\n  more\n", RuleText("A and more", "", "")),
        (_HEAD + "* **rule:** A\n\n* **WHEN** : B\n", RuleText("A", "B", "")),
        (_HEAD + "- **Rule**: A\n\nA note.\n\n- **When**: B\n", RuleText("A", "B", "")),
        (_HEAD + "- **Rule**: A\n  - **When**: B\n  - **Why**: C\n", _TEXT),
        (_HEAD.replace("\n", "\r\n") + _ONE.replace("\n", "\r\n"), _TEXT),
        (_HEAD.replace("\n", "\r") + _ONE.replace("\n", "\r"), _TEXT),
        ("\ufeff" + _HEAD.removeprefix("# Project\n\n") + _ONE, _TEXT),
        ("Learned rules & patterns\n---\n\n" + _ONE, _TEXT),
    ],
)
def test_a_rule_is_read_in_the_forms_that_people_write(text: str, expected: RuleText) -> None:
    assert [rule.text for rule in _rules(text)] == [expected]


def test_an_id_that_stands_twice_is_given_once() -> None:
    comment = "<!-- rule r-1: x -->\n"
    found = _rules(_HEAD + comment + _ONE + comment + _ONE.replace("A", "Z") + _ONE + _ONE)
    assert [rule.text.rule for rule in found] == ["A", "Z", "A", "A"]
    assert found[0].id == "r-1"
    assert len({rule.id for rule in found}) == len(found)


def test_rules_of_all_sections_of_that_name_are_in_force() -> None:
    found = _rules(_HEAD + _ONE + "## Other\n\n" + _HEAD + _ONE.replace("A", "Z"))
    assert [rule.text.rule for rule in found] == ["A", "Z"]


def test_a_rule_takes_nothing_from_the_next_section() -> None:
    found = _rules(
        _HEAD + "- **Rule**: A\n\n" + _HEAD.removeprefix("# Project\n") + "- **When**: B\n"
    )
    assert [rule.text for rule in found] == [RuleText("A", "", "")]


def test_utf_16_is_refused_with_the_mend() -> None:
    with pytest.raises(RulebookError, match=r"UTF-16.*save it as UTF-8"):
        parse("## x".encode("utf-16"))


@given(any_files)
def test_any_file_can_be_read(data: bytes) -> None:
    document = parse(data)
    assert len({rule.id for rule in document.rules}) == len(document.rules)
    raw = document.bom + "".join(document.lines)
    assert raw.encode("utf-8", "surrogateescape") == data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", False),
        (b" \n\t\r\n", False),
        (b"\xef\xbb\xbf\n", False),
        (b"<!-- only\na comment -->\n", False),
        (b"---\na: b\n---\n", False),
        (b"\xef\xbb\xbf---\r\na: b\r\n---\r\n<!-- c -->", False),
        (b"---\na: b\n---\nx", True),
        (b"x", True),
        (b"\xff", True),
    ],
)
def test_comments_and_front_matter_are_no_content(data: bytes, expected: bool) -> None:
    assert has_content(data) is expected
