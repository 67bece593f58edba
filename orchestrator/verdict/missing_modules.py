"""Reads which modules a text says are missing, in Python's own words."""

import re
from typing import Final

_MISSING: Final = re.compile(
    # `python -m` gives the name without quotes, as Python 2 does; prose would go on behind it.
    r"No module named (?:'([\w.]+)'|\"([\w.]+)\"|([\w.]++)(?![ \t]+\w))"
)


def find_missing_modules(text: str) -> list[str]:
    """Return the modules that a text says are missing, dotted names whole, each once, in order."""
    names = ("".join(match).strip(".") for match in _MISSING.findall(text))
    return list(dict.fromkeys(filter(None, names)))
