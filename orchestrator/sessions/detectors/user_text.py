"""Read what a person wrote to the model: its intent, and a key that is equal for the same words."""

import re
from enum import StrEnum
from typing import Final

from orchestrator.sessions.calls.shortening import shorten_at_space
from orchestrator.sessions.detectors.statements import is_about_one_object, is_statement

MOST_OF_KEY: Final = 160
"""Characters of a key: the beginning of a text says what it is about."""
_MOST_READ: Final = 2_000
"""Characters of a text that are looked at; people paste logs."""
_LONGEST_WORD: Final = 24
"""A longer word is an identifier, an address or a secret, and not part of a key."""

_CODE: Final = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{0,200}`", re.DOTALL)
_QUOTED: Final = re.compile(r"\"[^\"\n]{0,200}\"|\u201c[^\u201d\n]{0,200}\u201d|«[^»\n]{0,200}»")
_ADDRESS: Final = re.compile(r"\b[a-z][a-z0-9+.-]{1,10}://\S+|\S+@\S+")
_PATH: Final = re.compile(r"\S*[/\\]\S*")
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*", re.UNICODE)

_HARNESS_STARTS: Final = (
    "The user wants to clarify these questions.",
    "The user wants to finish the plan interview",
    "User has answered your questions",
)
"""What Claude Code itself writes in place of the person's words."""
_HARNESS_ENDS: Final = ("\n\nNote: The user's next message may contain a correction",)
"""What newer versions append to the person's words."""

_REQUEST: Final = re.compile(
    r"(?:can|could|should|shall|would|will)(?:'t|n't| not)? "
    r"(?:we|you|it|this|that|the|these|those|all)\b"
    r"|why (?:don't|not)\b|how about\b|what about\b|any (?:way|chance)\b|let(?:'s| us)\b"
    r"|please\b|kannst du\b|können wir\b|puedes\b|podemos\b|peux-tu\b|pouvez-vous\b|on peut\b"
)
_CLAUSE_ENDS: Final = re.compile(r"[,;.!?:-]+ ")
_LEADING: Final = re.compile(
    r"(?:(?:also|and|but|ok|okay|hmm+|oh|ugh|well|q:|so)\b[\s,.:\u2026-]*)+"
)
_TAKING_OVER: Final = re.compile(
    r"(?:i(?:'ll| will) (?:take it from here|let you know|do (?:it|this|that)|get you)"
    r"|i(?:'ve| have) (?:done|already)|hang on\b|hold on\b|one (?:sec|moment)\b|never ?mind\b"
    r"|(?:(?:oh )?wait(?: please)?,? )?let(?:'s| us) (?:talk|discuss)\b"
    r"|(?:just )?(?:continue|keep going|go on|go ahead)\b[\s.!]*$)"
)


class Intent(StrEnum):
    """What a person wants of the model. The values are stored."""

    INSTRUCTION = "instruction"
    """How it is to be done: there may be something to learn in it."""
    QUESTION = "question"
    """The person wants to know something first."""
    TAKING_OVER = "taking over"
    """The person goes on alone, or wants to talk: it is about this moment only."""
    STATEMENT = "statement"
    """It says how things are, and asks for nothing."""
    ONE_OBJECT = "one object"
    """It is about one address, issue or id."""


def strip_harness_text(text: str) -> str:
    """Return only what the person wrote, or nothing if it is all written by Claude Code."""
    text = text.strip()
    if text.startswith(_HARNESS_STARTS):
        return ""
    for end in _HARNESS_ENDS:
        text = text.partition(end)[0]
    return text.strip()


def find_intent(text: str) -> Intent:
    """Return what the person wants; in doubt it is an instruction, which the teacher judges."""
    is_about_one = is_about_one_object(text)
    text = _CODE.sub("code", text[:_MOST_READ]).replace("\u2019", "'").casefold()
    text = " ".join(text.split())
    start = _LEADING.sub("", text, count=1) if _LEADING.match(text) else text
    if _TAKING_OVER.match(start) or _TAKING_OVER.match(text):
        return Intent.TAKING_OVER
    instruction = Intent.ONE_OBJECT if is_about_one else Intent.INSTRUCTION
    if any(_REQUEST.match(_LEADING.sub("", each)) for each in _CLAUSE_ENDS.split(start)):
        return instruction
    if _asks_only(text):
        return Intent.QUESTION
    return Intent.STATEMENT if is_statement(_split_sentences(text)) else instruction


def ends_as_question(text: str) -> bool:
    """Return whether the last sentence, or the first of two, is a question."""
    text = _CODE.sub("code", text[:_MOST_READ])
    sentences = _split_sentences(text)
    return bool(sentences) and ("?" in sentences[-1] or "?" in sentences[0])


def normalize_text(text: str) -> str:
    """Return a key: the words in small letters, without code, quotations, paths and numbers."""
    text = shorten_at_space(text, _MOST_READ).casefold()
    for pattern in (_CODE, _QUOTED, _ADDRESS, _PATH):
        text = pattern.sub(" ", text)
    words = [
        word.replace("\u2019", "'")
        for word in _WORD.findall(text)
        if len(word) <= _LONGEST_WORD and not any(char.isdigit() for char in word)
    ]
    key = ""
    for word in words:
        if len(key) + len(word) + 1 > MOST_OF_KEY:
            break
        key = f"{key} {word}" if key else word
    return key


def _asks_only(text: str) -> bool:
    sentences = _split_sentences(text)
    return bool(sentences) and all("?" in each for each in sentences)


def _split_sentences(text: str) -> list[str]:
    """Split at ends of sentences; the mark stays with its sentence."""
    parts = re.split(r"(?<=[.!?])\s+|\n+", text.strip())
    return [each for each in parts if _WORD.search(each)]
