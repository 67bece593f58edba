"""Which instructions reached the model: what Claude Code notes of them in its transcript.

Seen with 2.1.329, a JSON object to a line:

    {"type": "attachment", "attachment": {"type": "instructions",
        "files": [{"path": "/p/CLAUDE.md", "type": "Project", "content": "..."}]}}
    {"type": "attachment", "attachment": {"type": "nested_memory", "path": "/p/.claude/rules/a.md",
        "content": {"content": "...", "rawContent": "...", "isRule": true}}}

The first kind is sent at the start, the second once the agent touches a file that it is for.
`content` is what was sent: without block comments and front matter. A subagent has a transcript of
its own, in a folder beside the main one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

_LONGEST_ROW: Final = 16 * 1024 * 1024
"""Bytes; a longer row is passed over."""
_MOST_FILES: Final = 500
_MOST_TRANSCRIPTS: Final = 100


@dataclass(frozen=True)
class Instruction:
    """A file of instructions, as the model got it."""

    path: str
    text: str


def read_instructions(transcript: Path) -> tuple[Instruction, ...]:
    """Return the instructions that reached the model in a session, each once.

    None are found where the transcript is missing, or of a version that does not note them.
    """
    found = (
        each for path in _iter_transcripts(transcript) for each in _iter_file_instructions(path)
    )
    return tuple(islice(dict.fromkeys(found), _MOST_FILES))


def _iter_transcripts(main: Path) -> Iterator[Path]:
    yield main
    yield from islice((main.with_suffix("") / "subagents").glob("*.jsonl"), _MOST_TRANSCRIPTS)


def _iter_file_instructions(transcript: Path) -> Iterator[Instruction]:
    try:
        with transcript.open("rb") as file:
            for row in iter(lambda: file.readline(_LONGEST_ROW), b""):
                if b'"instructions"' in row or b'"nested_memory"' in row:
                    yield from _iter_row_instructions(row)
    except OSError:
        return


def _iter_row_instructions(row: bytes) -> Iterator[Instruction]:
    try:
        said = json.loads(row)
    except (ValueError, RecursionError):  # SIGKILL may leave half a row
        return
    attachment = _as_mapping(said).get("attachment")
    match attachment:
        case {"type": "instructions", "files": [*files]}:
            for each in files:
                yield from _iter_valid_instruction(
                    _as_mapping(each).get("path"), _as_mapping(each).get("content")
                )
        case {"type": "nested_memory", "path": path, "content": {"content": text}}:
            yield from _iter_valid_instruction(path, text)


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _iter_valid_instruction(path: object, text: object) -> Iterator[Instruction]:
    if isinstance(path, str) and isinstance(text, str):
        yield Instruction(path, text)
