"""Decode the rows of a transcript, and recover what can be recovered of broken ones.

Only the fields that are needed are decoded, into structs without garbage collection: that is faster
than to parse the same bytes into dictionaries. A row of another shape takes a slower way, in which
fields of unexpected types are left out.
"""

import contextlib
import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from orchestrator.sessions.plain_files import BUFFER, open_plain_file

LONGEST_ROW: Final = 16 << 20
"""Bytes; a longer row is skipped, and counted as unreadable."""

_EMPTY: Final = msgspec.Raw(b"")
_BLANK: Final = " \t\r\n\0"
_LARGE: Final = 3000
"""Bytes; below that, to look for a part that may be left out takes longer than to decode it."""
_COPY: Final = b',"toolUseResult":'
_BEHIND_COPY: Final = b',"sourceToolAssistantUUID":'
_DENIAL: Final = b',"toolDenialKind":'
_TAIL: Final = 1000
_OPENINGS: Final = (b"{", b"[")
_FIRST: Final = 64
_ROW_STARTS: Final = ('{"parentUuid":', '{"type":"')
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_TYPE_FIRST: Final = b'{"type":"'
_IGNORED: Final = (
    b'{"type":"file-history-snapshot"',
    b'{"type":"api-request',
    b'{"type":"queue-operation"',
    b'{"type":"last-prompt"',
    b'{"type":"tools-used"',
)
"""Starts of rows that hold copies, or nothing of interest."""


class Counts(msgspec.Struct, gc=False):
    """The tokens of an answer, as in a row."""

    input_tokens: int | None = 0
    output_tokens: int | None = 0
    cache_read_input_tokens: int | None = 0
    cache_creation_input_tokens: int | None = 0


class Part(msgspec.Struct, gc=False):
    """A part of a result's content."""

    type: str = ""
    text: str = ""


class Block(msgspec.Struct, gc=False):
    """A block of a message's content: text, thinking, a call of a tool, or a result."""

    type: str = ""
    text: str = ""
    thinking: msgspec.Raw = _EMPTY
    id: str = ""
    name: str = ""
    input: msgspec.Raw = _EMPTY
    tool_use_id: str = ""
    content: str | list[Part] | None = None
    is_error: bool | None = None


class Message(msgspec.Struct, gc=False):
    """What was sent to the model, or came from it."""

    id: str | None = None
    model: str | None = None
    content: str | list[Block] | None = None
    usage: Counts | None = None
    stop_reason: str | None = None


class Inner(msgspec.Struct, gc=False):
    """A subagent's row inside a row of its parent."""

    type: str = ""
    uuid: str = ""
    timestamp: str = ""
    message: Message | None = None
    isApiErrorMessage: bool | None = None  # noqa: N815 -- the transcript's name


class Data(msgspec.Struct, gc=False):
    """What a progress row holds."""

    type: str = ""
    agentId: str = ""  # noqa: N815
    message: Inner | None = None


class Decision(msgspec.Struct, gc=False):
    """How it was decided whether a tool call may be carried out."""

    decision: str = ""
    source: str = ""


class Origin(msgspec.Struct, gc=False):
    """Where a prompt comes from."""

    kind: str = ""


class InstructionFile(msgspec.Struct, gc=False):
    """A file of instructions that was loaded."""

    path: str = ""
    content: str | None = None


class Attachment(msgspec.Struct, gc=False):
    """What Claude Code adds to a conversation."""

    type: str = ""
    files: list[InstructionFile] | None = None
    prompt: str | list[Part] | None = None
    commandMode: str | None = None  # noqa: N815
    origin: Origin | None = None
    isMeta: bool | None = None  # noqa: N815
    content: msgspec.Raw = _EMPTY


class CompactMetadata(msgspec.Struct, gc=False):
    """Why the context was summarized."""

    trigger: str = ""


class ForkedFrom(msgspec.Struct, gc=False):
    """The row of which a row is a copy, in another session."""

    sessionId: str = ""  # noqa: N815
    messageUuid: str = ""  # noqa: N815


