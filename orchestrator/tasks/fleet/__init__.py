"""Jobs for other machines, the workers that do them, and the reaper of dead workers.

    list -> jobs (row) -> queue (journal.queues) -> worker -> result in the row, code as git refs

A job is one run of one task. Its row counts how often it was claimed: the *token*. Whoever holds
the latest token may save a result; a worker that was taken for dead and wakes up finds that its own
is no longer the latest, and its result is dropped.

- models: jobs and workers
- jobs: the rows of jobs, and who owns one
- workers: the rows of workers, and which of them live
- reaper: returns the jobs of dead workers to the queue
"""
