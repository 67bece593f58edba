"""Where a promoted line goes in an instruction file, and whether it stands there already.

What is a heading, a list, a comment or a code block is what CommonMark says, by markdown-it: a
line in a code block or a comment is no rule, and a `#` there no heading.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from orchestrator.memory.document import front_matter_of, swallowed
from orchestrator.memory.document import parse as parse_rulebook
from orchestrator.memory.learnings.entries import comparable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

HEADING: Final = "## Promoted learnings"

_LEVELS: Final = ("h1", "h2")
_TITLE: Final = comparable(HEADING.removeprefix("## "))


@dataclass(frozen=True)
class _Section:
    """Our section: the lines after its heading, and after its first list if it has one."""

    start: int
    list_end: int | None


def with_line(data: bytes, line: str, imports: tuple[str, ...] = ()) -> bytes:
    """The instruction file with one more bullet in the list under our heading.

    Heading and list are made where they are missing; every byte that is there stays.

    Args:
        data: the file.
        line: the line.
        imports: files that a new CLAUDE.md has to import, to keep them in force.

    Raises:
        RulebookError: what stands before would swallow the line.
    """
    if _stands(data, line):
        return data
    # Only what nobody ended has to be ended before the line; the same marks would begin another.
    for closer in dict.fromkeys(("", parse_rulebook(data).closer)):
        written = _inserted(data, line, imports, closer)
        if _stands(written, line):
            return written
    raise swallowed("a line")


def _inserted(data: bytes, line: str, imports: tuple[str, ...], closer: str) -> bytes:
    document = parse_rulebook(data)
    lines = list(document.lines)
    newline = next((one[len(one.rstrip("\r\n")) :] for one in lines if one.endswith("\n")), "\n")
    section = _section(_tokens(data))
    block = [f"- {line}"]
    if section is None:
        at = len(lines)
        block = [*(f"@{name}" for name in imports), *([""] if imports else []), HEADING, "", *block]
        if lines:
            block = [*([closer] if closer else []), "", *block]
    elif section.list_end is None:
        at = section.start
        block = ["", *block]
    else:
        at = section.list_end
        while _blank(lines[at - 1]):
            at -= 1
    if at < len(lines) and not _blank(lines[at]):
        block.append("")  # or the line would take what follows for its own
    if at and not lines[at - 1].endswith("\n"):
        lines[at - 1] += newline
    lines[at:at] = [f"{one}{newline}" for one in block]
    return (document.bom + "".join(lines)).encode("utf-8", "surrogateescape")


def _blank(line: str) -> bool:
    """Whether CommonMark takes the line for a blank one: a form feed in it is text."""
    return not line.strip(" \t\r\n")


def _stands(data: bytes, line: str) -> bool:
    """Whether the line stands in the file as text."""
    return any(
        comparable(one) == comparable(line)
        for token in _tokens(data)
        if token.type == "inline"
        for one in token.content.split("\n")
    )


def _section(tokens: "Sequence[Token]") -> _Section | None:
    """The section under our (first) heading, up to the next one."""
    start: int | None = None
    for token, title in pairwise(tokens):
        _, end = token.map or (0, 0)
        if token.level or not token.type.endswith(("heading_open", "bullet_list_open")):
            continue
        if start is None:
            ours = token.tag in _LEVELS and comparable(title.content) == _TITLE
            start = end if ours else None
        elif token.type == "bullet_list_open":
            return _Section(start, end)
        else:
            break
    return None if start is None else _Section(start, None)


def _tokens(data: bytes) -> "Sequence[Token]":
    from markdown_it import MarkdownIt

    # Only the blocks matter: what stands inside a line is kept as it was written.
    return MarkdownIt("commonmark").disable(["inline", "text_join"]).parse(_sent(data))


def _sent(data: bytes) -> str:
    """The file's text with spaces for its front matter, which is sent to no model."""
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    matter = front_matter_of(data)
    if matter is None:
        return text
    *head, rest = text.split("\n", matter.count("\n") + 1)
    return "".join(" \n" for _ in head) + rest.partition("---")[2]
