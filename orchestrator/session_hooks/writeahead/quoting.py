"""Quotes and brackets of a shell script: where they are closed, and what escapes mean."""

import re

_MAX_NESTING = 50
"""Depth of brackets and quotes within each other from which on they are not matched."""


def decode_ansi_escape(escape: re.Match[str]) -> str:
    """Return the character of an escape in `$'...'`; group 1 is the part after the backslash."""
    code = escape[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8))
    return {
        "n": "\n",
        "t": "\t",
        "r": "\r",
        "a": "\a",
        "b": "\b",
        "e": "\x1b",
        "E": "\x1b",
        "f": "\f",
        "v": "\v",
    }.get(code, code)


def find_closing(text: str, opening: int, depth: int = 0, marks: str = "()") -> int:
    """Find where a bracket is closed, outside of quotes.

    Args:
        text: the script.
        opening: the offset of the bracket.
        depth: how many quotes it is nested in.
        marks: the opening mark, then one character that closes it.

    Returns:
        The offset of the closing mark; the length of the text if there is none.
    """
    if depth > _MAX_NESTING:
        return len(text)
    brackets, at = 0, opening
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "'":
            end = text.find("'", at + 1)
            at = len(text) if end < 0 else end
        elif char == '"':
            at = _find_closing_quote(text, at, depth)
        elif text.startswith(marks[:-1], at):
            brackets += 1
        elif char == marks[-1]:
            brackets -= 1
            if not brackets:
                return at
        at += 1
    return len(text)


def _find_closing_quote(text: str, opening: int, depth: int) -> int:
    at = opening + 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\":
            at += 1
        elif text.startswith("$(", at):
            at = find_closing(text, at + 1, depth + 1)
        at += 1
    return at
