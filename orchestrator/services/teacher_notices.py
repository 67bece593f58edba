"""Report settings that a workflow in n8n does not use, and a teacher that has changed."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from orchestrator.config import Config, LoadedConfig
from orchestrator.events import Listener, Notice
from orchestrator.models import EventRow

TEACHER_LINE: Final = "teacher: "
"""The start of the line that names the teacher of a run that is ready."""

_DEFAULTS: Final = Config()
_TIMEOUT: Final = "teacher.timeout"
_OWN: Final = ("teacher.model", "teacher.max_tokens", _TIMEOUT)
"""Settings of the local teacher, which a second look uses too."""


def report_unused_settings(loaded: LoadedConfig, listener: Listener) -> None:
    """Report the settings of the local teacher that a webhook teacher does not use.

    Args:
        loaded: the configuration, with the origin of each value.
        listener: receives a notice, if there is such a setting.
    """
    config = loaded.config
    changed = list(_iter_changed(loaded)) if config.teacher.mode == "webhook" else []
    if not changed:
        return
    user, used = "", []
    if config.teacher.fallback == "local":
        user, used = "the fallback", changed
    elif config.learning.second_look:
        user, used = "the second look", [each for each in changed if each in _OWN]
    unused = [each for each in changed if each not in used]
    effect = "without effect" if unused else f"only for {user}"
    names = ", ".join(
        f"{each} ({Path(loaded.find_origin(each)).name})" for each in unused or changed
    )
    parts = [f"{effect}, because teacher.mode is `webhook`: {names}"]
    if any(each != _TIMEOUT for each in changed):
        parts.append(
            "the workflow in n8n has its own model, max_tokens and prompts, and `orchestrator "
            "teacher workflow --update EXPORT` puts yours into it"
        )
    if _TIMEOUT in changed:
        parts.append("the webhook's time limit is n8n.timeout")
    if unused and used:
        parts.append(f"only {user} uses {', '.join(used)}")
    listener(Notice("; ".join(parts)))


def report_changed_teacher(rows: Sequence[EventRow], name: str, listener: Listener) -> None:
    """Report that a resumed run has another teacher than before, such as for want of a key.

    Args:
        rows: the run's recorded events, of earlier processes alone.
        name: the teacher's name now.
        listener: receives a notice, if it was another before.
    """
    before = next(filter(None, map(_find_teacher, reversed(rows))), name)
    if before != name:
        listener(Notice(f"the teacher is now {name}; before, it was {before}"))


def _find_teacher(row: EventRow) -> str:
    """Return the teacher that a row says is ready; empty if it says nothing about one."""
    if row.kind != "ready":
        return ""
    try:
        parts = json.loads(row.values)["parts"]
        lines = [str(part) for part in parts]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    found = (line.removeprefix(TEACHER_LINE) for line in lines if line.startswith(TEACHER_LINE))
    return next(found, "")


def _iter_changed(loaded: LoadedConfig) -> Iterator[str]:
    """Yield the settings of the local teacher that do not have their default value."""
    values = {key: value for key, value, _ in loaded.iter_values()}
    defaults = {key: value for key, value, _ in LoadedConfig(_DEFAULTS, {}, None).iter_values()}
    yield from (each for each in _OWN if values[each] != defaults[each])
    prompts = _DEFAULTS.resolve_prompts()
    for type_, prompt in loaded.config.resolve_prompts().items():
        if prompt != prompts[type_]:
            yield f"failure_prompts.{type_}"
