"""Reads the record of the runs that a test made."""

from orchestrator.models import RunRecord
from orchestrator.storage.runs import Store


def list_runs() -> list[RunRecord]:
    """List the runs in the state directory, the newest first."""
    with Store() as store:
        return [store.load_run(record.id) for record in store.list_runs()]


def get_last_run() -> RunRecord:
    """Return the newest run in the state directory."""
    with Store() as store:
        return store.load_run("last")
