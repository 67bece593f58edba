"""Open what runs a job's task in a lane of a worker: the same as on the user's machine."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator import events
from orchestrator.config.masked_config import ConfigMasker, read_given
from orchestrator.masking import Masker
from orchestrator.services import wiring
from orchestrator.services.lane_runs import LaneRunner
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import ensure_masking_key
from orchestrator.tasks.fleet.models import JobRecord
from orchestrator.workspace.lanes import LaneRepository


@contextlib.contextmanager
def open_lane_runner(
    record: JobRecord, repository: LaneRepository, state: Path, environment: Mapping[str, str]
) -> Iterator[LaneRunner]:
    """Run lanes for a job while the block runs, with a connection of its own to the record.

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
    with Store(state) as store:
        runner = LaneRunner(
            *(job.project, own, repository, store),
            listener=_ignore_event,
            environment=environment,
        )
        try:
            yield runner
        finally:
            runner.close()


def _ignore_event(_event: events.Event) -> None:
    """Do nothing: what a run does is in its record."""
