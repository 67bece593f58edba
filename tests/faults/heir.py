"""Carries on a run of which it knows nothing but the id and the state directory. Run as a child.

    python -m tests.faults.heir RUN STATE

It prints the run's events, and its exit code is the run's.
"""

import os
import sys
from pathlib import Path

from orchestrator import events
from orchestrator.errors import LoopError
from orchestrator.services.runs import exit_code
from orchestrator.services.workflows import Caller, execute_run


def print_event(event: events.Event) -> None:
    print(type(event).__name__, flush=True)


def main() -> int:
    run, state = sys.argv[1], Path(sys.argv[2])
    try:
        return exit_code(execute_run(run, Caller(state, os.environ, print_event)))
    except LoopError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
