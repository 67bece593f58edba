"""Build the text of the rule that an entry becomes, from a person's words and the entry."""

import re
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.learnings.entries import Entry, first_sentence, normalize_text
from orchestrator.masking import mask_text
from orchestrator.rulebook.text import MAX_CHARS, sanitize_line
from teacher.models import RuleText

LINE_BOUND: Final = 80
WHY_BOUND: Final = 200
"""Characters up to which further sentences of an entry are added to a rule's reason."""

_TEXT_BOUND: Final = 4000
_ADDITION_MARK: Final = re.compile(r"\s\(\d{4}-\d\d-\d\d\)\s")
"""The date before a text that a later occurrence added to an entry."""
_HOOK_CONTEXT: Final = re.compile(r"(?:[\w.-]+ )?failed(?:: |$)")
"""The beginning of the context of an entry that the hook logged as a failed tool call."""
_NON_IMPERATIVES: Final = frozenset(
    (
        "a", "an", "the", "i", "we", "you", "he", "she", "it", "they", "this", "that", "these",
        "those", "there", "our", "my", "your", "was", "were", "is", "are", "had", "has", "have",
        "did", "does", "because", "since", "when",
    )
)  # fmt: skip
_NARRATIVE: Final = re.compile(r"\w*[aeiouy]\w*(?:ing|(?<!e)ed)")
"""Past and gerund forms: `added`, `using`; but not `bring`, `shed`, `feed`."""
_IMPERATIVES: Final = frozenset(("always", "do", "don't", "embed", "never", "only"))
"""Words that begin an order though they end like another form, or are written in capitals."""


def suggest_line(entry: Entry) -> str:
    """Return the first sentence of the action if it may be an order; else an empty text."""
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
            f"the line has {len(safe)} characters; the limit is {LINE_BOUND}", "shorten it"
        )
    if not _is_imperative(safe):
        raise UsageError(
            f"{safe!r} is not an instruction",
            "say what to do: Never ..., Always ..., Run ... before ...",
        )
    return safe


def build_rule_text(entry: Entry, line: str, when: str = "", why: str = "") -> RuleText:
    """Return the rule; parts that are not given come from the entry, or are left out.

    For entries that people log, the context becomes the `When` and the beginning of the content
    the `Why`. Hooks and runs log a failure as both, so only their context is used, as the `Why`.
    A part that repeats another one is left out; nothing is invented.

    Raises:
        UsageError: the line is empty, too long, or no order; or another part is too long.
    """
    safe = check_line(line)
    _check_length("when", when)
    _check_length("why", why)
    recorded = bool(entry.fingerprint or _HOOK_CONTEXT.match(entry.context))
    when = when or ("" if recorded else _drop_if_repeated(entry.context, entry.content, safe))
    why = why or _drop_if_repeated(
        entry.context if recorded else _extract_beginning(entry.content), safe, when
    )
    # The original text: in the safe one the rulebook would no longer see hidden characters.
    line = line.strip().removeprefix("- ")
    return RuleText(mask_text(line), mask_text(when), mask_text(why))


def _check_length(name: str, text: str) -> None:
    """Check that a text is not so long that the rule would contain only a part of it.

    Raises:
        UsageError: it is.
    """
    if (length := len(sanitize_line(text, len(text) + _TEXT_BOUND))) > MAX_CHARS:
        raise UsageError(
            f"--{name} has {length} characters; the limit is {MAX_CHARS}", "shorten it"
        )


def _extract_beginning(content: str) -> str:
    """Return the first sentences of a content, up to `WHY_BOUND` characters, but at least one."""
    sentences = re.split(r"(?<=[.!?])\s+", _ADDITION_MARK.split(content, maxsplit=1)[0].strip())
    count = 1
    while count < len(sentences) and len(" ".join(sentences[: count + 1])) <= WHY_BOUND:
        count += 1
    return " ".join(sentences[:count])


def _drop_if_repeated(text: str, *said: str) -> str:
    """Return a text; an empty one if another text begins with it."""
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
