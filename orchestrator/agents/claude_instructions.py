"""Read from a transcript which instructions Claude Code sent to the model.

The rows, one JSON object per line (2.1.329):

    {"type": "attachment", "attachment": {"type": "instructions",
        "files": [{"path": "/p/CLAUDE.md", "type": "Project", "content": "..."}]}}
    {"type": "attachment", "attachment": {"type": "nested_memory", "path": "/p/.claude/rules/a.md",
        "content": {"content": "...", "rawContent": "...", "isRule": true}}}

The first kind is sent at the start, the second when the agent first uses a file that it applies to.
`content` is the text as sent: without block comments and front matter. A subagent has its own
transcript, in a folder beside the main one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.transcripts import iter_rows

_MOST_FILES: Final = 500
_MOST_TRANSCRIPTS: Final = 100


@dataclass(frozen=True)
class Instruction:
    """A file of instructions, as it was sent to the model."""

    path: str
    text: str


def read_instructions(transcript: Path) -> tuple[Instruction, ...]:
    """Return the instructions that reached the model in a session, without duplicates.

    The result is empty where the transcript is missing, or of a version that does not record them.
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
        for row in iter_rows(transcript):
            # Most of a transcript is stored requests, of 140 kB and more: not worth parsing.
            if b'"instructions"' in row or b'"nested_memory"' in row:
                yield from _iter_row_instructions(row)
    except OSError:
        return


def _iter_row_instructions(row: bytes) -> Iterator[Instruction]:
    try:
        entry = json.loads(row)
    except (ValueError, RecursionError):  # SIGKILL may leave half a row
        return
    attachment = _as_mapping(entry).get("attachment")
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
