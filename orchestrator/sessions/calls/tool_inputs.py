"""Decode of a tool call's input what the detectors need, and only when they need it."""

from typing import Final, TypeAlias

import msgspec

from orchestrator.sessions.models import ToolCall


class BashInput(msgspec.Struct, gc=False):
    """A shell command."""

    command: str = ""
    description: str = ""
    run_in_background: bool | None = None


class ReadInput(msgspec.Struct, gc=False):
    """A part of a file that is read."""

    file_path: str = ""
    offset: int | None = None
    limit: int | None = None


class Replacement(msgspec.Struct, gc=False):
    """One replacement of several."""

    old_string: str = ""
    new_string: str = ""


class EditInput(msgspec.Struct, gc=False):
    """A change of a file, by Edit, MultiEdit, Write or NotebookEdit."""

    file_path: str = ""
    notebook_path: str = ""
    old_string: str = ""
    new_string: str = ""
    content: str = ""
    edits: list[Replacement] = []

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.file_path or self.notebook_path


class SkillInput(msgspec.Struct, gc=False):
    """A skill that is loaded."""

    skill: str = ""
    command: str = ""

    @property
    def name(self) -> str:
        """The name of the skill."""
        return self.skill or self.command


class OtherInput(msgspec.Struct, gc=False):
    """The input of any other tool, of which nothing is decoded."""


ToolInput: TypeAlias = BashInput | ReadInput | EditInput | SkillInput | OtherInput

_OTHER: Final = OtherInput()
_TYPES: Final[dict[str, type[BashInput | ReadInput | EditInput | SkillInput]]] = {
    "Bash": BashInput,
    "Read": ReadInput,
    "Edit": EditInput,
    "MultiEdit": EditInput,
    "Write": EditInput,
    "NotebookEdit": EditInput,
    "Skill": SkillInput,
}
_DECODERS: Final = {name: msgspec.json.Decoder(kind) for name, kind in _TYPES.items()}


def read_input(call: ToolCall) -> ToolInput:
    """Return the input of a call; empty where it is not as the tool expects it."""
    decoder = _DECODERS.get(call.name)
    if decoder is None:
        return _OTHER
    try:
        return decoder.decode(call.input)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _TYPES[call.name]()
