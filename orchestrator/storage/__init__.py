"""The record of everything that is known: one database, and large files beside it.

    storage.location    where the state directory is, cheap enough for a hook
    storage.place       the folders in it, and the errors when they cannot be used
    storage.schema      the tables, and how they came to be
    storage.database    connections, transactions, and failures in words
    storage.takeover    takes the databases of earlier versions over
    storage.listing     runs as `orchestrator runs` lists them
    storage.runs        runs, attempts, and what became of them
    storage.result_rows a run's result as rows
    storage.event_log   what happened in a run, in order
    storage.retention   removes what has been kept long enough

`__init__` imports nothing: a hook pays for `location` alone.
"""
