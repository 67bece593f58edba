"""A worker of our queue whose jobs are instant: `python -m benchmarks.our_worker STATE LANES`.

All that the queue does for a job is done: the claim with a token, the result that is stored for the
token, the lock that proves life, the row of the worker, the look for dead ones. Only the lane, the
agent and git are missing. It prints a line when it is ready, and ends with its standard input.
"""

import contextlib
import sys
import threading
from pathlib import Path

from orchestrator.journal import queues
from orchestrator.models import RunOutcome
from orchestrator.services.workers import WorkerTimes
from orchestrator.storage.opening import open_database
from orchestrator.storage.process_locks import hold_lock
from orchestrator.storage.runs import RUN_FORMAT
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.fleet.models import WorkerState
from orchestrator.tasks.fleet.reaper import Reaper
from orchestrator.tasks.fleet.workers import WorkerStore, create_worker_id
from orchestrator.tasks.models import TaskEnd


def main(state: Path, lanes: int) -> None:
    """Serve the queue until standard input ends."""
    worker, times, stop = create_worker_id(), WorkerTimes(), threading.Event()
    with open_database(state) as database:
        jobs, workers, reaper = JobStore(database), WorkerStore(database), Reaper(database, worker)

        def execute_job(entry: queues.QueueEntry) -> None:
            if record := jobs.claim_job(entry.job, worker):
                jobs.save_end(entry.job, record.token, TaskEnd(RunOutcome.SOLVED))

        def look_after() -> None:
            seconds = 0.0
            while not stop.wait(times.seen):
                workers.see_worker(worker, WorkerState.SERVING)
                seconds += times.seen
                if seconds >= times.reap:
                    seconds = 0.0
                    reaper.reap_jobs()

        workers.register_worker(worker, RUN_FORMAT, lanes)
        lock = hold_lock(database, worker)
        service = queues.JobService(lanes, execute_job)
        with (
            contextlib.ExitStack() as stack,
            queues.serve_queue(state, worker, service, queues.QueueLimits(1000)),
        ):
            stack.callback(lock.release)
            thread = threading.Thread(target=look_after)
            thread.start()
            print("ready", flush=True)
            sys.stdin.read()
            stop.set()
            thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
