"""Resolve a configured model name: aliases, and replacements for retired models.

The installed anthropic SDK lists which models retire, and when. Later versions drop models that
are long gone; those are recognised by the generation in their name.
"""

import ast
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from teacher.prices import build_price_notice

DEFAULT_MODEL = "claude-sonnet-5-5"

ALIASES = {
    "sonnet": "claude-sonnet-5-5",
    "haiku": "claude-haiku-5-5",
    "opus": "claude-opus-5-5",
    "fable": "claude-fable-5-2",
    "mythos": "claude-mythos-5-2",
}
"""The model of each family that we use, also as the replacement of a retired one."""

_REMOVED_MODELS = re.compile(
    r"""claude-( instant | 1 | 2 | 3 )\b
      | claude-( opus | sonnet )-4-( 0 | 1 | 2025\d{4} )\b
      | claude-mythos-preview\b""",
    re.VERBOSE,
)
"""Models that the API has removed. SDKs up to 2.12.0 listed them, later ones do not."""

_FAMILY_OF = {"instant": "haiku"}
"""The current family for each one that was discontinued."""

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


@dataclass(frozen=True)
class Model:
    """A model that the teacher uses.

    `notice` is a line for the user if the model replaces the configured one, retires soon, or has
    no known price; otherwise it is empty.
    """

    id: str
    notice: str = ""


def resolve_model(
    name: str, today: date | None = None, last_days: Mapping[str, date] | None = None
) -> Model:
    """Return the model to use for a configured name.

    A retired name gives its replacement, so that an old configuration keeps working. An unknown
    name is returned unchanged: the API decides whether it exists.

    Args:
        name: a model's name or one of `ALIASES`.
        today: the current day; today in UTC if None.
        last_days: when models retire; the list of the installed SDK if None.
    """
    name = ALIASES.get(name, name)
    today = today or datetime.now(UTC).date()
    last_day = (_read_sdk_last_days() if last_days is None else last_days).get(name)
    if (last_day and last_day < today) or _REMOVED_MODELS.match(name):
        return _replace_model(name)
    retires = f"{name} retires on {last_day}{_advise_replacement(name)}" if last_day else ""
    return Model(name, "; ".join(filter(None, (retires, build_price_notice(name)))))


def _replace_model(name: str) -> Model:
    successor = _find_successor(name)
    if successor == name:  # this version knows nothing newer
        return Model(name, f"{name} was retired; set teacher.model to one that the API has")
    return Model(
        successor,
        f"{name} was retired; using {successor} instead; set teacher.model to silence this",
    )


def _advise_replacement(name: str) -> str:
    successor = _find_successor(name)
    return "" if successor == name else f"; set teacher.model to {successor}"


def _find_successor(name: str) -> str:
    """Return the current model of the same family, or the default one."""
    words = name.split("-")
    families = (_FAMILY_OF.get(word, word) for word in words)
    return next((ALIASES[family] for family in families if family in ALIASES), DEFAULT_MODEL)


@cache
def _read_sdk_last_days() -> Mapping[str, date]:
    """Return the last day of each model that the installed anthropic SDK lists as deprecated.

    The file of the table is parsed, because importing the SDK takes a second. If a later SDK moves
    the table or changes its form, the result is empty.
    """
    found = importlib.util.find_spec("anthropic")
    if not found or not found.origin:
        return {}
    file = Path(found.origin).parent / "_data" / "deprecated_models.py"
    return _read_last_days(file)


def _read_last_days(file: Path) -> dict[str, date]:
    try:
        table = _read_literal(file, "DEPRECATED_MODELS")
    except (OSError, SyntaxError, ValueError, TypeError):  # a private file of another project
        return {}
    if not isinstance(table, Mapping):
        return {}
    days = {str(name): _parse_day(str(text)) for name, text in table.items()}
    return {name: day for name, day in days.items() if day}


def _read_literal(file: Path, name: str) -> object:
    """Return the literal that a Python file assigns to a global name; None if it does not.

    Raises:
        OSError: the file cannot be read.
        SyntaxError: it is not Python.
        ValueError, TypeError: the value is not a literal.
    """
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.AnnAssign):
            targets: list[ast.expr] = [statement.target]
        elif isinstance(statement, ast.Assign):
            targets = statement.targets
        else:
            continue
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if name in names and statement.value:
            return ast.literal_eval(statement.value)
    return None


def _parse_day(text: str) -> date | None:
    """Parse a day as the SDK writes it, such as `January 22nd, 2027`; None if it is no such day."""
    found = re.fullmatch(r"([A-Z][a-z]+) (\d{1,2})\w*, (\d{4})", text)
    if not found or found[1] not in _MONTHS:
        return None
    try:
        return date(int(found[3]), _MONTHS.index(found[1]) + 1, int(found[2]))
    except ValueError:
        return None
