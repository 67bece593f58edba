"""Recover what can be recovered of lines that are not one plain row."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from orchestrator.sessions.reading.rows import BROKEN, Row, decode_row

_BLANK: Final = " \t\r\n\0"
_NOT_BLANK: Final = re.compile(f"[^{_BLANK}]")
_ROW_STARTS: Final = ('{"parentUuid":', '{"type":"')
_ROW: Final = msgspec.inspect.type_info(Row)
"""Here, because to make it takes longer than to recover a row."""


def recover_rows(line: bytes) -> Iterator[Row | None]:
    """Yield the rows of a line that is not one plain row, and None for what cannot be read.

    A line may hold two objects, since Claude Code was killed, or two of its processes wrote at the
    same time; NUL bytes, after a loss of power; or the JSON of another program.
    """
    text = line.decode("utf-8", "replace").strip(_BLANK)
    decoder = json.JSONDecoder()
    end = 0
    while found := _NOT_BLANK.search(text, end):
        try:
            value, end = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            yield None
            yield _recover_behind(text, found.start())
            return
        yield _fit_row(value) if isinstance(value, dict) else None


def _recover_behind(text: str, cut: int) -> Row | None:
    """Return the row behind one that was cut: Claude Code was killed, and went on in its line."""
    start = max(text.rfind(each, cut + 1) for each in _ROW_STARTS)
    if start < 0:
        return None
    try:
        value = json.loads(text[start:])
    except (ValueError, RecursionError):
        return None
    # A part of a row that was cut has no session of its own.
    row = _fit_row(value) if isinstance(value, dict) else None
    return row if row is not None and row.uuid and row.sessionId else None


def _fit_row(value: dict[str, Any]) -> Row | None:
    """Return the row of an object, without the fields whose types are not as expected."""
    try:
        fitted = json.dumps(_fit(value, _ROW), ensure_ascii=False)
        # Half of a surrogate pair is legal in JSON, but it is no text.
        return decode_row(fitted.encode("utf-8", "replace"))
    except BROKEN:
        return None


def _fit(value: Any, kind: msgspec.inspect.Type) -> Any:  # noqa: ANN401 -- any JSON
    """Return the part of a JSON value that fits a type; None where nothing of it does."""
    match kind:
        case msgspec.inspect.UnionType(types=types):
            return next((each for one in types if (each := _fit(value, one)) is not None), None)
        case msgspec.inspect.StructType(fields=fields) if isinstance(value, dict):
            named = {field.encode_name: field.type for field in fields}
            fitted = {name: _fit(value[name], named[name]) for name in named if name in value}
            return {name: each for name, each in fitted.items() if each is not None}
        case msgspec.inspect.ListType(item_type=item) if isinstance(value, list):
            return [each for one in value if (each := _fit(one, item)) is not None]
        case msgspec.inspect.RawType():
            return value if _is_json(value) else None
    is_plain = isinstance(value, _PLAIN.get(type(kind), ())) and _is_bool_as(value, kind)
    is_finite = not isinstance(value, float) or math.isfinite(value)
    return value if is_plain and is_finite else None


def _is_json(value: object) -> bool:
    """Return whether a value can be written as JSON: Python reads NaN and Infinity, too."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _is_bool_as(value: object, kind: msgspec.inspect.Type) -> bool:
    """Return whether a value is true or false exactly where a type says so."""
    return isinstance(value, bool) == isinstance(kind, msgspec.inspect.BoolType)


_PLAIN: Final[dict[type, tuple[type, ...]]] = {
    msgspec.inspect.StrType: (str,),
    msgspec.inspect.BoolType: (bool,),
    msgspec.inspect.IntType: (int,),
    msgspec.inspect.FloatType: (int, float),
}
