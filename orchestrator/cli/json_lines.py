"""Print events as JSON, one object per line, for programs that follow a run."""

import dataclasses
import json
import sys
import threading
from datetime import UTC, datetime

from pydantic_core import to_jsonable_python

from orchestrator.events import Event, event_name

_print_lock = threading.Lock()


def print_json(event: Event) -> None:
    """Print one event: its name in snake case, the time of printing (UTC), and its fields."""
    line = json.dumps(
        {
            "event": event_name(event),
            "time": datetime.now(UTC).isoformat(),
            **to_jsonable_python(dataclasses.asdict(event), serialize_unknown=True),
        },
        ensure_ascii=True,
    )
    with _print_lock:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
