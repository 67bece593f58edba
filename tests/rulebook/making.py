"""Lessons, failures and odd files for the tests of the rulebook."""

from datetime import date
from pathlib import Path

from hypothesis import strategies as st

from orchestrator.rulebook.rulebook import MarkdownRulebook
from teacher.models import Action, Failure, FailureType, Lesson, RuleText

TODAY = date(2026, 11, 20)

FAILURE = Failure(FailureType.TEST_FAILURE, "pytest", "1 failed", "9f8e7d6c5b4a")

NONE = RuleText(
    "Never return 0 for a missing result; return None",
    "A function has no valid result",
    "0 reads like a result",
)
LISTS = RuleText("Never sort a list in place", "It was passed in", "The caller still uses it")


def add(text: RuleText = NONE) -> Lesson:
    return Lesson(Action.ADD, "new", text)


def amend(target: str | None, text: RuleText | None) -> Lesson:
    return Lesson(Action.AMEND, "sharper", text, target)


def reinforce(target: str | None, text: RuleText | None = None) -> Lesson:
    return Lesson(Action.REINFORCE, "again", text, target)


def rulebook(project: Path) -> MarkdownRulebook:
    return MarkdownRulebook(project, project.parent / "locks", today=lambda: TODAY)


def is_one_insertion(before: bytes, after: bytes) -> bool:
    """Whether taking one piece out of `after` gives `before`, byte for byte."""
    same_start = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before)
    )
    rest = len(before) - same_start
    return len(after) > len(before) and (not rest or after[-rest:] == before[same_start:])


# What a teacher, or whoever speaks through it, might put into a rule.
_HARM = (
    "@calc.py",
    "@",
    "`",
    "``",
    "```",
    "~~~",
    "<!--",
    "-->",
    "--",
    "<",
    ">",
    "!",
    "[a](",
    "](",
    ")",
    "\\",
    " ",
    "\n",
    "\r",
    "x",
    "word ",
    "http://",
    "**",
    "**When**: ",
    "_",
    "a@b",
    '"',
    "\u200b",
    "\u202e",
    "\ud800",
    "\0",
    "é",
    "…",
    "#",
    "- ",
    "## Learned Rules & Patterns",
    "a" * 90,
)
harmful_text = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(_HARM), max_size=14).map("".join),
    st.lists(st.sampled_from(_HARM), min_size=30, max_size=60).map("".join),
)
rule_texts = st.builds(RuleText, harmful_text, harmful_text, harmful_text)

# Pieces that CLAUDE.md files are made of, whole and broken.
_PIECES = (
    b"# Project",
    b"## Learned Rules & Patterns",
    b"   ## Learned Rules & Patterns",
    b"## Next",
    b"  ## Next",
    b"### Deeper",
    b"Title\n===",
    b"Title\n---",
    b"  Title\n  ---",
    b"---",
    b"text",
    b"  text",
    b"\ttext",
    b"    code",
    b"- item",
    b"  - inner",
    b"1. one",
    b"> quote",
    b"> - **Rule**: quoted",
    b"```",
    b"```py",
    b"~~~~",
    b"- ```",
    b"<!--",
    b"-->",
    b"<!-- note -->",
    b"<!-- rule r-aaaaaa: failure 1 -->",
    b"<!-- rule r-bbbbbb -->",
    b"<!-- rule r-cccccc: half",
    b"- **Rule**: Never x",
    b"- **Rule**: Never y",
    b"* **Rule:** Never z",
    b"- **When**: often",
    b"- **Why**: because",
    b"  - **Source**: Learned on 2024-12-07 from test failure",
    b"- **Rule**:",
    b"<div>",
    b"<script>",
    b"<pre>",
    b"<?php",
    b"[ref]: http://x",
    b"| a | b |\n| - | - |",
    b"caf\xe9 \xff\xfe",
    b"nul \0 here",
    b"@AGENTS.md",
    b"",
    b"",
    b"   ",
)
_ENDINGS = (b"\n", b"\n", b"\n", b"\r\n", b"\r\n", b"\r", b"")
_lines = st.lists(st.tuples(st.sampled_from(_PIECES), st.sampled_from(_ENDINGS)), max_size=25)
markdown_files = st.builds(
    lambda bom, lines: bom + b"".join(text + ending for text, ending in lines),
    st.sampled_from((b"", b"", b"\xef\xbb\xbf", b"---\n", b"\xef\xbb\xbf---\r\na: b\r\n---\r\n")),
    _lines,
)
any_files = st.one_of(markdown_files, st.binary(max_size=200)).filter(
    lambda data: not data.startswith((b"\xff\xfe", b"\xfe\xff"))
)
