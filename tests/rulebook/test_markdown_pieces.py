"""A file read in pieces says what the whole says, and an edit costs the reading of one piece."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.models import Rule
from orchestrator.rulebook import markdown_pieces
from orchestrator.rulebook.document import Document, build_document, parse_document
from orchestrator.rulebook.editing import append_rule
from orchestrator.rulebook.markdown_pieces import blank_front_matter, read_markdown, split_lines
from teacher.models import RuleText
from tests.rulebook.making import any_files, rule_texts

_HEAD = "# Project\n\n## Learned Rules & Patterns\n\n"
_OWN = (
    "<!-- rule r-aaaaaa: failure 1 -->\n- **Rule**: A\n- **When**: B\n- **Why**: C\n"
    "  - **Source**: Learned on 2024-12-07\n"
)
_BLOCKS = (
    *(_HEAD, _OWN, _OWN.replace("aaaaaa", "bbbbbb"), _OWN.replace("\n", "\r\n"), _OWN.strip()),
    *("## Next\n", "# Top\n", "### Deep\n", "#\n", "#no\n", "####### no\n", "Under\n===\n"),
    *(
        "- item\n",
        "  - inner\n",
        "> quote\n",
        "1. one\n",
        "text\n",
        "    code\n",
        "\n",
        "\r",
        " \n",
    ),
    *("```\n", "~~~\n", "- ```\n", "> ```\n", "<!--\n", "-->\n", "<!-- note -->\n", "<!-- a\n"),
    *("<div>\n", "</div>\n", "<pre>\n", "</pre>\n", "<?php\n", "<![CDATA[\n", "<b>\n", "<x-y>\n\n"),
    *("[ref]: http://x\n", "[ref]:\n", "'title\n", "[a]: b 'c\n", "---\n", "- **Rule**: mine\n"),
    *("- a\n", "-\n", "- [ref]: x\n", "  **Rule**: y\n", "* `code`\n", "- ``` x\n", "10) ten\n"),
    *(
        "[ref]: http://y\n'title'\n",
        "\tcode\n",
        "    - deep\n",
        "- - x\n",
        "# a # b #\n",
        "#\ttab\n",
    ),
    *("- **When**: ever\n", "* **Why:** so\n", "<!-- rule r-cccccc -->\n", "-->text\n", "\0\n"),
)
"""What Markdown files are made of, with what may be open behind it."""
markdown = st.lists(st.sampled_from(_BLOCKS), max_size=12).map("".join)


def as_a_whole(data: bytes) -> Document:
    text = data.decode("utf-8", "surrogateescape")
    bom = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(bom)
    return build_document(bom, split_lines(text), [read_markdown(blank_front_matter(text))])


@given(st.one_of(any_files, markdown.map(str.encode)))
def test_pieces_say_what_the_whole_says(data: bytes) -> None:
    assert parse_document(data) == as_a_whole(data)


@given(rule_texts)
def test_a_rule_of_any_text_in_our_form_is_read_as_markdown_reads_it(text: RuleText) -> None:
    # Not made safe: whoever edits the file may write what he likes into a line.
    lines = (" ".join(part.split("\n")) for part in (text.rule, text.when, text.why))
    said = "".join(
        f"- **{name}**: {line}\n" for name, line in zip(("Rule", "When", "Why"), lines, strict=True)
    )
    data = f"{_HEAD}<!-- rule r-aaaaaa -->\n{said}".encode("utf-8", "surrogatepass")
    assert parse_document(data) == as_a_whole(data)


@pytest.mark.parametrize("known", [20, 229])
def test_one_more_rule_is_read_alone(known: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _HEAD.encode()
    for number in range(known):
        data = append_rule(data, _rule(number), "failure 1")
    read: list[str] = []

    def counted(text: str) -> markdown_pieces.Piece:
        read.append(text)
        return read_markdown(text)

    monkeypatch.setattr(markdown_pieces, "read_markdown", counted)
    append_rule(data, _rule(known), "failure 1")
    assert not read  # in our own form, so that no parser of Markdown is asked at all
    by_hand = data + b"\n# Notes\n\nOf a person.\n"
    parse_document(by_hand)
    assert not read  # so simple that it is not needed either
    parse_document(data + b"\n# Notes\n\n> Of a person.\n")
    assert read == ["# Notes\n\n> Of a person.\n"]


def _rule(number: int) -> Rule:
    text = RuleText(f"Never do thing {number}", "Always", "It broke")
    return Rule(f"r-{number:06x}", text, "Learned on 2024-12-07 from test failure")
