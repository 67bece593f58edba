"""Reads from Python's error messages which modules are missing."""

import re
from typing import Final

_MISSING: Final = re.compile(
    # `python -m` prints the name without quotes, as Python 2 does; in prose, words would follow.
    r"No module named (?:'([\w.]+)'|\"([\w.]+)\"|([\w.]++)(?![ \t]+\w))"
)


def find_missing_modules(text: str) -> list[str]:
    """Return the full names of the modules that a text reports as missing, each once, in order."""
    names = ("".join(match).strip(".") for match in _MISSING.findall(text))
    return list(dict.fromkeys(filter(None, names)))
