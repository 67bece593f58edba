"""Decode the rows of a transcript, and recover what can be recovered of broken ones.

Only the fields that are needed are decoded, into structs without garbage collection: that is faster
than to parse the same bytes into dictionaries. A row of another shape takes a slower way, in which
fields of unexpected types are left out.
"""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

LONGEST_ROW: Final = 16 << 20
"""Bytes; a longer row is skipped, and counted as unreadable."""

_CHUNK: Final = 1 << 20
_EMPTY: Final = msgspec.Raw(b"")
_BLANK: Final = b" \t\r\0"

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


class CompactMetadata(msgspec.Struct, gc=False):
    """Why the context was summarized."""

    trigger: str = ""


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
    toolDenialKind: str | None = None  # noqa: N815
    permissionDecision: Decision | None = None  # noqa: N815
    userFeedback: str | None = None  # noqa: N815
    compactMetadata: CompactMetadata | None = None  # noqa: N815
    requestSessionId: str | None = None  # noqa: N815
    totalCostUSD: float | None = None  # noqa: N815
    content: msgspec.Raw = _EMPTY
    summary: str | None = None
    leafUuid: str | None = None  # noqa: N815
    customTitle: str | None = None  # noqa: N815
    aiTitle: str | None = None  # noqa: N815


_decode = msgspec.json.Decoder(Row).decode


class Lines:
    """The lines of a transcript, read in bounded memory, and what was found beside them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0
        """The end of the last line that is complete."""
        self.too_long = 0
        self.rest = b""
        """What follows the last line feed: a line that is still being written, or the last one."""

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield the complete lines, some at a time; none of a pipe or another special file.

        Raises:
            OSError: it cannot be read.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                return
            left = state.st_size  # what is appended from now on is left for the next time
            is_skipping = False
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                lines = (self.rest + chunk).split(b"\n") if self.rest else chunk.split(b"\n")
                self.rest = lines.pop()
                self.position += sum(map(len, lines)) + len(lines)
                if lines and is_skipping:
                    self.position += self._skipped
                    del lines[0]
                    is_skipping = False
                if len(self.rest) > LONGEST_ROW or is_skipping:
                    self._skipped = len(self.rest) + (self._skipped if is_skipping else 0)
                    self.too_long += not is_skipping
                    is_skipping, self.rest = True, b""
                if lines:
                    yield lines

    _skipped = 0


class RowReader:
    """The rows of one file, and the numbers of what could not be read."""

    def __init__(self, path: Path) -> None:
        self._lines = Lines(path)
        self.rows = 0
        self.unreadable = 0

    @property
    def position(self) -> int:
        """The end of the last complete row."""
        return self._lines.position

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows in order.

        Raises:
            OSError: the file cannot be read.
        """
        decode, ignored = _decode, _IGNORED
        for lines in self._lines:
            for line in lines:
                if line.startswith(ignored) and b'}{"' not in line:
                    self.rows += 1
                    continue
                try:
                    row = decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    yield from self._recover(line)
                else:
                    self.rows += 1
                    yield row
        self.unreadable += self._lines.too_long
        if rest := self._lines.rest:
            # An object without its end is never valid JSON, so this one is complete.
            try:
                row = decode(rest)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return
            self._lines.position += len(rest)
            self.rows += 1
            yield row

    def _recover(self, line: bytes) -> Iterator[Row]:
        rows, is_complete = recover_rows(line)
        self.rows += len(rows)
        self.unreadable += not is_complete
        yield from rows


def recover_rows(line: bytes) -> tuple[list[Row], bool]:
    """Return the rows of a line that is not one plain row, and whether all of it could be read.

    A line may hold two objects, since Claude Code was killed, or two of its processes wrote at the
    same time; NUL bytes, after a loss of power; or the JSON of another program.
    """
    text = line.decode("utf-8", "replace").strip(_BLANK.decode())
    decoder = json.JSONDecoder()
    rows: list[Row] = []
    while text:
        try:
            value, end = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            return rows, False
        if not isinstance(value, dict):
            return rows, False
        rows.append(_fit_row(value))
        text = text[end:].lstrip(_BLANK.decode())
    return rows, True


def _fit_row(value: dict[str, Any]) -> Row:
    """Return the row of an object, without the fields whose types are not as expected."""
    return _decode(json.dumps(_fit(value, msgspec.inspect.type_info(Row))))


def _fit(value: Any, kind: msgspec.inspect.Type) -> Any:  # noqa: ANN401 -- any JSON
    """Return the part of a JSON value that fits a type; None where nothing of it does."""
    inspect = msgspec.inspect
    if isinstance(kind, inspect.UnionType):
        return next((each for one in kind.types if (each := _fit(value, one)) is not None), None)
    if isinstance(kind, inspect.StructType):
        if not isinstance(value, dict):
            return None
        fitted = {
            field.encode_name: _fit(value[field.encode_name], field.type)
            for field in kind.fields
            if field.encode_name in value
        }
        return {name: each for name, each in fitted.items() if each is not None}
    if isinstance(kind, inspect.ListType):
        if not isinstance(value, list):
            return None
        return [each for one in value if (each := _fit(one, kind.item_type)) is not None]
    if isinstance(kind, inspect.RawType):
        return value
    return _fit_plain(value, kind)


def _fit_plain(value: Any, kind: msgspec.inspect.Type) -> Any:  # noqa: ANN401
    inspect = msgspec.inspect
    plain: dict[type, type | tuple[type, ...]] = {
        inspect.StrType: str,
        inspect.BoolType: bool,
        inspect.IntType: int,
        inspect.FloatType: (int, float),
    }
    expected = plain.get(type(kind))
    if expected is None or not isinstance(value, expected):
        return None
    if isinstance(value, bool) and not isinstance(kind, inspect.BoolType):
        return None
    return value