class Row(msgspec.Struct, gc=False):
    """One row, with the transcript's own names."""

    type: str = ""
    subtype: str | None = None
    uuid: str = ""
    parentUuid: str | None = None  # noqa: N815
    timestamp: str = ""
    sessionId: str = ""  # noqa: N815
    agentId: str | None = None  # noqa: N815
    cwd: str = ""
    version: str = ""
    entrypoint: str | None = None
    isSidechain: bool | None = None  # noqa: N815
    isMeta: bool | None = None  # noqa: N815
    isCompactSummary: bool | None = None  # noqa: N815
    isApiErrorMessage: bool | None = None  # noqa: N815
    promptSource: str | None = None  # noqa: N815
    origin: Origin | None = None
    message: Message | None = None
    data: Data | None = None
    attachment: Attachment | None = None
    toolDenialKind: str | None = None  # noqa: N815
    permissionDecision: Decision | None = None  # noqa: N815
    userFeedback: str | None = None  # noqa: N815
    compactMetadata: CompactMetadata | None = None  # noqa: N815
    requestSessionId: str | None = None  # noqa: N815
    forkedFrom: ForkedFrom | None = None  # noqa: N815
    totalCostUSD: float | None = None  # noqa: N815
    summary: str | None = None
    leafUuid: str | None = None  # noqa: N815
    customTitle: str | None = None  # noqa: N815
    aiTitle: str | None = None  # noqa: N815


INSTRUCTIONS: Final = ("instructions", "nested_memory")
"""Attachments that show which files of instructions were loaded."""


def unfold_row(row: Row, agent: str, inner: Inner) -> str:
    """Make of a parent's row the row of its subagent that is inside; return its type."""
    row.uuid = inner.uuid or row.uuid
    row.timestamp = inner.timestamp or row.timestamp
    row.message, row.isSidechain = inner.message, True
    row.isApiErrorMessage, row.agentId = inner.isApiErrorMessage, agent
    return inner.type


def list_instructions(attachment: Attachment) -> list[str]:
    """Return the texts of the files of instructions in an attachment."""
    files = attachment.files or []
    if attachment.type == "nested_memory":
        try:
            files = [msgspec.json.decode(attachment.content, type=InstructionFile)]
        except _BROKEN:
            return []
    return [file.content for file in files if file.content]


_decode = msgspec.json.Decoder(Row).decode


class RowReader:
    """The rows of one file, read in bounded memory, and the numbers of what could not be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first = b""
        self.rows = 0
        self.unreadable = 0
        self.position = 0
        """The end of the last complete row."""
        self.is_foreign = False
        """Whether the file is of another program: JSON over several lines."""

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows in order.

        Raises:
            OSError: the file cannot be read, or is a pipe or another special file.
        """
        decode, ignored, rows = _decode, _IGNORED, 0
        with open_plain_file(self._path) as file:
            left = size = os.fstat(file.fileno()).st_size
            for line in iter(functools.partial(file.readline, LONGEST_ROW), b""):
                if left <= 0:  # what was appended since is left for the next time
                    break
                left -= len(line)
                if line.startswith(_TYPE_FIRST) and line.startswith(ignored) and _is_single(line):
                    rows += 1
                    continue
                try:
                    row = decode(line) if len(line) < _LARGE else _decode_large(line)
                except _BROKEN:
                    if line.endswith(b"\n"):
                        yield from self._recover(line)
                    elif len(line) < LONGEST_ROW:  # it is still being written
                        left += len(line)
                        break
                    else:
                        left -= self._skip_line(file)
                else:
                    # Without a line feed too: an object without its end is never valid JSON.
                    rows += 1
                    yield row
            self.rows += rows
            self.position = size - left
        if not self.rows and self._first.strip() in _OPENINGS:
            self.is_foreign, self.unreadable = True, 0

    def _skip_line(self, file: BinaryIO) -> int:
        """Skip the rest of a line that is too long; return its length."""
        length = 0
        for piece in iter(functools.partial(file.readline, BUFFER), b""):
            length += len(piece)
            if piece.endswith(b"\n"):
                break
        self.unreadable += 1
        return length

    def _recover(self, line: bytes) -> Iterator[Row]:
        if not self._first:
            self._first = line[:_FIRST]
        rows, is_complete = recover_rows(line)
        self.rows += len(rows)
        self.unreadable += not is_complete
        yield from rows


