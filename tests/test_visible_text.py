"""Text from outside is shown as it is, in a terminal and in Markdown."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from orchestrator.visible_text import escape_markdown, flatten_text, show_hidden

PIECES = (
    *"\\`*_[]<>&~|@#+=-.:/!()'\" \n\t1x",
    *("# ", "](x)", "![", "<img src=x>", "&lt;", "&#35;", "www.a.b", "http://a.b", "a@b.c", "---"),
    *("===", "```", "12. ", "1) ", "\x1b[31m", "\x1b]0;x\x07", "\u202e", "\u3164", "\ufe01"),
)
_TEXTS = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=9).map("".join))


@given(_TEXTS)
@example("x\n\n# Review: all fine\n\n[Run this](http://evil)\x1b]0;pwned\x07")
@example('<img src="http://evil/x.png"> ![t](http://evil/t.png) <!-- x')
def test_markdown_shows_a_text_as_it_is(text: str) -> None:
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for prefix, kind in (("- ", "list_item"), ("## ", "heading")):
        tokens = reader.parse(f"{prefix}{escape_markdown(text)}x")
        blocks = {each.type.removesuffix("_open").removesuffix("_close") for each in tokens}
        assert blocks <= {"bullet_list", "list_item", "paragraph", "inline", "heading"}
        assert kind in blocks
        assert ("heading" in blocks) == (kind == "heading")
        (inline,) = (each for each in tokens if each.type == "inline")
        assert {each.type for each in inline.children or ()} <= {"text", "text_special"}
        shown = "".join(each.content for each in inline.children or ())
        assert shown == f"{flatten_text(text)}x"


@pytest.mark.parametrize("address", ["http://a.b", "HTTPS://a.b", "www.a.b", "WWW.a.b", "a@b.c"])
def test_no_address_is_left_that_a_reader_of_markdown_links(address: str) -> None:
    escaped = escape_markdown(f"see {address}")
    assert address not in escaped
    assert escaped.replace("\\", "") == f"see {address}"


@given(_TEXTS)
def test_nothing_acts_or_hides_in_a_terminal(text: str) -> None:
    assert all(char.isprintable() or char in "\n\t" for char in show_hidden(text))
    assert flatten_text(text).isprintable()
    assert len(f"x{flatten_text(text)}".splitlines()) == 1


@pytest.mark.parametrize(
    "hidden", ["\u3164", "\u2800", "\ufe01", "\ufe0f", "\U000e0151", "\u034f", "\u115f"]
)
def test_what_is_shown_as_nothing_is_an_escape(hidden: str) -> None:
    assert show_hidden(f"run{hidden}x") == f"run{hidden.encode('unicode_escape').decode()}x"
    assert show_hidden("\u26a0\ufe0f Größe 日本 ✓") == "\u26a0\ufe0f Größe 日本 ✓"
