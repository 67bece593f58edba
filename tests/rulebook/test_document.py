"""Which rules are read out of a file, however it was treated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import RulebookError
from orchestrator.models import Rule
from orchestrator.rulebook.document import contains_rules, find_imports, has_content, parse_document
from orchestrator.rulebook.text import derive_rule_id
from teacher.models import RuleText
from tests.rulebook.making import any_files

_HEAD = "# Project\n\n## Learned Rules & Patterns\n\n"
_ONE = "- **Rule**: A\n- **When**: B\n- **Why**: C\n  - **Source**: Learned on 2024-12-07\n"
_TEXT = RuleText("A", "B", "C")


def _rules(text: str) -> tuple[Rule, ...]:
    """The rules of a text, also those that were written by hand."""
    document = parse_document(text.encode())
    return (*document.rules, *document.hand_written)


def test_a_rule_is_read_with_its_id_and_source() -> None:
    found = _rules(_HEAD + "<!-- rule r-3f2a9c: failure 9f8e -->\n" + _ONE)
    assert found == (Rule("r-3f2a9c", _TEXT, "Learned on 2024-12-07"),)


def test_a_rule_written_by_hand_has_an_id_from_its_text() -> None:
    document = parse_document((_HEAD + _ONE).encode())
    expected = (Rule(derive_rule_id(_TEXT), _TEXT, "Learned on 2024-12-07"),)
    assert (document.rules, document.hand_written) == ((), expected)


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
        f'---\nx: "\n\n{_HEAD}{_ONE}\n# "\n---\n\ntext\n',
        f"\ufeff---\r\n\r\n{_HEAD}{_ONE} --- text\n",
        f"---\na: b\n---\n---\n\n\n```\n{_HEAD}{_ONE}```\n---\n",
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
        "in front matter",
        "in front matter that ends within a line",
        "in a fence behind front matter",
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
        (_HEAD.replace("Learned ", "Learned\u00a0") + _ONE, _TEXT),
        (_HEAD.replace("Rules &", "RULE\u017f  \u2003&") + _ONE, _TEXT),
        ("---\na: b\n---\n" + _HEAD + _ONE, _TEXT),
        ("---\na: b\n   ---" + _HEAD.removeprefix("# Project\n\n") + _ONE, _TEXT),
        ("---\na: b\n\n" + _HEAD + _ONE, _TEXT),
        ("\n---\na: b\n\n" + _HEAD + _ONE + "\n---\n", _TEXT),
    ],
)
def test_a_rule_is_read_in_the_forms_that_people_write(text: str, expected: RuleText) -> None:
    assert [rule.text for rule in _rules(text)] == [expected]


def test_an_id_that_stands_twice_is_given_once() -> None:
    comment = "<!-- rule r-1: x -->\n"
    text = _HEAD + comment + _ONE + comment + _ONE.replace("A", "Z") + _ONE + _ONE
    found = _rules(text)
    assert [rule.text.rule for rule in found] == ["A", "Z", "A", "A"]
    assert found[0].id == "r-1"
    assert [rule.id for rule in parse_document(text.encode()).rules] == ["r-1"]
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
        parse_document("## x".encode("utf-16"))


@given(any_files)
def test_any_file_can_be_read(data: bytes) -> None:
    document = parse_document(data)
    found = (*document.rules, *document.hand_written)
    assert len({rule.id for rule in found}) == len(found)
    raw = document.bom + "".join(document.lines)
    assert raw.encode("utf-8", "surrogateescape") == data
    assert contains_rules(data) or not document.section


@given(st.text(alphabet="# \n\t\r\u00a0\u2028\x1c-=lLearnedRULES\u017f&patterns", max_size=60))
def test_a_file_with_a_section_is_seen_to_have_one(text: str) -> None:
    for whole in (text, f"## Learned {text}rules & patterns\n", f"Learned{text}\n---\n"):
        assert contains_rules(whole.encode()) or not parse_document(whole.encode()).section


def test_a_heading_in_utf_16_is_seen() -> None:
    assert contains_rules((_HEAD + _ONE).encode("utf-16"))
    assert not contains_rules("Use tabs.\n".encode("utf-16"))


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
        (b"---\na: b\n", True),
        (b"---\na: --- b", True),
        (b"x", True),
        (b"\xff", True),
    ],
)
def test_comments_and_front_matter_are_no_content(data: bytes, expected: bool) -> None:
    assert has_content(data) is expected


IMPORTS = {
    "@AGENTS.md": True,
    "Be kind, see @./AGENTS.md": True,
    "@docs/../AGENTS.md#part": True,
    "# @AGENTS.md": True,
    "Be **@AGENTS.md** kind": True,
    "> @AGENTS.md": True,
    "- Be kind\n- [ ] @AGENTS.md": True,
    "- `see @AGENTS.md now`": True,
    "Be kind\n\n<!-- note --> @AGENTS.md": True,
    "Be kind\n    @AGENTS.md": True,
    "---\na: b\n---\n@AGENTS.md": True,
    "Be kind, see @AGENTS.md, please": False,
    "Be kind (@AGENTS.md)": False,
    "Be \\@AGENTS.md kind": False,
    "Be `@AGENTS.md` kind": False,
    "Be `see @AGENTS.md now` kind": False,
    "- Be `@AGENTS.md` kind": False,
    "Be kind\n\n```\n@AGENTS.md\n```": False,
    "Be kind\n~~~\n@AGENTS.md": False,
    "> ```\n> @AGENTS.md\n> ```": False,
    "- Be kind\n\n  ```\n  @AGENTS.md\n  ```": False,
    "Be kind\n\n    @AGENTS.md": False,
    "Be kind\n\n<!--\n@AGENTS.md\n-->": False,
    "Be kind <!-- @AGENTS.md --> ok": False,
    "Be kind\n\n<div>\n@AGENTS.md\n</div>": False,
    "---\na: @AGENTS.md\n---\nBe kind": False,
}
"""What imports AGENTS.md; each was tried with the real program, 2.1.329."""


@pytest.mark.parametrize("text", IMPORTS)
def test_what_is_only_shown_is_not_imported(text: str) -> None:
    assert ("AGENTS.md" in find_imports(f"{text}\n".encode())) is IMPORTS[text]
