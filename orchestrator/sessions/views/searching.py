"""Search prompts, replies, inputs and results of tools in all stored sessions, the newest first."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from orchestrator.errors import LoopError
from orchestrator.masking import Masker
from orchestrator.sessions.models import (
    ApiFailure,
    Entry,
    Interjection,
    ModelCall,
    Prompt,
    Session,
    ToolCall,
)
from orchestrator.sessions.store.listing import SessionSummary
from orchestrator.sessions.views.retrieval import (
    find_family,
    may_contain,
    open_family,
    read_sessions,
)
from orchestrator.sessions.views.transcript_values import decode_input, iter_strings
from orchestrator.storage.database import Database

_MOST_OF_LINE: Final = 300
_BEFORE: Final = 100
"""Of these, most that are before the match."""
_TOKEN: Final = re.compile(r"[\w+/=.~%-]+")
"""No line is cut within one: half of a secret that nobody has recognised is still half of it."""
MOST_PER_SESSION: Final = 5


class Match(NamedTuple):
    """A line that contains the text."""

    session: str
    at: str
    kind: str
    """Where it is: `prompt`, `interjection`, `reply`, or the name of a tool."""
    line: str
    """Masked and cut."""


def search_sessions(
    database: Database,
    archive: Path,
    summaries: Iterable[SessionSummary],
    text: str,
    masker: Masker,
) -> Iterator[Match]:
    """Yield the lines of sessions that contain a text, in any case; at most five of each session.

    Sessions whose transcripts are gone are left out.

    Args:
        database: the database.
        archive: the folder of the archive.
        summaries: the sessions, in the order in which they are searched.
        text: what is searched for.
        masker: removes secrets from the lines.
    """
    wanted: dict[str, list[str]] = {}
    for each in summaries:
        wanted.setdefault(each.family, []).append(each.id)
    needle = text.casefold()
    for name, ids in wanted.items():
        stored = find_family(database, archive, name)
        if not may_contain(stored, text):
            continue
        try:
            with open_family(stored) as family:
                sessions = {each.id: each for each in read_sessions(family)}
        except LoopError:
            continue
        for identifier in ids:
            if session := sessions.get(identifier):
                yield from _search_session(session, needle, masker)


def _search_session(session: Session, needle: str, masker: Masker) -> Iterator[Match]:
    found = 0
    for thread in session.threads:
        for entry in thread.entries:
            for kind, text in _iter_texts(entry):
                if needle not in text.casefold():  # without masking what is not shown
                    continue
                # As a whole: in a part of a key or a token, nothing says that it is one.
                masked = masker.mask(text)
                if needle not in masked.casefold():
                    continue
                line = _cut_line(masked, needle)
                yield Match(session.id, entry.at, masker.mask(kind), line)
                found += 1
                if found == MOST_PER_SESSION:
                    return


def _iter_texts(entry: Entry) -> Iterator[tuple[str, str]]:
    match entry:
        case Prompt():
            yield "prompt", entry.text
        case Interjection():
            yield "interjection", entry.text
        case ModelCall():
            yield "reply", entry.text
        case ApiFailure():
            yield "api failure", entry.text
        case ToolCall():
            yield from ((entry.name, text) for text in iter_strings(decode_input(entry)))
            if entry.result:
                yield entry.name, entry.result
            if entry.user_message:
                yield "rejection", entry.user_message


def _cut_line(text: str, needle: str) -> str:
    """Return the first line with a match, cut between words; what is cut off is no longer shown.

    Args:
        text: a masked text that contains the needle.
        needle: what is searched for, in small letters.
    """
    lines = text.splitlines()
    line = next((each for each in lines if needle in each.casefold()), " ".join(lines)).strip()
    if len(line) <= _MOST_OF_LINE:
        return line
    at = line.casefold().find(needle)
    start, end = max(0, at - _BEFORE), max(0, at - _BEFORE) + _MOST_OF_LINE
    cut = [each for each in _TOKEN.finditer(line) if each.start() < end and each.end() > start]
    if cut and cut[0].start() < start:
        start = cut[0].end()
    if cut and cut[-1].end() > end:
        end = cut[-1].start()
    if start > at or end < at + len(needle):  # the match is within a token that is too long
        start, end = at, at + len(needle)
    return f"{'... ' * bool(start)}{line[start:end].strip()}{' ...' * (end < len(line))}"
