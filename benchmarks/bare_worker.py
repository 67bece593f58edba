"""A worker of a bare DBOS queue: `python -m benchmarks.bare_worker URL LANES POLL`.

Nothing but DBOS: what our workers are compared with. It prints a line when it is ready, and ends
with its standard input.
"""

import subprocess
import sys
import uuid
from typing import Final

from dbos import DBOS

APPLICATION: Final = "bare"
QUEUE: Final = "bare"
VERSION: Final = "1"
WORKFLOW: Final = "bare"


@DBOS.workflow(name=WORKFLOW)  # type: ignore[untyped-decorator, unused-ignore]
def job(command: list[str]) -> int:
    """Run a command; none is done at once. It is no step: that would be one more write."""
    return subprocess.run(command, check=False).returncode if command else 0


def main(url: str, lanes: int, poll: float) -> None:
    """Serve the queue until standard input ends."""
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": url,
            "application_version": VERSION,
            "executor_id": uuid.uuid4().hex,
            "log_level": "CRITICAL",
        }
    )
    DBOS.listen_queues([QUEUE])
    DBOS.launch()
    DBOS.register_queue(
        QUEUE,
        worker_concurrency=lanes,
        global_concurrency=1000,
        polling_interval_sec=poll,
        on_conflict="never_update",
    )
    print("ready", flush=True)
    sys.stdin.read()
    DBOS.destroy()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
