"""Make the texts of a list safe to store and to show, and derive ids from them."""

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.masking.masker import Masker
from orchestrator.masking.visible_text import show_hidden
from orchestrator.platform.escape_sequences import strip_escape_sequences
from orchestrator.tasks.models import TaskItem

LONGEST_TITLE: Final = 300
"""Characters of a title."""
LONGEST_TEXT: Final = 100_000
"""Bytes of what an agent is asked. Linux passes no argument of more than 128 KiB to a program."""
LONGEST_FOREIGN_TEXT: Final = 20_000
"""Characters of a text that somebody else wrote, such as that of an issue; the rest is cut off."""
_ID_DIGITS: Final = 10
_PIECE: Final = 50
_EMPHASIS: Final = re.compile(r"[*_`]")
_BREAKS: Final = "\u2028\u2029\x85\v\f\r"


def clean_text(text: str) -> str:
    """Return a text without control characters and without what a reader cannot see."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    text = strip_escape_sequences(text.replace("\r\n", "\n"))
    return show_hidden("".join(map(_replace_character, text)))


def clean_title(text: str) -> str:
    """Return a text as one line of bounded length that is safe to show."""
    line = " ".join(clean_text(text).split())
    return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1].rstrip() + "…"


def shorten_foreign_text(text: str) -> str:
    """Return the beginning of a text that somebody else wrote, and how much was cut off."""
    cut = len(text) - LONGEST_FOREIGN_TEXT
    if cut <= 0:
        return text
    return f"{text[:LONGEST_FOREIGN_TEXT]}\n[{cut:,} more characters are not shown]"


def fold_title(title: str) -> str:
    """Return what two titles of the same task share, whatever case, space and emphasis."""
    folded = unicodedata.normalize("NFC", title).casefold()
    folded = " ".join(_EMPHASIS.sub("", folded).split()).rstrip(".,:; ")
    return folded or title


def hash_titles(*titles: str) -> str:
    """Return an id for a task that has none: it depends on its title and those above it only."""
    digest = sha256("\0".join(map(fold_title, titles)).encode("utf-8", "replace")).hexdigest()
    windows = (digest[at : at + _ID_DIGITS] for at in range(len(digest) - _ID_DIGITS))
    # Words of a sentence have no digit, so that an id is never taken for one.
    return next(each for each in windows if not each.isalpha())


def mask_items(items: Iterable[TaskItem], source: str) -> tuple[TaskItem, ...]:
    """Return tasks without secrets in their texts.

    Raises:
        UsageError: a task's check has a secret in it, which would be stored with it.
    """
    items = tuple(items)
    masker = Masker(environment=os.environ)
    # Many short texts take 50 times as long as one: so a piece without a secret is masked once.
    if not _has_secret(items, masker):
        return items
    masked = list[TaskItem]()
    for start in range(0, len(items), _PIECE):
        piece = items[start : start + _PIECE]
        if _has_secret(piece, masker):
            piece = tuple(_mask_item(item, masker, source) for item in piece)
        masked += piece
    return tuple(masked)


def _has_secret(items: Iterable[TaskItem], masker: Masker) -> bool:
    texts = (text for each in items for text in (each.title, each.text, each.hold, each.check))
    joined = "\n".join(texts)
    return masker.mask(joined) != joined


def _mask_item(item: TaskItem, masker: Masker, source: str) -> TaskItem:
    if item.check and masker.mask(item.check) != item.check:
        if item.done:
            return _mask_item(replace(item, check=""), masker, source)
        raise UsageError(
            f"{locate_item(item, source)}: the command of task {item.id} has a secret in it",
            "put the secret into an environment variable that the command reads",
        )
    title, text, hold = map(masker.mask, (item.title, item.text, item.hold))
    return replace(item, title=title, text=text, hold=hold)


def locate_item(item: TaskItem, source: str) -> str:
    """Return where a task is, as `tasks.md:12`."""
    name = item.path or source or "the list"
    return f"{name}:{item.line}" if item.line else name


def require_bounded_text(text: str, where: str) -> str:
    """Return a text that can be passed to an agent.

    Raises:
        UsageError: it is too long.
    """
    if len(text) * 4 > LONGEST_TEXT and len(text.encode()) > LONGEST_TEXT:
        raise UsageError(
            f"{where}: the task is longer than {LONGEST_TEXT // 1000} kB",
            "shorten it, and name the files with the details in it: the agent can read them",
        )
    return text


def _replace_character(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    if character in _BREAKS:
        return "\n"
    return " " if unicodedata.category(character) == "Zs" else ""