def _is_single(line: bytes) -> bool:
    """Return whether a line holds a single object, and a complete one."""
    return line.endswith(b"}\n") and b'}{"' not in line


def _decode_large(line: bytes) -> Row:
    """Decode a row without `toolUseResult`, which repeats the result that the message holds.

    That is half of all bytes. In a text the quotes of these marks are escaped, so that they are
    keys wherever they are found; should they belong to different objects, the rest is not valid.
    """
    start = line.find(_COPY)
    if start > 0:
        tail = len(line) - _TAIL
        end = line.rfind(_BEHIND_COPY, tail)
        if end > start and line.find(_DENIAL, tail) < 0:
            with contextlib.suppress(*_BROKEN):
                return _decode(line[:start] + line[end:])
    return _decode(line)


def recover_rows(line: bytes) -> tuple[list[Row], bool]:
    """Return the rows of a line that is not one plain row, and whether all of it could be read.

    A line may hold two objects, since Claude Code was killed, or two of its processes wrote at the
    same time; NUL bytes, after a loss of power; or the JSON of another program.
    """
    text = line.decode("utf-8", "replace").strip(_BLANK)
    decoder = json.JSONDecoder()
    rows: list[Row] = []
    is_complete = True
    while text:
        try:
            value, end = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            behind = _recover_behind(text)
            return rows + behind, False
        row = _fit_row(value) if isinstance(value, dict) else None
        if row is None:
            is_complete = False
        else:
            rows.append(row)
        text = text[end:].lstrip(_BLANK)
    return rows, is_complete


def _recover_behind(text: str) -> list[Row]:
    """Return the row behind one that was cut: Claude Code was killed, and went on in its line."""
    start = max((text.rfind(each, 1) for each in _ROW_STARTS), default=-1)
    if start < 1:
        return []
    try:
        value = json.loads(text[start:])
    except (ValueError, RecursionError):
        return []
    # A part of a row that was cut has no session of its own.
    row = _fit_row(value) if isinstance(value, dict) else None
    return [row] if row is not None and row.uuid and row.sessionId else []


def _fit_row(value: dict[str, Any]) -> Row | None:
    """Return the row of an object, without the fields whose types are not as expected."""
    try:
        fitted = json.dumps(_fit(value, msgspec.inspect.type_info(Row)), ensure_ascii=False)
        # Half of a surrogate pair is legal in JSON, but it is no text.
        return _decode(fitted.encode("utf-8", "replace"))
    except _BROKEN:
        return None


def _fit(value: Any, kind: msgspec.inspect.Type) -> Any:  # noqa: ANN401 -- any JSON
    """Return the part of a JSON value that fits a type; None where nothing of it does."""
    match kind:
        case msgspec.inspect.UnionType(types=types):
            return next((each for one in types if (each := _fit(value, one)) is not None), None)
        case msgspec.inspect.StructType(fields=fields) if isinstance(value, dict):
            named = {field.encode_name: field.type for field in fields}
            fitted = {name: _fit(value[name], named[name]) for name in named if name in value}
            return {name: each for name, each in fitted.items() if each is not None}
        case msgspec.inspect.ListType(item_type=item) if isinstance(value, list):
            return [each for one in value if (each := _fit(one, item)) is not None]
        case msgspec.inspect.RawType():
            return value
    return (
        value
        if isinstance(value, _PLAIN.get(type(kind), ())) and _is_bool_as(value, kind)
        else None
    )


def _is_bool_as(value: object, kind: msgspec.inspect.Type) -> bool:
    """Return whether a value is true or false exactly where a type says so."""
    return isinstance(value, bool) == isinstance(kind, msgspec.inspect.BoolType)


_PLAIN: Final[dict[type, tuple[type, ...]]] = {
    msgspec.inspect.StrType: (str,),
    msgspec.inspect.BoolType: (bool,),
    msgspec.inspect.IntType: (int,),
    msgspec.inspect.FloatType: (int, float),
}
