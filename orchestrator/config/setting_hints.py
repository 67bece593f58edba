"""Say how a setting that a hint names is written, so that it can be pasted into the file."""

import json
import re
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from orchestrator.config.schema import Config

_NAMED: Final = re.compile(
    r"(?P<raised>\braise )?`?\b(?P<section>[a-z0-9]+)\.(?P<name>[a-z_]+)\b`?"
    r"(?:: (?P<value>[\w.-]+)| to (?P<word>[\w.-]+))?"
)
_EXAMPLES: Final[dict[str, object]] = {
    "agent.command": ["my-agent", "--prompt", "{prompt}"],
    "claude.model": "opus",
    "claude.trust_project": True,
    "limits.max_tokens": 5_000_000,
    "n8n.webhook_url": "https://HOST/webhook/NAME",
    "workspace.isolate": True,
}
"""Values of settings whose default says nothing about what a value looks like."""

_FREE_TEXTS: Final = ("teacher.model", "claude.model", "tests.command")
"""Settings of which every text is a valid value."""


def complete_hint(hint: str) -> str:
    """Return a hint with the text to paste for the first setting that it names, if it names one."""
    if "ORCHESTRATOR_" in hint:  # it says how to set it elsewhere
        return hint
    for found in _NAMED.finditer(hint):
        section, name = found["section"], found["name"]
        model = getattr(Config(), section, None)
        if isinstance(model, BaseModel) and name in type(model).model_fields:
            value = _choose_value(section, name, found)
            return f"{hint}; in orchestrator.yaml: {format_setting(f'{section}.{name}', value)}"
    return hint


def format_setting(key: str, value: object) -> str:
    """Return a setting as one line of YAML with its section: `limits: {max_tokens: 5000000}`."""
    section, _, name = key.partition(".")
    text = _format_value(value)
    return f"{section}: {{{name}: {text}}}" if name else f"{section}: {text}"


def find_example(key: str) -> object:
    """Return a value that a setting may have; None if there is none."""
    section, _, name = key.partition(".")
    default = getattr(getattr(Config(), section), name)
    return _EXAMPLES.get(key, default)


def _choose_value(section: str, name: str, found: re.Match[str]) -> object:
    key = f"{section}.{name}"
    default = getattr(getattr(Config(), section), name)
    if (said := found["value"] or found["word"]) and _is_value(section, name, said, default):
        return said
    if key in _EXAMPLES:
        return _EXAMPLES[key]
    if isinstance(default, bool):
        return not default
    if found["raised"] and isinstance(default, int | float):
        return type(default)(default * 2)
    return default


def _is_value(section: str, name: str, said: str, default: object) -> bool:
    """Return whether a word of a hint is the value that it asks for, and not part of a sentence."""
    if isinstance(default, str) and not default:
        return False  # any word would be a valid address
    values: dict[str, Any] = {section: {name: said}}
    try:
        Config.model_validate(values)
    except ValidationError:
        return False
    return f"{section}.{name}" not in _FREE_TEXTS or said.startswith("claude-")


def _format_value(value: object) -> str:
    text = json.dumps(to_jsonable_python(value), ensure_ascii=False)
    # Plain where YAML reads a plain word as the same text.
    is_plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.-]*", value)
    is_word = is_plain and value not in ("true", "false", "null", "yes", "no", "on", "off")
    return str(value) if is_word else text
