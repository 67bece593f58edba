"""Describe a wrong value of the configuration: where it is, and what to write instead."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ValidationError

from orchestrator.config.addresses import hide_address_secrets
from orchestrator.config.schema import Config
from orchestrator.config.setting_hints import find_example, format_entry
from orchestrator.errors import ConfigError

_ALL_SETTINGS: Final = "all settings: orchestrator docs configuration"

_EXPECTED: Final = {
    "tuple_type": "should be a list",
    **dict.fromkeys(("model_type", "dict_type"), "should be a mapping of keys to values"),
}
"""What a value should be in the words of YAML, by the type of error; pydantic names classes."""


def iter_leaves(model: BaseModel, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    """Yield the key and the value of every setting, in the order of the schema."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from iter_leaves(value, (*prefix, name))
        else:
            yield ".".join((*prefix, name)), value


def build_config_error(error: ValidationError, origins: Mapping[str, str]) -> ConfigError:
    """Return the error for the first value that is wrong.

    Args:
        error: what is wrong.
        origins: where each value comes from, by its key.
    """
    first = error.errors()[0]
    location = [str(part) for part in first["loc"] if part != "[key]"]
    key = ".".join(location)
    where = next(
        (
            origins[candidate]
            for length in range(len(location), 0, -1)
            if (candidate := ".".join(location[:length])) in origins
        ),
        "configuration",
    )
    if first["type"] == "extra_forbidden":
        return ConfigError(f"{where}: unknown key `{key}`", _suggest_key(location, first["input"]))
    problem = _EXPECTED.get(first["type"], first["msg"].removeprefix("Value error, "))
    # An address is refused for its password, which must not be shown for that.
    shown = re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", repr(first["input"]))
    given = f", not {shown}" if not isinstance(first["input"], dict) else ""
    return ConfigError(f"{where}: `{key}`: {problem}{given}", _suggest_value(location, where))


def _suggest_value(location: Sequence[str], where: str) -> str:
    """Return how a valid value is written where the wrong one comes from."""
    key = ".".join(location[:2])
    if key not in {known for known, _ in iter_leaves(Config())}:
        return _ALL_SETTINGS
    value = find_example(key)
    source, _, name = where.partition(" ")
    if value is None or isinstance(value, dict):
        return _ALL_SETTINGS
    if source == "environment":
        return f"as in: {name}={json.dumps(value) if isinstance(value, list) else value}"
    if option := re.fullmatch(r"command line (--[a-z-]+)", where):
        return f"as in: {option[1]} {value}"
    return f"as in: {format_entry(key, value)}"


def _suggest_key(location: Sequence[str], value: object) -> str:
    whole = location[0].split(".")
    if len(location) == 1 and len(whole) == 2 and location[0] in dict(iter_leaves(Config())):
        shown = hide_address_secrets(location[0], value)
        return f"in the section `{whole[0]}:`: `{format_entry(location[0], shown)}`"
    known = {".".join(key.split(".")[: len(location)]) for key, _ in iter_leaves(Config())}
    wanted = ".".join(location)
    if close := difflib.get_close_matches(wanted, known, n=1):
        return f"did you mean `{close[0]}`?"
    # The other common mistake: a known name in the wrong section.
    for key, _ in iter_leaves(Config()):
        if key.rsplit(".", 1)[-1] == location[-1]:
            return f"did you mean `{key}`?"
    return _ALL_SETTINGS
