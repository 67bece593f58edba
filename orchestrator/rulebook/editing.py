"""Edit a rulebook file: bytes in, bytes out. Every byte outside of the rule stays as it was.

The result of each edit is parsed before it is returned, to make sure that no other rule changed.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.models import Rule
from orchestrator.rulebook.document import (
    HEADING,
    Document,
    RuleLocation,
    build_unclosed_error,
    parse_document,
)
from orchestrator.rulebook.text import overlay_text
from teacher.models import RuleText

Change = Callable[[bytes], bytes]
"""Returns the new content of a file."""

_FIELDS: Final = ("Rule", "When", "Why")
_BLANK: Final = " \t\r\n"
_GUARD: Final = "<!-- end of the learned rules -->"


def append_rule(data: bytes, rule: Rule, provenance: str, imports: Sequence[str] = ()) -> bytes:
    """Return the file with one more rule at the end of its section, which is added if missing.

    The rule is one insertion: without it the file is the same, byte for byte. `provenance`
    goes into the comment; `imports` are files to import, if the section is added.

    Raises:
        RulebookError: an open block before it would swallow the rule.
    """
    document = parse_document(data)
    for closer in dict.fromkeys(("", document.closer)):
        written = _insert_block(document, _render_block(rule, provenance), imports, closer)
        known = parse_document(written)
        if (
            known.find_rule(rule.id) == rule
            and len(known.rules) == len(document.rules) + 1
            and _list_texts(known.hand_written) == _list_texts(document.hand_written)
        ):
            return written
    raise build_unclosed_error("a rule")


def amend_rule(data: bytes, rule: str, text: RuleText, today: date) -> bytes:
    """Return the file with a rule's bullets replaced; its id, source and position stay.

    A field that is empty in `text` stays as it is. The date goes into the comment.

    Raises:
        KeyError: there is no such rule.
        RulebookError: the bullets are mixed with the text around them.
    """
    document = parse_document(data)
    location = document.find_location(rule)
    edits = _build_counter_edits(document, location, rule, "amended", today)
    for name, value in zip(_FIELDS, (text.rule, text.when, text.why), strict=True):
        if value:
            edits.append(_build_field_edit(document, location, name, value))
    written = _apply_edits(document, edits)
    _require_rules(
        written,
        document,
        [
            replace(known, text=overlay_text(text, known.text)) if known.id == rule else known
            for known in document.rules
        ],
        rule,
    )
    return written


def reinforce_rule(data: bytes, rule: str, today: date) -> bytes:
    """Return the file with one more reinforcement counted in a rule's comment: it costs no tokens.

    Raises:
        KeyError: there is no such rule.
        RulebookError: the comment is mixed with the text around it.
    """
    document = parse_document(data)
    written = _apply_edits(
        document,
        _build_counter_edits(document, document.find_location(rule), rule, "reinforced", today),
    )
    _require_rules(written, document, document.rules, rule)
    return written


def remove_rule(data: bytes, rule: str) -> bytes:
    """Return the file without a rule: its bullets, its comment, and the blank line before it.

    Raises:
        KeyError: there is no such rule.
        RulebookError: the bullets are mixed with the text around them.
    """
    document = parse_document(data)
    location = document.find_location(rule)
    gone = {line for bullet in location.bullets for line in range(bullet.item, bullet.end)}
    if location.comment and location.comment.id == rule:
        gone |= set(range(location.comment.start, location.comment.end))
    first, last = min(gone), max(gone)
    blank = [not line.strip(_BLANK) for line in document.lines]
    if first and blank[first - 1] and (last + 1 == len(blank) or blank[last + 1]):
        gone.add(first - 1)
    kept = [line for number, line in enumerate(document.lines) if number not in gone]
    ended = document.lines[-1].endswith(("\r", "\n"))
    if kept and not ended:
        kept[-1] = kept[-1].rstrip("\r\n")  # it had no final newline, and has none afterwards
    written = _encode_lines(document, kept)
    _require_rules(written, document, [known for known in document.rules if known.id != rule], rule)
    return written


def adopt_rule(data: bytes, rule: str) -> bytes:
    """Return the file with a comment for a hand-written rule, which makes it an active one.

    Raises:
        KeyError: there is no such rule.
        RulebookError: a comment would change how the rule reads.
    """
    document = parse_document(data)
    edit = _build_comment_edit(document, document.find_location(rule), rule)
    written = _apply_edits(document, [edit])
    known = parse_document(written)
    everything = (*document.rules, *document.hand_written)
    if known.find_rule(rule) is None or {*known.rules, *known.hand_written} != {*everything}:
        raise _build_mixed_error(rule)
    return written


def _build_comment_edit(
    document: Document, location: RuleLocation, rule: str, note: str = ""
) -> "_Edit":
    """Return the edit that inserts a rule's comment."""
    lines, item = document.lines, location.bullets[0].item
    indent = lines[item][: len(lines[item]) - len(lines[item].lstrip(" \t"))]
    return item, item, f"{indent}<!-- rule {rule}{note} -->{_find_newline(lines, item)}"


