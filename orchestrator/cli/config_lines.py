"""Print the configuration as its file takes it, with the origin of each value as a comment."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.config import LoadedConfig

_INDENT: Final = "  "
_COMMENT_WIDTH: Final = 80
"""Columns up to which the origin stands behind its value; a longer line has it above."""


def iter_config_lines(loaded: "LoadedConfig", refused: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a configuration.

    Args:
        loaded: the configuration.
        refused: the settings that a project's own file must not have, and how to set them; they
            are comments, so that all else can be pasted into it.
    """
    current = ""
    for key, value, origin in loaded.iter_values():
        section, _, name = key.partition(".")
        if name and section != current:
            yield f"{section}:"
        current = section
        if hint := refused.get(key):
            note = f"{origin}; not in a project's own file: {hint}"
            lines = [f"# {line}" for line in _format_setting(key, name or section, value)]
        else:
            note, lines = origin, _format_setting(key, name or section, value)
        indent = _INDENT * bool(name)
        yield from (f"{indent}{line}" for line in _add_note(lines, " ".join(note.split())))


def _add_note(lines: list[str], note: str) -> Iterator[str]:
    line = f"{lines[0]}  # {note}"
    if len(lines) == 1 and len(line) <= _COMMENT_WIDTH - len(_INDENT):
        yield line
    else:
        yield f"# {note}:"
        yield from lines


def _format_setting(key: str, name: str, value: object) -> list[str]:
    from pydantic_core import to_jsonable_python

    from orchestrator.config.addresses import hide_address_secrets
    from orchestrator.config.yaml_text import format_block

    text = format_block({name: to_jsonable_python(hide_address_secrets(key, value))})
    return _mask_setting(key, text).splitlines()


def _mask_setting(key: str, text: str) -> str:
    """Return the text of a setting without a secret; a pattern that matches secrets is none."""
    from orchestrator.masking import mask_text

    return text if key.startswith("redaction.") else mask_text(text)
