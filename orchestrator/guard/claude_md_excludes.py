"""Restores the setting of Claude Code that excludes instruction files: `claudeMdExcludes`.

Claude Code (2.1.329) reads it in the project's settings.json and settings.local.json, and in the
user's settings.json.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

_KEY: Final = "claudeMdExcludes"


def has_more_excludes(before: bytes | None, now: bytes | None) -> bool:
    """Return whether a settings file excludes more files from being loaded than before."""
    known = _list_excludes(before)
    return any(each not in known for each in _list_excludes(now))


def restore_excludes(before: bytes | None, now: bytes | None) -> bytes | None:
    """Return the present settings with the exclusions of an earlier version.

    Returns the earlier version itself if nothing else differs, or if the present one cannot be
    parsed.
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
    if settings is None:  # unknown how Claude Code reads it, so it counts by its bytes
        return [data] if _KEY.encode() in (data or b"") else []
    value = settings.get(_KEY) or []
    return value if isinstance(value, list) else [value]


def _parse_settings(data: bytes | None) -> Mapping[str, Any] | None:
    """Return the settings; None if they are no JSON object."""
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _drop_excludes(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != _KEY}
