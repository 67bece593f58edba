"""Events as JSON, one object per line, for programs that watch a run."""

import dataclasses
import json
import sys
import threading
from datetime import UTC, datetime

from pydantic_core import to_jsonable_python

from orchestrator.events import Event, name_of

_writing = threading.Lock()


def print_json(event: Event) -> None:
    """Print one event: its name in snake case, the time of printing (UTC), and its fields."""
    line = json.dumps(
        {
            "event": name_of(event),
            "time": datetime.now(UTC).isoformat(),
            **to_jsonable_python(dataclasses.asdict(event), serialize_unknown=True),
        },
        ensure_ascii=True,
    )
    with _writing:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
