"""Store what is known about all runs: one database, and large files beside it.

    storage.location          finds the state directory, without a slow import
    storage.state_directory   names the folders in it, and makes errors when it cannot be used
    storage.schema            defines the tables
    storage.engines           connects to SQLite or Postgres
    storage.database          executes statements, in transactions
    storage.opening           opens the database, with its tables up to date
    storage.earlier_versions  imports the databases of earlier versions
    storage.runs              starts, claims, saves and finds runs
    storage.run_costs         sums up what each run has cost, from the ledger
    storage.killed_runs       ends what killed runs left running, and closes them
    storage.codec             converts results to JSON and back
    storage.packing           compresses that JSON
    storage.result_rows       writes a result as rows, to be queried in SQL
    storage.event_record      turns the events of a run into rows: short, and without secrets
    storage.event_log         writes and lists those rows
    storage.listing           reads what `orchestrator runs` shows, without decoding results
    storage.trust_store       remembers which settings of projects the user has trusted
    storage.retention         removes what is older than the retention period

This module imports nothing: a hook pays for `location` alone.
"""
