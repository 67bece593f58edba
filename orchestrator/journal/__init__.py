"""Journals store the result of each finished step, so that a run can continue where it stopped.

- `database`: where DBOS stores them, and what SQLite needs for it
- `durable`: runs as DBOS workflows, and the journal of their steps
- `queues`, `service`: jobs for workers, as DBOS has them in its queues
- `fenced`: a step counts only while this process owns the run
- `memory`: a journal for tests
"""
