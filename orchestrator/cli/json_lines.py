"""Events as JSON, one object per line, for programs that watch a run."""

import dataclasses
import json
import re
import sys
import threading
from datetime import UTC, datetime

from pydantic_core import to_jsonable_python

from orchestrator.events import Event

_writing = threading.Lock()


def print_json(event: Event) -> None:
    """Print one event: its name in snake case, the time (UTC), and its fields."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    line = json.dumps(
        {
            "event": name,
            "time": datetime.now(UTC).isoformat(),
            **to_jsonable_python(dataclasses.asdict(event), serialize_unknown=True),
        },
        ensure_ascii=True,
    )
    with _writing:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
