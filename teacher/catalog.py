"""Which model is asked for a configured name: aliases, and what replaces one that is gone.

Which models retire, and when, is asked of the anthropic SDK that is installed. It forgets those
that are long gone; their names are told by their generation.
"""

import importlib.util
import re
import runpy
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
"""The model of each family that we ask for: our choice, and what replaces a retired one."""

_REMOVED_MODELS = re.compile(
    r"""claude-( instant | 1 | 2 | 3 )\b
      | claude-( opus | sonnet )-4-( 0 | 1 | 2025\d{4} )\b
      | claude-mythos-preview\b""",
    re.VERBOSE,
)
"""Names that the API no longer knows. SDKs up to 2.12.0 listed them, later ones do not."""

_FAMILY_OF = {"instant": "haiku"}
"""Families of today for those that have no successor by name."""

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


@dataclass(frozen=True)
class Model:
    """A model as the teacher uses it.

    `notice` is a line for the user when it is not the model that was asked for, soon will not be
    there, or has no price that anybody knows.
    """

    id: str
    notice: str = ""


def resolve_model(
    name: str, today: date | None = None, last_days: Mapping[str, date] | None = None
) -> Model:
    """Return the model to use for a configured name.

    A retired name gives its replacement, so that an old configuration works. A name that nobody
    knows is passed on as it is: the API is the judge of it.

    Args:
        name: a model's name or one of `ALIASES`.
        today: the day to judge by; now, in UTC, if None.
        last_days: when models retire; as the installed SDK has it if None.
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
    """Return the model of the same family that we ask for today, or the default one."""
    words = name.split("-")
    families = (_FAMILY_OF.get(word, word) for word in words)
    return next((ALIASES[family] for family in families if family in ALIASES), DEFAULT_MODEL)


@cache
def _read_sdk_last_days() -> Mapping[str, date]:
    """Return the last day of each model that the installed anthropic SDK lists as deprecated.

    Its table has a file of its own, which is run alone: importing the SDK for it takes a second.
    Where a later SDK keeps it elsewhere, or in another form, nothing is known.
    """
    found = importlib.util.find_spec("anthropic")
    if not found or not found.origin:
        return {}
    file = Path(found.origin).parent / "_data" / "deprecated_models.py"
    return _read_last_days(file)


def _read_last_days(file: Path) -> dict[str, date]:
    try:
        table = runpy.run_path(str(file))["DEPRECATED_MODELS"]
    except Exception:  # noqa: BLE001 -- a private file of another project: it may hold anything
        return {}
    if not isinstance(table, Mapping):
        return {}
    days = {str(name): _parse_day(str(text)) for name, text in table.items()}
    return {name: day for name, day in days.items() if day}


def _parse_day(text: str) -> date | None:
    """Read a day as the SDK writes it, such as `January 22nd, 2027`; None if it is another text."""
    found = re.fullmatch(r"([A-Z][a-z]+) (\d{1,2})\w*, (\d{4})", text)
    if not found or found[1] not in _MONTHS:
        return None
    try:
        return date(int(found[3]), _MONTHS.index(found[1]) + 1, int(found[2]))
    except ValueError:
        return None
