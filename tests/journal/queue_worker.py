"""A worker of the queue whose jobs write what happens to a file.

python -m tests.journal.queue_worker STATE WORKER LANES SECONDS LOG [VERSION]
"""

import sys
import threading
import time
from pathlib import Path

from orchestrator.journal import durable, queues


def main(state: str, worker: str, lanes: str, seconds: str, log: str, version: str = "") -> None:
    if version:
        vars(durable)["RUN_FORMAT"] = version

    def note(text: str) -> None:
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")

    def execute(entry: queues.QueueEntry) -> None:
        job = entry.job
        note(f"start {job} {worker} {time.time()}")
        time.sleep(float(seconds))
        note(f"end {job} {worker} {time.time()}")

    service = queues.JobService(int(lanes), execute)
    limits = queues.QueueLimits(20)
    with queues.serve_queue(Path(state), worker, service, limits):
        note(f"serves {worker}")
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
