"""The setting of Claude Code that keeps instruction files from being loaded: `claudeMdExcludes`.

Claude Code (2.1.329) heeds it in the project's settings.json and settings.local.json, and in the
user's settings.json.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

_KEY: Final = "claudeMdExcludes"


def has_more_excludes(before: bytes | None, now: bytes | None) -> bool:
    """Whether a settings file keeps more from being loaded than it did."""
    known = _list_excludes(before)
    return any(each not in known for each in _list_excludes(now))


def restore_excludes(before: bytes | None, now: bytes | None) -> bytes | None:
    """The settings as they are now, with the exclusions of before.

    Where nothing else differs, and where what is there cannot be read, it is the file of before.
    """
    was, present = _parse_settings(before), _parse_settings(now)
    if present is None or _drop_excludes(present) == _drop_excludes(was or {}):
        return before
    excluded = {_KEY: was[_KEY]} if was and _KEY in was else {}
    return (
        json.dumps(_drop_excludes(present) | excluded, indent=2, ensure_ascii=False).encode()
        + b"\n"
    )


def _list_excludes(data: bytes | None) -> Sequence[object]:
    settings = _parse_settings(data)
    if settings is None:  # whatever it may mean to Claude Code
        return [data] if _KEY.encode() in (data or b"") else []
    value = settings.get(_KEY) or []
    return value if isinstance(value, list) else [value]


def _parse_settings(data: bytes | None) -> Mapping[str, Any] | None:
    """The settings; None for what is no JSON object."""
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _drop_excludes(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != _KEY}
