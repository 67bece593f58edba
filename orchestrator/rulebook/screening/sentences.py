"""Read a rule as segments: what it asks for, and what it advises against."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_CODE_SPAN: Final = re.compile(r"`([^`]*)`")
_SENTENCE_END: Final = re.compile(r"[;!?]\s|[;!?]$|\.\s|\.$|:\s+(?=[A-Z`])|\s[\u2013\u2014]\s")
_CONTRAST: Final = re.compile(
    r"\s*,?\s+\b(?=(?:rather than|instead of|in place of|in favou?r of)\b)"
    r"|\s*,\s+(?=(?:and |but )?(?:not|never|without)\b)|\s+(?=(?:and|but|or) (?:not|never)\b)"
    r"|\s+(?=over\s)(?<=\w\s)",
    re.IGNORECASE,
)
_ASIDE: Final = re.compile(
    r"(?:,\s+(?:and |but )?|\s+(?:and|but) )(not\s+\S+(?:\s+\S+){0,2}?)"
    r"(?:,\s+|\s+(?=(?:when|if|from|in|for|because|since|so that|as|until|unless|while|at|on)\b))",
    re.IGNORECASE,
)
"""What a sentence excludes in passing: "return 403, not 404, when a user ..."."""
_NEGATION: Final = re.compile(
    r"^(?:(?:and|but|or|so|always|please)\s+)*(?:never|not|avoid|rather than|instead of|in place of"
    r"|do(?:es)? not|don'?t|must not|should not|shouldn'?t|mustn'?t|cannot|can'?t|may not|over"
    r"|stop|refrain from|no longer|without)\b",
    re.IGNORECASE,
)
_INNER_NEGATION: Final = re.compile(
    r"\b(?:must|should|may|can|shall)(?:n'?t| not| never)\b|\bcannot\b|\bnever\b",
    re.IGNORECASE,
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Segment:
    """A part of a sentence with one direction."""

    text: str
    """As it was written."""
    flat: str
    """In lower case, identifiers split into words, without most other signs."""
    is_negative: bool
    """Whether the rule advises against what the segment says."""


@lru_cache(maxsize=512)
def list_sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a text, with code spans in one piece."""
    spans: list[str] = []

    def hide(span: re.Match[str]) -> str:
        spans.append(span[0])
        return f"\x00{len(spans) - 1}\x01"

    def show(part: str) -> str:
        return re.sub("\x00(\\d+)\x01", lambda found: spans[int(found[1])], part)

    parts = _SENTENCE_END.split(_CODE_SPAN.sub(hide, text))
    return tuple(show(part).strip() for part in parts if part.strip(" .;:!?"))


def iter_segments(text: str) -> Iterator[Segment]:
    """Yield the segments of a text: "use X, never Y" is one for X and one against Y."""
    for sentence in list_sentences(text):
        aside = _ASIDE.search(sentence)
        if aside:
            yield Segment(aside[1].strip(), flatten_text(aside[1]), is_negative=True)
            sentence = f"{sentence[: aside.start()]} {sentence[aside.end() :]}"  # noqa: PLW2901 -- the rest of it
        for part in _CONTRAST.split(sentence):
            if part and part.strip():
                negative = bool(_NEGATION.match(part.strip()) or _INNER_NEGATION.search(part))
                yield Segment(part.strip(), flatten_text(part), negative)


@lru_cache(maxsize=1024)
def flatten_text(text: str, *, split_names: bool = True) -> str:
    """Return a text in lower case, with few signs.

    Args:
        text: a text.
        split_names: whether identifiers become words: `verifySignature()` two of them.
    """
    words = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    if split_names:
        words = _CAMEL.sub(" ", words).replace("_", " ")
    words = words.casefold()
    return " ".join(re.sub(r"[^\w=./#*'\"|~@$+;-]+", " ", words).split())


def find_code_spans(text: str) -> list[str]:
    """Return what stands in backticks."""
    return [span.strip() for span in _CODE_SPAN.findall(text)]


def remove_code(text: str) -> str:
    """Return a text without code: spans, calls, dotted names, identifiers, paths, numbers."""
    text = _CODE_SPAN.sub(" \x02 ", text)
    return re.sub(
        r"\S*[_()\[\]{}=<>/\\*$#|&%^~+@]\S*|\b\w+(?:\.\w+)+\b|\b\w*\d\w*\b|\b\w+[a-z][A-Z]\w*\b"
        r"|\b(?=\w*[A-Z]\w*[A-Z])\w+\b",
        " \x02 ",
        text,
    )