def _render_block(rule: Rule, provenance: str) -> list[str]:
    note = f"<!-- rule {rule.id}: {provenance} -->" if provenance else f"<!-- rule {rule.id} -->"
    values = (rule.text.rule, rule.text.when, rule.text.why)
    bullets = [f"- **{name}**: {text}" for name, text in zip(_FIELDS, values, strict=True) if text]
    source = [f"  - **Source**: {rule.source}"] if rule.source else []
    return [note, *bullets, *source]


def _insert_block(
    document: Document, block: list[str], imports: Sequence[str], closer: str
) -> bytes:
    lines, section = document.lines, document.section
    first, end = section or (0, len(lines))
    # Blank lines before the next heading, or at the end of the file, stay behind the rule.
    while end > first and not lines[end - 1].strip(_BLANK):
        end -= 1
    if section is None:
        block = [HEADING, "", *block]
        if imports:
            block = [*(f"@{name}" for name in imports), "", *block]
    before, after = lines[:end], lines[end:]
    newline = _find_newline(lines, end)
    if before:
        block = [closer, "", *block] if closer else ["", *block]
    whole = newline.join(block)
    if before and not before[-1].endswith(("\r", "\n")):
        # The file had no final newline, and has none afterwards.
        return _encode_lines(document, [*before, newline, whole])
    following = next((line for line in after if line.strip(_BLANK)), "")
    if following.startswith(" "):
        # An indented heading would become part of our last bullet.
        whole += newline * 2 + _GUARD
    if after and after[0] == following:
        whole += newline
    return _encode_lines(document, [*before, whole + newline, *after])


def _find_newline(lines: Sequence[str], at: int) -> str:
    """Return the line ending in use at a line of the file."""
    for line in chain(reversed(lines[:at]), lines[at:]):
        if ending := line[len(line.rstrip("\r\n")) :]:
            return ending
    return "\n"


_Edit = tuple[int, int, str]
"""Replace the lines from the first number up to the second by a text."""


def _build_field_edit(document: Document, location: RuleLocation, name: str, text: str) -> _Edit:
    bullet = location.find_bullet(name)
    if bullet:
        first, last = document.lines[bullet.start], document.lines[bullet.end - 1]
        ending = last[len(last.rstrip("\r\n")) :]
        head = first[: first.index("**")]
        return bullet.start, bullet.end, f"{head}**{name}**: {text}{ending}"
    # The field was missing: it follows those that come before it.
    earlier = [b for b in location.bullets if b.name in _FIELDS[: _FIELDS.index(name)]][-1]
    newline = _find_newline(document.lines, earlier.end)
    head = document.lines[earlier.start]
    head = head[: head.index("**")]
    if document.lines[earlier.end - 1].endswith(("\r", "\n")):
        return earlier.end, earlier.end, f"{head}**{name}**: {text}{newline}"
    return earlier.end, earlier.end, f"{newline}{head}**{name}**: {text}"


def _build_counter_edits(
    document: Document, location: RuleLocation, rule: str, word: str, today: date
) -> list[_Edit]:
    """Return the edit that counts an event in a rule's comment, which is added if missing."""
    lines, comment = document.lines, location.comment
    if comment is None or comment.id != rule:
        return [_build_comment_edit(document, location, rule, f": {word} 1 ({today})")]
    old = "".join(lines[comment.start : comment.end])
    note = re.compile(rf"\b{word} (\d+) \([^)]*\)")
    if counted := note.search(old):
        new = note.sub(f"{word} {int(counted[1]) + 1} ({today})", old, count=1)
    else:
        joint = ", " if ":" in old.partition("-->")[0] else ": "
        new = re.sub(r"\s*-->", f"{joint}{word} 1 ({today}) -->", old, count=1)
    return [(comment.start, comment.end, new)]


def _apply_edits(document: Document, edits: Iterable[_Edit]) -> bytes:
    lines = list(document.lines)
    # From the end, so that line numbers hold; two insertions at one line keep their order.
    for start, end, text in sorted(edits, key=lambda edit: edit[:2])[::-1]:
        lines[start:end] = [text]
    return _encode_lines(document, lines)


def _encode_lines(document: Document, lines: Iterable[str]) -> bytes:
    return (document.bom + "".join(lines)).encode("utf-8", "surrogateescape")


def _require_rules(written: bytes, before: Document, rules: Sequence[Rule], rule: str) -> None:
    """Check that a file has these rules, and the hand-written ones that it had before."""
    known = parse_document(written)
    is_same = _list_texts(known.hand_written) == _list_texts(before.hand_written)
    if list(known.rules) != list(rules) or not is_same:
        raise _build_mixed_error(rule)


def _list_texts(rules: Iterable[Rule]) -> Sequence[tuple[RuleText, str]]:
    """Return what rules say; the id of a hand-written one depends on those of the others."""
    return [(rule.text, rule.source) for rule in rules]


def _build_mixed_error(rule: str) -> RulebookError:
    return RulebookError(
        f"rule {rule} cannot be changed: it is mixed with the text around it",
        "set its bullets apart with a blank line, each on a line of its own",
    )
