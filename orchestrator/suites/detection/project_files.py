"""Read the files of a project, which may be hostile: of any size, depth and kind."""

import configparser
import tomllib
from pathlib import Path
from typing import Any

from orchestrator.platform import files
from orchestrator.platform.bom import split_bom
from orchestrator.platform.packages import READ_LIMIT

Table = dict[str, Any]


def read_text(path: Path) -> str:
    """Return the beginning of a file as text; empty if it cannot be read."""
    return split_bom(files.read_text(path, READ_LIMIT))[1]


def read_toml(path: Path) -> Table:
    """Return the content of a TOML file; empty if it cannot be parsed."""
    try:
        return tomllib.loads(read_text(path))
    except (ValueError, RecursionError):
        return {}


def read_ini(path: Path) -> dict[str, dict[str, str]]:
    """Return the sections of an INI file; empty if it cannot be parsed."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(read_text(path))
        return {
            name: {key: value or "" for key, value in parser.items(name)}
            for name in parser.sections()
        }
    except (configparser.Error, ValueError, AttributeError):  # a value that goes on without a key
        return {}


def find_table(content: Table, *keys: str) -> Table | None:
    """Return a table inside others; None if there is none of that name."""
    for key in keys:
        inner = content.get(key)
        if not isinstance(inner, dict):
            return None
        content = inner
    return content


def list_texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list, or of a text with several words."""
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, list):
        return tuple(each for each in value if isinstance(each, str))
    return ()
