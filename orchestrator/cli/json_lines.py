"""Print events as JSON, one object per line, for programs that follow a run."""

import dataclasses
import json
import os
import sys
import threading
from datetime import UTC, datetime

from pydantic_core import to_jsonable_python

from orchestrator.events import Event, event_name

_print_lock = threading.Lock()


def print_json(event: Event) -> None:
    """Print one event: its name in snake case, the time of printing (UTC), and its fields.

    Raises:
        SystemExit: the reader of standard output is gone, so nobody follows the run any more.
    """
    line = json.dumps(
        {
            "event": event_name(event),
            "time": datetime.now(UTC).isoformat(),
            **to_jsonable_python(dataclasses.asdict(event), serialize_unknown=True),
        },
        ensure_ascii=True,
    )
    with _print_lock:
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes the buffer at exit, and would report the broken pipe once again there.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
