"""Print events as JSON, one object per line, for programs that follow a run."""

import dataclasses
import json
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_jsonable_python

from orchestrator.cli.rule_lines import serialize_rule
from orchestrator.events import Event, event_name
from orchestrator.models import Rule

_print_lock = threading.Lock()


def print_json(event: Event) -> None:
    """Print one event: its name in snake case, the time of printing (UTC), and its fields."""
    line = json.dumps(
        {
            "event": event_name(event),
            "time": datetime.now(UTC).isoformat(),
            **to_jsonable_python(_convert_value(event), serialize_unknown=True),
        },
        ensure_ascii=True,
    )
    with _print_lock:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _convert_value(value: Any) -> Any:  # noqa: ANN401 -- whatever an event holds
    """Return the fields of a value; those of a rule as `rules list --json` has them."""
    if isinstance(value, Rule):
        return serialize_rule(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: _convert_value(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {key: _convert_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_convert_value(each) for each in value]
    return value
