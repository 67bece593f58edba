"""Starts or resumes a run, and kills its own process at a given event. Run as a child.

    python -m tests.faults.driver PROJECT URL (start | resume) [EVENT_NUMBER]

Each event is a boundary: some are told before a step's work, some after it and before its result
is kept. Without a number the run goes to its end, and the exit code is the run's.
"""

import os
import signal
import sys
from pathlib import Path

from orchestrator import events
from orchestrator.services.runs import exit_code, resume_run, start_run

TASK = "Make answer() return the right number."


class KillingListener:
    """A listener that counts events and kills the process at one of them."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self, event: events.Event) -> None:
        print(type(event).__name__, flush=True)
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    project, url, action = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    listener = KillingListener(int(sys.argv[4]) if len(sys.argv) > 4 else -1)
    os.environ["ANTHROPIC_BASE_URL"] = url
    os.environ["ANTHROPIC_API_KEY"] = "a-key-for-tests"
    if action == "start":
        return exit_code(start_run(TASK, project, listener=listener))
    return exit_code(resume_run("last", listener=listener))


if __name__ == "__main__":
    sys.exit(main())
