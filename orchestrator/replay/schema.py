"""The scenario format: one pydantic model for each mapping of the file.

`docs/replay.md` describes the format. A model checks its own keys and types, and which keys go
together; `loading` turns what it finds wrong into an error with file and line. Models are built
into the dataclasses of `scenario`, which the server answers from: these are made by programs too,
which may script replies that the format does not allow.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)

from orchestrator.replay.scenario import (
    Fault,
    FaultKind,
    Reply,
    Speaker,
    Tokens,
    ToolCall,
    When,
)
from orchestrator.replay.wire import ERROR_TYPES


def _wrap_text(value: object) -> object:
    """Return a single text as a list of one."""
    if isinstance(value, str | list):
        return [value] if isinstance(value, str) else value
    raise ValueError("must be a text or a list of texts")


def _check_status(status: int) -> int:
    if status not in ERROR_TYPES:
        raise ValueError(f"is {status}; known are {', '.join(map(str, ERROR_TYPES))}")
    return status


Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[list[Text], BeforeValidator(_wrap_text)]
"""A text, or a list of texts."""
Status = Annotated[int, AfterValidator(_check_status)]
StopReason = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]

_KINDS_WITH_KEY: Final[Mapping[str | None, tuple[FaultKind, ...]]] = {
    "message": (FaultKind.STATUS,),
    "retry_after": (FaultKind.STATUS,),
    "seconds": (FaultKind.STALL, FaultKind.HANG),
}
"""Keys of a fault that only some kinds have."""

_PARTIAL_FAULTS: Final = (FaultKind.STALL, FaultKind.CUT)
"""Faults that send a part of the reply."""


class Entry(BaseModel):
    """A mapping of the file. Unknown keys and keys without a value are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_null(cls, value: object) -> object:
        """Refuse `key:` with nothing after it: None only says that a key is absent."""
        if value is None:
            raise ValueError("is empty; give it a value, or leave it out")
        return value


class ConditionEntry(Entry):
    """The condition under `when`."""

    # Strict validation takes members of an enum only, and a file has their values.
    speaker: Annotated[Speaker, Field(strict=False)] | None = None
    step: Count | None = None
    contains: Texts = []
    lacks: Texts = []
    last_contains: Texts = []
    model: str = ""

    def build_condition(self) -> When:
        """Return the condition as the server checks it."""
        return When(
            self.speaker,
            self.step,
            tuple(self.contains),
            tuple(self.lacks),
            tuple(self.last_contains),
            self.model,
        )


class ToolEntry(Entry):
    """A tool call under `tools`."""

    name: Text
    input: dict[str, JsonValue] = {}


class UsageEntry(Entry):
    """Token counts under `usage`."""

    input: Count | None = None
    output: Count | None = None
    cache_read: Count = 0
    cache_write: Count = 0


class FaultEntry(Entry):
    """How a reply goes wrong: a mapping, or a status or a kind alone."""

    kind: Annotated[FaultKind, Field(strict=False)] = FaultKind.STATUS
    status: Status | None = None
    message: str = ""
    retry_after: Seconds | None = None
    seconds: Seconds | None = None

    @model_validator(mode="before")
    @classmethod
    def _expand_shorthand(cls, value: object) -> object:
        if isinstance(value, int):
            return {"status": value}
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("message", "retry_after", "seconds")
    @classmethod
    def _check_kind(cls, value: object, info: ValidationInfo) -> object:
        kind = info.data.get("kind")  # absent when the kind itself is wrong
        if kind and kind not in _KINDS_WITH_KEY[info.field_name]:
            raise ValueError(f"does not go with {kind}")
        return value

    @model_validator(mode="after")
    def _check_status_is_given(self) -> Self:
        if (self.kind is FaultKind.STATUS) != (self.status is not None):
            raise ValueError("needs a `status`, or a `kind` other than status")
        return self

    def build_fault(self) -> Fault:
        """Return the fault as the server serves it."""
        return Fault(self.kind, self.status or 0, self.message, self.retry_after, self.seconds)


class ReplyEntry(Entry):
    """A reply: the mapping under `reply`, or one item of `steps`."""

    say: str = ""
    tools: Annotated[list[ToolEntry], Field(min_length=1)] = []
    # A field called `json` would hide a method of BaseModel.
    structured: JsonValue = Field(default=None, alias="json")
    stop_reason: StopReason | None = None
    usage: UsageEntry = UsageEntry()
    fault: FaultEntry | None = None
    delay: Seconds = 0.0

    @field_validator("structured")
    @classmethod
    def _check_alone(cls, value: JsonValue, info: ValidationInfo) -> JsonValue:
        if info.data.get("say") or info.data.get("tools"):
            raise ValueError("goes with neither `say` nor `tools`")
        return value

    @field_validator("fault")
    @classmethod
    def _check_sends_content(cls, fault: FaultEntry, info: ValidationInfo) -> FaultEntry:
        has_content = any(info.data.get(key) for key in ("say", "tools")) or (
            info.data.get("structured") is not None
        )
        if has_content and fault.kind not in _PARTIAL_FAULTS:
            raise ValueError(f"is {fault.kind}, which sends nothing of the reply")
        return fault

    @model_validator(mode="after")
    def _check_content(self) -> Self:
        if not self.model_fields_set & {"say", "tools", "structured", "fault"}:
            raise ValueError("says nothing: give `say`, `tools`, `json` or `fault`")
        return self

    def build_reply(self) -> Reply:
        """Return the reply as the server sends it."""
        return Reply(
            self.say,
            tuple(ToolCall(tool.name, tool.input) for tool in self.tools),
            self.structured,
            self.stop_reason or "",
            Tokens(**self.usage.model_dump()),
            self.fault.build_fault() if self.fault else None,
            self.delay,
        )


class AnswerEntry(Entry):
    """One item of `answers`: a condition with a reply, or with a reply for each step."""

    name: str = ""
    when: ConditionEntry = ConditionEntry()
    times: Annotated[int, Field(ge=1)] | None = None
    reply: ReplyEntry | None = None
    steps: Annotated[list[ReplyEntry], Field(min_length=1)] = []

    @field_validator("steps")
    @classmethod
    def _check_step_is_free(cls, value: object, info: ValidationInfo) -> object:
        when = info.data.get("when")
        if when and when.step is not None:
            raise ValueError("sets the step itself; remove `step` from `when`")
        return value

    @model_validator(mode="after")
    def _check_reply_is_given(self) -> Self:
        if (self.reply is None) == (not self.steps):
            raise ValueError("needs either `reply` or `steps`")
        return self


class ScenarioEntry(Entry):
    """The whole file."""

    description: str = ""
    answers: Annotated[list[AnswerEntry], Field(min_length=1)]


ENTRIES: Final[Mapping[str, type[Entry]]] = {
    "answers": AnswerEntry,
    "when": ConditionEntry,
    "reply": ReplyEntry,
    "steps": ReplyEntry,
    "tools": ToolEntry,
    "usage": UsageEntry,
    "fault": FaultEntry,
}
"""The model of the mapping, or of each mapping in the list, under a key."""


def list_keys(entry: type[Entry]) -> list[str]:
    """Return the keys of a mapping as the file has them."""
    return [field.alias or name for name, field in entry.model_fields.items()]
