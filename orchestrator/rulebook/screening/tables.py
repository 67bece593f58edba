"""Read the tables of words and patterns beside this module.

Lines that begin with `#` are comments. In a table of patterns each line is a regular expression
that matches whole words; one that begins with `/` is used as it is.
"""

import re
from functools import cache
from importlib.resources import files


@cache
def read_words(name: str) -> frozenset[str]:
    """Return the words of a table."""
    return frozenset(word for line in _read_lines(name) for word in line.split())


@cache
def read_pattern(name: str) -> re.Pattern[str]:
    """Return a pattern for what any line of a table matches; for nothing if there is no table."""
    lines = _read_lines(name)
    whole = "|".join(line for line in lines if not line.startswith("/"))
    raw = [line[1:] for line in lines if line.startswith("/")]
    return re.compile(
        "|".join(filter(None, (rf"\b(?:{whole})\b" if whole else "", *raw))) or r"(?!)"
    )


def read_alternatives(name: str) -> str:
    """Return the lines of a table as one group, to be part of another pattern."""
    return f"(?:{'|'.join(_read_lines(name))})"


def _read_lines(name: str) -> list[str]:
    path = files("orchestrator.rulebook.screening").joinpath("tables", f"{name}.txt")
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
