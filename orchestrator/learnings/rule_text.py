"""The text of the rule that an entry becomes: what a person says of it, and what the entry does."""

import re
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.learnings.entries import Entry, first_sentence, normalize_text
from orchestrator.masking import mask_text
from orchestrator.rulebook.text import MAX_CHARS, sanitize_line
from teacher.models import RuleText

LINE_BOUND: Final = 80
WHY_BOUND: Final = 200
"""Characters that the sentences of an entry may have which become a rule's reason."""

_TEXT_BOUND: Final = 4000
_ADDITION_MARK: Final = re.compile(r"\s\(\d{4}-\d\d-\d\d\)\s")
"""Stands before what a later occurrence added to an entry."""
_HOOK_CONTEXT: Final = re.compile(r"(?:[\w.-]+ )?failed(?:: |$)")
"""How the context of an entry begins that a hook made of a failed tool call."""
_NON_IMPERATIVES: Final = frozenset(
    (
        "a", "an", "the", "i", "we", "you", "he", "she", "it", "they", "this", "that", "these",
        "those", "there", "our", "my", "your", "was", "were", "is", "are", "had", "has", "have",
        "did", "does", "because", "since", "when",
    )
)  # fmt: skip
_NARRATIVE: Final = re.compile(r"\w*[aeiouy]\w*(?:ing|(?<!e)ed)")
"""What happened: `added`, `using`; but not `bring`, `shed`, `feed`."""
_IMPERATIVES: Final = frozenset(("always", "do", "don't", "embed", "never", "only"))
"""Orders in spite of their ending, or of the capitals that are else those of a name."""


def suggest_line(entry: Entry) -> str:
    """Return the first sentence of the action, if it may be an order; else nothing."""
    sentence = sanitize_line(first_sentence(entry.action), _TEXT_BOUND)
    return sentence if len(sentence) <= LINE_BOUND and _is_imperative(sentence) else ""


def check_line(line: str) -> str:
    """Return the rule as one line, safe in Markdown.

    Raises:
        UsageError: it is empty, too long, or no order.
    """
    safe = sanitize_line(line, _TEXT_BOUND).removeprefix("- ")
    if not safe:
        raise UsageError("the line is empty", "say what to do, with --line")
    if len(safe) > LINE_BOUND:
        raise UsageError(
            f"the line has {len(safe)} characters, and {LINE_BOUND} are the most", "shorten it"
        )
    if not _is_imperative(safe):
        raise UsageError(
            f"{safe!r} tells a story", "say what to do: Never ..., Always ..., Run ... before ..."
        )
    return safe


def build_rule_text(entry: Entry, line: str, when: str = "", why: str = "") -> RuleText:
    """Return the rule; what a person did not say of it comes from the entry, or is left out.

    People log a situation as the context, which says when, and in the content what happened,
    which says why. A hook or a run logs a failure as both: its context, in short, says why. What
    only repeats something else is left out; nothing is invented.

    Raises:
        UsageError: the line is empty, too long, or no order; or what is given is too long.
    """
    safe = check_line(line)
    _check_length("when", when)
    _check_length("why", why)
    recorded = bool(entry.fingerprint or _HOOK_CONTEXT.match(entry.context))
    when = when or ("" if recorded else _drop_if_repeated(entry.context, entry.content, safe))
    why = why or _drop_if_repeated(
        entry.context if recorded else _extract_beginning(entry.content), safe, when
    )
    # As it was given: what is made safe has lost what poison is known by.
    line = line.strip().removeprefix("- ")
    return RuleText(mask_text(line), mask_text(when), mask_text(why))


def _check_length(name: str, text: str) -> None:
    """Refuse what a person says at more length than a rule can take, where it would be cut."""
    if (length := len(sanitize_line(text, len(text) + _TEXT_BOUND))) > MAX_CHARS:
        raise UsageError(
            f"--{name} has {length} characters, and {MAX_CHARS} are the most", "shorten it"
        )


def _extract_beginning(content: str) -> str:
    """Return the first sentences of what happened, as far as they are short."""
    told = re.split(r"(?<=[.!?])\s+", _ADDITION_MARK.split(content, maxsplit=1)[0].strip())
    count = 1
    while count < len(told) and len(" ".join(told[: count + 1])) <= WHY_BOUND:
        count += 1
    return " ".join(told[:count])


def _drop_if_repeated(text: str, *said: str) -> str:
    """Return a text; nothing if one of the others begins with it."""
    known = normalize_text(text)
    return "" if any(normalize_text(other).startswith(known) for other in said) else text


def _is_imperative(line: str) -> bool:
    """Return whether a line may be an order: no pronoun, name or article, no past or gerund."""
    found = re.match(r"[\W_]*([\w']+)", line.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    word = found[1] if found else ""
    first = word.casefold()
    if first in _IMPERATIVES:
        return True
    if not first or first in _NON_IMPERATIVES or (word.isupper() and len(word) > 1):
        return False
    return not _NARRATIVE.fullmatch(first)
