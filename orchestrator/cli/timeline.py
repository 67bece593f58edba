"""Print the events of a recorded run, as a timeline or as JSON."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.cli.values import format_dollars, format_duration, format_tokens, sanitize_text
from orchestrator.counts import format_count
from orchestrator.models import EventRow

_MAX_WIDTH: Final = 200
"""Characters of a line's text."""
_MAX_ITEMS: Final = 3

_TEXTS: Final = {
    "notice": ("note", "{text}"),
    "ready": ("ready", "{parts}"),
    "run_planned": ("plan", "{command}; at most {max_attempts}, {max_cost_usd}; paid by {payers}"),
    "run_started": ("run", "{resumed} {task}"),
    "step_started": ("step", "{name}"),
    "attempt_started": ("start", "at most {of}"),
    "agent_spoke": ("says", "{text}"),
    "tool_used": ("tool", "{tool} {detail}"),
    "tool_ended": ("tool", "{tool} {how}"),
    "agent_waiting": ("waits", "{reason}"),
    "agent_finished": ("agent", "{outcome}, {turns}, {tokens}, {cost_usd}, {seconds}"),
    "diff_taken": ("changed", "{summary}: {changes}"),
    "tampered": ("guard", "{findings}"),
    "files_guarded": ("guard", "{files} guarded"),
    "case_finished": ("case", "{id} {outcome}: {message}"),
    "suite_finished": ("suite", "{summary}, {seconds}"),
    "judged": ("verdict", "{kind} {message}"),
    "teaching_started": ("teacher", "asked about: {summary}"),
    "lesson_learned": ("teacher", "{action}: {reason}"),
    "rule_written": ("rule", "{rule} {change} {reason}"),
    "attempt_finished": ("end", "{outcome} {message}, {seconds}"),
    "run_ended": ("run", "{outcome} {message}, {tokens}, {cost_usd}, {seconds}"),
}
"""The label and the text of each kind of event."""

_FORMATTERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "seconds": lambda value: format_duration(float(value)),
    "tokens": lambda value: format_tokens(int(value)),
    "cost_usd": lambda value: value if isinstance(value, str) else format_dollars(float(value)),
    "max_cost_usd": lambda value: format_dollars(float(value)),
    "max_attempts": lambda value: format_count(int(value), "attempt"),
    "turns": lambda value: format_count(int(value), "turn"),
    "files": lambda value: format_count(int(value), "file"),
    "of": lambda value: format_count(int(value), "attempt"),
    "resumed": lambda value: "resumed:" if value else "started:",
}
"""Values that are shown in another form than they are stored in."""


def iter_lines(rows: Sequence[EventRow]) -> Iterator[str]:
    """Yield a line for each event; a tool call has its end on its own line."""
    if not rows:
        yield "no events are on record for this run"
        return
    read = [(row, _parse_values(row)) for row in rows]
    if is_scripted(rows):
        read = [(row, {**values, **_replace_cost(values)}) for row, values in read]
    ends = {values["id"]: values for row, values in read if _is_end(row, values)}
    started = {values.get("id") for row, values in read if row.kind == "tool_used"}
    for row, values in read:
        if _is_end(row, values) and values["id"] in started:
            continue
        attempt = f"attempt {row.attempt}" if row.attempt else ""
        label, text = _describe_event(row.kind, values, ends)
        yield f"{_format_time(row.at)}  {attempt:<10} {label:<8} {_flatten_text(text)}".rstrip()


def is_scripted(rows: Sequence[EventRow]) -> bool:
    """Return whether the replies of a run's model were scripted, so that nobody paid."""
    planned = [_parse_values(row) for row in rows if row.kind == "run_planned"]
    return any(values.get("is_scripted") is True for values in planned)


def _replace_cost(values: Mapping[str, Any]) -> dict[str, str]:
    return {"cost_usd": "nothing was paid"} if "cost_usd" in values else {}


def iter_json_lines(run: str, rows: Sequence[EventRow]) -> Iterator[str]:
    """Yield a JSON object for each event."""
    for row in rows:
        shown = {"run": run, **vars(row), "values": _parse_values(row)}
        yield json.dumps(shown, ensure_ascii=True)


def _parse_values(row: EventRow) -> dict[str, Any]:
    try:
        values = json.loads(row.values)
    except (ValueError, RecursionError):
        values = None
    return values if isinstance(values, dict) else {"text": row.values}


def _is_end(row: EventRow, values: Mapping[str, Any]) -> bool:
    return row.kind == "tool_ended" and bool(values.get("id"))


def _describe_event(
    kind: str, values: Mapping[str, Any], ends: Mapping[str, Mapping[str, Any]]
) -> tuple[str, str]:
    if kind not in _TEXTS:  # written by a later version
        return kind, ", ".join(f"{name}: {value}" for name, value in values.items())
    label, template = _TEXTS[kind]
    if kind == "suite_finished" and values.get("baseline"):
        label = "baseline"
    if kind == "suite_finished" and values.get("before_attempt"):
        label = "before"
    if kind == "attempt_started" and values.get("resumed"):
        template = "goes on after an interruption"
    text = template.format_map(_DisplayValues({**values, "how": _describe_end(values)}))
    if kind == "tool_used" and (end := ends.get(values.get("id", ""))):
        text = f"{_truncate_text(text)}: {_describe_end(end)}"
    return label, text


def _describe_end(end: Mapping[str, Any]) -> str:
    """Say how a tool call ended."""
    how = "refused" if end.get("refused") else "failed" if end.get("failed") else "done"
    took = f" in {format_duration(float(end['seconds']))}" if end.get("seconds") else ""
    return f"{how}{took}" + (f" ({end['why']})" if end.get("why") else "")


class _DisplayValues(dict[str, Any]):
    """Values for `format_map`, formatted for people; a missing one is empty."""

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            return ""
        if name in _FORMATTERS:
            return _FORMATTERS[name](value)
        if isinstance(value, list):
            shown = value if name == "parts" else value[:_MAX_ITEMS]
            more = ", ..." if len(value) > len(shown) else ""
            return ", ".join(map(_format_item, shown)) + more
        return str(value)


def _format_item(value: object) -> str:
    """Return an item of a list as text: of an object, its values."""
    return ": ".join(map(str, value.values())) if isinstance(value, dict) else str(value)


def _format_time(at: str) -> str:
    try:
        return f"{datetime.fromisoformat(at).astimezone():%H:%M:%S}"
    except ValueError:
        return at


def _flatten_text(text: str) -> str:
    # An empty value leaves the punctuation of its template behind.
    return _truncate_text(" ".join(sanitize_text(text).split()).replace(" ,", ",").rstrip(":, "))


def _truncate_text(text: str) -> str:
    return text if len(text) <= _MAX_WIDTH else f"{text[:_MAX_WIDTH]}..."
