"""Decode a row of a transcript: its fields that are needed, with the transcript's own names.

They are decoded into structs without garbage collection: that is faster than to parse the same
bytes into dictionaries.
"""

from typing import Final

import msgspec

BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `decode_row` raises for bytes that are no row, or one of an unexpected shape."""
_EMPTY: Final = msgspec.Raw(b"")


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
    toolUseResult: msgspec.Raw = _EMPTY  # noqa: N815


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
    toolUseResult: msgspec.Raw = _EMPTY  # noqa: N815
    toolDenialKind: str | None = None  # noqa: N815
    permissionDecision: Decision | None = None  # noqa: N815
    userFeedback: str | None = None  # noqa: N815
    interruptedMessageId: str | None = None  # noqa: N815
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
    row.toolUseResult = inner.toolUseResult
    return inner.type


def list_instructions(attachment: Attachment) -> list[str]:
    """Return the texts of the files of instructions in an attachment."""
    files = attachment.files or []
    if attachment.type == "nested_memory":
        try:
            files = [msgspec.json.decode(attachment.content, type=InstructionFile)]
        except BROKEN:
            return []
    return [file.content for file in files if file.content]


decode_row: Final = msgspec.json.Decoder(Row).decode
"""Returns the row of a line."""
