"""Write the suite's settings into a project's `orchestrator.yaml`, and leave the rest as it is."""

import difflib
import json
import textwrap
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.config.yaml_text import YamlError, parse_yaml

_HEAD: Final = """\
# Settings of the Prompt Learning Loop for this project. To see all settings:
# orchestrator config show. Commit this file: it is for everybody who works
# here. It never contains a key or a token.

"""
_COMMENTS: Final = {
    "framework": '"pytest" reads each case; "command" uses the exit code alone.',
    "command": "Run in this folder.",
    "timeout": "Seconds for one run of the suite.",
}
_WIDTH: Final = 76
"""Columns of a comment, which a terminal of 80 shows with a margin, or with the mark of a patch."""

Settings = Mapping[str, str | int]
"""Values of the section `tests`, by name."""


def add_settings(text: str, settings: Settings, reason: str) -> str:
    """Return the text of a configuration file with settings of the section `tests`.

    Args:
        text: the file's text, which is valid; empty for a new file.
        settings: keys that the file does not have yet, with their values.
        reason: why the command was chosen, for a comment.

    Returns:
        The new text. Empty if the file's `tests` is written in a way that cannot be added to.
    """
    changed = _insert(text, settings, reason)
    try:
        written = read_settings(changed)
    except YamlError:  # something follows the mapping, such as the end of the document
        return ""
    return changed if all(written.get(name) == each for name, each in settings.items()) else ""


def read_settings(text: str) -> dict[str, Any]:
    """Return the section `tests` of a configuration file's text, which is valid."""
    values = parse_yaml(text)[1]
    section = values.get("tests") if isinstance(values, dict) else None
    return section if isinstance(section, dict) else {}


def format_diff(before: str, after: str, name: str) -> str:
    """Return the difference between two texts of a file, as a patch."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} as it is", f"{name} as proposed", "", "",
        lineterm="",
    )  # fmt: skip
    return "\n".join(lines)


def _insert(text: str, settings: Settings, reason: str) -> str:
    """Return the text with the settings, or an empty one; its line endings are kept."""
    if "\r\n" in text:
        return _insert(text.replace("\r\n", "\n"), settings, reason).replace("\n", "\r\n")
    root = parse_yaml(text)[0]
    if root is None:
        return f"{text or _HEAD}{_end_line(text)}tests:\n{_format(settings, reason, '  ')}"
    if getattr(root, "flow_style", False):  # `{learning: {...}}`; a scalar has no style
        return ""
    sections = {key.value: (key, value) for key, value in root.value}
    if "tests" not in sections:
        return f"{text}{_end_line(text)}\ntests:\n{_format(settings, reason, '  ')}"
    key, value = sections["tests"]
    lines = text.splitlines(keepends=True)
    if value.id == "mapping" and not value.flow_style:
        column = value.start_mark.column
    elif value.id == "scalar" and not value.value:
        column = 2
    else:
        return ""
    at = key.start_mark.line + 1  # not before the first key: the comment above it is about it
    head = "".join(lines[:at])
    new = _format(settings, reason, " " * column)
    return f"{head}{_end_line(head)}{new}{''.join(lines[at:])}"


def _end_line(text: str) -> str:
    return "\n" if text and not text.endswith("\n") else ""


def _format(settings: Settings, reason: str, indent: str) -> str:
    lines = []
    for name, value in settings.items():
        comment = _COMMENTS[name]
        if name == "command" and reason:
            comment = f"Run in this folder. Chosen by: {_clean(reason)}."
        lines += textwrap.wrap(
            comment, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        lines.append(f"{indent}{name}: {_quote(value)}")
    return "\n".join(lines) + "\n"


def _quote(value: str | int) -> str:
    """Return a value as YAML; what JSON escapes, YAML reads too, but for pairs of surrogates."""
    return json.dumps(value, ensure_ascii=not str(value).isprintable())


def _clean(text: str) -> str:
    """Return a text from the project as a part of a comment of one line."""
    return "".join(each if each.isprintable() else "?" for each in text)[:200]
