"""Say where a setting that a hint names is set, and what to write there, so that it can be pasted.

A text to paste is one line of a section: a section that the file has already must not be given
twice. A number is derived from the value in effect; where that is not known, no number is given.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from orchestrator.config.choices import is_harmless
from orchestrator.config.schema import Config
from orchestrator.errors import LoopError
from teacher.errors import TeacherError

_NAMED: Final = re.compile(
    r"(?:\b(?P<verb>raise|set|correct|point|check|see) )?"
    r"`?\b(?P<section>[a-z0-9]+)\.(?P<name>[a-z_]+)\b`?"
    r"(?:: (?P<value>[\w.-]+)| to (?P<word>[\w.-]+)| \(now (?P<now>[\d.]+)"
    r"| \((?P<used>[\d.]+) used\))?"
)
_COMPLETE: Final = re.compile(
    r"ORCHESTRATOR_|orchestrator\.yaml|in the section `|` comes from |\?$"
)
"""A hint that says already where a setting is set, or asks whether another name is meant."""

_FILE: Final = "orchestrator.yaml"
_FILE_ORIGIN: Final = re.compile(r"(?P<path>.*[./].*?)(?::(?P<line>\d+))?")
"""The origin of a setting from a file, maybe with its line."""

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


@dataclass(frozen=True)
class SettingHint:
    """A setting that a person is to change, and where it is set."""

    key: str
    value: object = None
    """What to set it to; None if that is not known."""
    origin: str = ""
    """Where its present value comes from; empty if that is not known."""

    @property
    def is_in_file(self) -> bool:
        """Whether it is set in the file, and not for this command alone."""
        return not self.origin.startswith(("command line", "environment "))

    @property
    def variable(self) -> str:
        """The variable of the environment that sets it, with the value."""
        name = f"ORCHESTRATOR_{self.key.replace('.', '_')}".upper()
        return f"{name}={format_value(self.value)}"

    @property
    def location(self) -> str:
        """The file and the section with the line to paste, or what else sets it."""
        if not self.is_in_file:
            source = self.origin.removeprefix("command line ").removeprefix("environment ")
            source = f"the {source}" if source == "command line" else source
            return f"`{self.key}` comes from {source}"
        section, _, name = self.key.partition(".")
        line = self._file["line"] if self._file else None
        where = f"in the section `{section}:` of {self._named_file or _FILE}"
        if self.value is None:
            return f"see `{name}` {where}"
        present = f" (now in line {line})" if line else ""
        return f"{where}{present}: `{format_entry(self.key, self.value)}`"

    def describe(self, trust_command: str) -> str:
        """Return the location, with the command that trusts the value where that is needed."""
        return f"{self.location}, then `{trust_command}`" if self.needs_trust else self.location

    @property
    def needs_trust(self) -> bool:
        """Whether a project's own file may have the value only with the user's trust."""
        if self.value is None or self._named_file or not self.is_in_file:
            return False
        return not is_harmless(self.key, self.value)

    @property
    def _file(self) -> re.Match[str] | None:
        return _FILE_ORIGIN.fullmatch(self.origin) if self.is_in_file else None

    @property
    def _named_file(self) -> str:
        """The file that the user has named instead of the project's own; empty if none."""
        path = self._file["path"] if self._file else ""
        return "" if Path(path).name == _FILE else path


def find_setting(
    text: str, config: Config | None = None, origins: Mapping[str, str] | None = None
) -> SettingHint | None:
    """Return the first setting that a text says to change, with the value to set; None if none.

    Args:
        text: a hint, or a message with one, which may name other settings before.
        config: the settings in effect, if they are known.
        origins: where those come from that are no defaults, by key.
    """
    asked = (found for found in _iter_named(text) if found["verb"])
    return next((_build_hint(found, config, origins or {}) for found in asked), None)


def _iter_named(text: str) -> Iterator[re.Match[str]]:
    """Yield where a text names a setting."""
    for found in _NAMED.finditer(text):
        model = getattr(Config(), found["section"], None)
        if isinstance(model, BaseModel) and found["name"] in type(model).model_fields:
            yield found


def _build_hint(
    found: re.Match[str], config: Config | None, origins: Mapping[str, str]
) -> SettingHint:
    key = f"{found['section']}.{found['name']}"
    return SettingHint(key, _choose_value(key, found, config), origins.get(key, ""))


def complete_hint(
    hint: str,
    config: Config | None = None,
    origins: Mapping[str, str] | None = None,
    trust_command: str = "orchestrator trust",
) -> str:
    """Return a hint with the location of the first setting that it names, if it names one.

    A hint that is complete stays as it is. The other arguments are those of `find_setting`, and the
    command that trusts what the project asks for.
    """
    if _COMPLETE.search(hint):
        return hint
    named = next(_iter_named(hint), None)
    if not named:
        return hint
    setting = find_setting(hint, config, origins) or _build_hint(named, config, origins or {})
    return f"{hint}; {setting.describe(trust_command)}"


@contextlib.contextmanager
def complete_hints(
    config: Config, origins: Mapping[str, str], trust_command: str
) -> Iterator[None]:
    """Complete the hint of an error with the settings in effect."""
    try:
        yield
    except (LoopError, TeacherError) as error:
        error.hint = complete_hint(error.hint, config, origins, trust_command)
        raise


def format_entry(key: str, value: object) -> str:
    """Return a setting as one line of YAML in its section: `max_tokens: 5000000`."""
    return f"{key.rpartition('.')[2]}: {format_value(value)}"


def find_example(key: str) -> object:
    """Return a value that a setting may have; None if there is none."""
    return _EXAMPLES.get(key, _read_value(Config(), key))


def _read_value(config: Config, key: str) -> Any:  # noqa: ANN401 -- each setting has its own type
    section, _, name = key.partition(".")
    value = getattr(config, section)
    return getattr(value, name) if name else value  # `failure_sources` is no section


def _choose_value(key: str, found: re.Match[str], config: Config | None) -> object:
    """Return the value to set; None if nothing better than the present one is known."""
    default = _read_value(Config(), key)
    present = _read_value(config, key) if config else None
    said = found["value"] or found["word"]
    if said and (value := _parse_value(key, said, default)) is not None:
        return value
    if found["verb"] == "raise":
        return _raise_value(present if config else found["now"], found["used"])
    if found["verb"] != "set":
        return None  # it may be right
    if isinstance(default, bool):
        return not (present if config else default)
    example = find_example(key)
    return None if example in ("", (), present) else example


def _raise_value(present: object, used: str | None) -> object:
    """Return twice a limit, or twice what is used if that is more; None if it is not known."""
    try:
        doubled = 2 * max(float(str(present)), float(used or 0))
    except ValueError:
        return None
    return int(doubled) if doubled.is_integer() else doubled


def _parse_value(key: str, said: str, default: object) -> object:
    """Return the value that a word of a hint asks for; None if it is part of a sentence."""
    if isinstance(default, str) and not default:
        return None  # any word would be a valid address
    if key in _FREE_TEXTS and not said.startswith("claude-"):
        return None
    section, _, name = key.partition(".")
    values: dict[str, Any] = {section: {name: said}}
    try:
        return _read_value(Config.model_validate(values), key)
    except ValidationError:
        return None


def format_value(value: object) -> str:
    """Return a value as YAML in one line."""
    text = json.dumps(to_jsonable_python(value), ensure_ascii=False)
    # Plain where YAML reads a plain word as the same text.
    is_plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.-]*", value)
    is_word = is_plain and value not in ("true", "false", "null", "yes", "no", "on", "off")
    return str(value) if is_word else text
