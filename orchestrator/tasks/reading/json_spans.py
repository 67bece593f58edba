"""Find where values are in the text of a JSON document."""

import json
import re
from collections.abc import Iterator
from typing import Final

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.S)
Path = tuple[str | int, ...]


def iter_spans(text: str, depth: int) -> Iterator[tuple[Path, int, int]]:
    """Yield the path, start and end of the values of a document, the outer ones after the inner.

    Args:
        text: a valid JSON document.
        depth: the most keys and indexes of a path; deeper values are left out.
    """
    keys: list[str | int] = []
    starts: list[int] = []
    is_key = False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "{[":
            starts.append(token.start())
            keys.append("" if word == "{" else 0)
            is_key = word == "{"
            continue
        if word in "}]":
            keys.pop()
            start, is_key = starts.pop(), False
            if len(keys) <= depth:
                yield tuple(keys), start, token.end()
        elif word == ",":
            last = keys[-1]
            is_key = isinstance(last, str)
            if not isinstance(last, str):
                keys[-1] = last + 1
        elif word == ":":
            is_key = False
        elif is_key:
            keys[-1] = _parse_key(word)
        elif len(keys) <= depth:
            yield tuple(keys), token.start(), token.end()


def _parse_key(word: str) -> str:
    return str(json.loads(word, strict=False))
