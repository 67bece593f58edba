"""Build what runs a job's task in a lane of a worker: the same as on the user's machine."""

from collections.abc import Mapping
from pathlib import Path

from orchestrator import events
from orchestrator.config.masked_config import ConfigMasker, read_given
from orchestrator.masking import Masker
from orchestrator.services import wiring
from orchestrator.services.lane_runs import LaneRunner
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import ensure_masking_key
from orchestrator.tasks.fleet.models import JobRecord
from orchestrator.tasks.models import TaskEnd, TaskOrder
from orchestrator.workspace.lanes import LaneRepository


class WorkerRunner:
    """A runner of lanes with a connection of its own to the record, which `close` ends."""

    def __init__(self, runner: LaneRunner, store: Store) -> None:
        self._runner, self._store = runner, store

    def start(self, order: TaskOrder) -> None:
        """Start a run."""
        self._runner.start(order)

    def poll(self, run: str) -> TaskEnd | None:
        """Return what came of a run, or None while it works."""
        return self._runner.poll(run)

    def interrupt(self, run: str) -> None:
        """End the processes of a run."""
        self._runner.interrupt(run)

    def find_lane(self, run: str) -> Path | None:
        """Return the folder that a run works in."""
        return self._runner.find_lane(run)

    def close(self) -> None:
        """End all processes, and the connection."""
        try:
            self._runner.close()
        finally:
            self._store.close()


def build_lane_runner(
    record: JobRecord, repository: LaneRepository, state: Path, environment: Mapping[str, str]
) -> WorkerRunner:
    """Build the runner of a job.

    The user's keys do not travel: values that were withheld are those of this worker, and are
    masked again with its own key.

    Raises:
        UsageError: a secret is missing here.
    """
    job = record.job
    keeper = ConfigMasker(Masker(), ensure_masking_key(state))
    config = keeper.adopt_config(job.config, repository.folder.parent, environment)
    masker = wiring.build_masker(config, environment, state)
    own = ConfigMasker(masker, keeper.key).mask_config(config, given=read_given(job.config))
    store = Store(state)
    try:
        runner = LaneRunner(
            *(job.project, own, repository, store),
            listener=_ignore_event,
            environment=environment,
        )
    except BaseException:
        store.close()
        raise
    return WorkerRunner(runner, store)


def _ignore_event(_event: events.Event) -> None:
    """Do nothing: what a run does is in its record."""
