"""Define what a transcript is read into: a session, the threads in it, and what happened in each.

These are `msgspec.Struct` and not dataclasses, because there is one for each call of a tool, and a
struct without garbage collection is made in a third of the time. All text is as it stands in the
transcript: untrusted, unmasked, unbounded. Whoever stores or shows it masks it first. Times are the
transcript's own, ISO 8601 in UTC (`2026-01-28T11:15:57.297Z`), and are compared as text.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec


class SessionClass(StrEnum):
    """Whose session it is. The values are stored and printed."""

    HUMAN = "human"
    """A person typed the prompts."""
    HEADLESS = "headless"
    """A program started it: `claude -p`, an SDK."""
    OWN = "own"
    """This program, or a program that its agents started: nothing is learned from it."""
    SUBAGENT = "subagent"
    """A subagent whose parent's transcript is gone."""


class Denial(StrEnum):
    """Why a tool call was not carried out. The values are stored."""

    REJECTED = "rejected"
    """A person said no at the prompt."""
    INTERRUPTED = "interrupted"
    """A person interrupted the call (Esc, Ctrl-C)."""
    UNATTENDED = "unattended"
    """Nobody was there to ask: headless."""
    HOOK = "hook"
    """A hook refused it."""
    RULE = "rule"
    """A deny rule of the settings refused it."""


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one or more model calls."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


class Prompt(msgspec.Struct, gc=False):
    """A text that a person typed, or that a program gave instead of one."""

    text: str
    at: str
    row: str
    """The uuid of its row."""


class Interjection(msgspec.Struct, gc=False):
    """A text that a person typed while the model worked: no prompt, it does not begin a task."""

    text: str
    at: str
    row: str


class ToolCall(msgspec.Struct, gc=False):
    """A call of a tool, with its result if there is one."""

    name: str
    input: msgspec.Raw
    """JSON; `read_input` of `tool_inputs` decodes what a detector needs of it."""
    at: str
    row: str
    message: str
    """The id of the model's message that it is part of."""
    result: str | None = None
    """The text of the result; None if there is none: the process was killed."""
    result_at: str = ""
    result_row: str = ""
    is_error: bool = False
    """What the transcript says. Tests may have failed without it: see `suite_runs`."""
    denial: Denial | None = None
    user_message: str = ""
    """What the person wrote when rejecting the call."""


class Interruption(msgspec.Struct, gc=False):
    """A person stopped the model."""

    at: str
    row: str


class Compaction(msgspec.Struct, gc=False):
    """The context was summarized; what the model has read before is gone."""

    at: str
    row: str
    trigger: str = ""
    """`auto` or `manual`, where the transcript says so."""


class ApiFailure(msgspec.Struct, gc=False):
    """A request to the API failed: it says nothing about the work."""

    at: str
    row: str
    text: str = ""


class ModelCall(msgspec.Struct, gc=False):
    """One answer of the model, by its message id; its first row is where it stands in a thread."""

    message: str
    model: str
    usage: Usage
    at: str
    row: str
    characters: int = 0
    """Characters of its content, by which a token count that cannot be right is recognized."""
    has_stop_reason: bool = False
    text: str = ""
    """What it said, without thinking and tool calls; for `show` and `search`, else empty."""


Entry: TypeAlias = (
    Prompt | Interjection | ToolCall | Interruption | Compaction | ApiFailure | ModelCall
)


class Thread(msgspec.Struct, gc=False):
    """What happened in one conversation with the model, in order: the main one, or a subagent's."""

    agent: str
    """The id of the subagent; empty for the main conversation."""
    entries: list[Entry]


class Session(msgspec.Struct, gc=False):
    """One session, of one or more files."""

    id: str
    family: str
    """The name of the main file without its suffix; differs from `id` where one file holds rows of
    several sessions."""
    files: tuple[str, ...]
    """The paths of its files, the main one first."""
    kind: SessionClass
    folder: str
    """The working directory at its start, as it stands in the transcript."""
    started: str
    ended: str
    versions: tuple[str, ...]
    """The versions of Claude Code that wrote it, in order."""
    models: tuple[str, ...]
    threads: list[Thread]
    usage: Usage
    """Tokens of all its model calls, each counted once."""
    output_reliable: bool
    """Whether the numbers of output tokens can be right."""
    cost_usd: float | None
    """From its last `cost-state` row; None if there is none, or if it includes the cost of the
    session that this one was forked from."""
    title: str = ""
    """A name that Claude Code gave it, if any."""
    instructions: tuple[str, ...] = ()
    """Texts of instruction files (CLAUDE.md, rules) that the transcript shows as loaded."""

    entrypoint: str = ""
    """How Claude Code was started, where the transcript says so: `cli`, `sdk-cli`, `sdk-py`."""

    @property
    def main(self) -> Thread:
        """The main conversation; empty if only subagents are left."""
        return next((each for each in self.threads if not each.agent), Thread("", []))
