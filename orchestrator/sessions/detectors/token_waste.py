"""Find outputs so large that asking for less would have been better."""

from collections.abc import Iterator
from typing import Final

from orchestrator.sessions.calls.commands import name_segment
from orchestrator.sessions.calls.programs import SILENT
from orchestrator.sessions.calls.shell import split_command
from orchestrator.sessions.detectors.calls import MOST_OF_NAME, quote_call, read_command
from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import Compaction, ModelCall, Session, Thread, ToolCall

LEAST_CHARACTERS: Final = 20_000
"""About 5,000 tokens. Of 5,490 real shell commands 31 print as much; the harness cuts at 30,000."""

MOST_IN_CONTEXT: Final = 50_000
"""The harness stores a longer output in a file, and shows the model its beginning only; the reader
puts the file's text in its place."""

_CHARACTERS_PER_TOKEN: Final = 4
_LEFT_OUT: Final = frozenset({"Read", "Task", "Agent", "TaskOutput", "Skill", "Write", "Edit"})
"""Tools whose result has the size that was asked for: reads are counted by `redundant_reads`."""


def find_token_waste(session: Session) -> Iterator[Occurrence]:
    """Yield each large output; the key is the command's name, or the tool.

    Whether an output was of use cannot be seen. `detail` has what it cost: its tokens, estimated by
    its length, and how many calls of the model carried them until the context was compacted.
    """
    for thread in session.threads:
        for at, call in enumerate(thread.entries):
            if not isinstance(call, ToolCall):
                continue
            if not LEAST_CHARACTERS <= len(call.result or "") <= MOST_IN_CONTEXT:
                continue
            if call.name in _LEFT_OUT or str(call.result).startswith("<persisted-output>"):
                continue
            command = read_command(call)
            tokens = len(call.result or "") // _CHARACTERS_PER_TOKEN
            yield Occurrence(
                Detector.TOKEN_WASTE,
                _name_command(command) or call.name[:MOST_OF_NAME],
                call.result_row or call.row,
                call.at,
                quote_call(command or call.name, f"about {tokens} tokens"),
                thread.agent,
                {"tokens": tokens, "calls_after": _count_calls(thread, at)},
            )


def _name_command(command: str) -> str:
    """Return the first part of a command that prints something."""
    segments = [each for each in split_command(command) if each.words] if command else []
    telling = [each for each in segments if each.program not in SILENT] or segments
    return name_segment(telling[0]) if telling else ""


def _count_calls(thread: Thread, at: int) -> int:
    """Return how many calls of the model follow an entry until the context is compacted."""
    count = 0
    for entry in thread.entries[at + 1 :]:
        if isinstance(entry, Compaction):
            break
        count += isinstance(entry, ModelCall)
    return count
