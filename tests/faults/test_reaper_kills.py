"""A reaper that dies before each of its writes: the next one does what is left, once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.journal.durable import close_engine
from orchestrator.storage.opening import open_database
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.fleet.models import JobStatus
from orchestrator.tasks.fleet.reaper import Reaper
from tests.faults.test_worker_kills import keep_fleet_figures
from tests.tasks.fleet.test_stores import JOB

pytestmark = pytest.mark.kills
ROOT = Path(__file__).parents[2]
DIES = """
import itertools, os, signal, sys
from pathlib import Path
from orchestrator.journal import queues
from orchestrator.storage import engines
from orchestrator.storage.opening import open_database
from orchestrator.tasks.fleet.reaper import Reaper
state, at = Path(sys.argv[1]), int(sys.argv[2])
numbers = itertools.count(1)
def count():
    if next(numbers) == at:
        os.kill(os.getpid(), signal.SIGKILL)
def wrap(owner, name, counts):
    real = getattr(owner, name)
    def counted(*args):
        if counts(*args):
            count()
        return real(*args)
    setattr(owner, name, counted)
with open_database(state) as database:
    wrap(engines.SQLite, "execute", lambda _engine, statement, _values: statement == "COMMIT")
    for name in ("return_job", "drop_job", "enqueue_job"):
        wrap(queues, name, lambda *_: True)
    Reaper(database, "w2").reap_jobs()
    count()
os._exit(0)
"""


@pytest.mark.parametrize("deaths", [pytest.param(0, marks=pytest.mark.kills_sample), 2])
def test_a_dead_worker_is_counted_once_wherever_its_reaper_dies(
    tmp_path: Path, deaths: int
) -> None:
    kills = 0
    for at in range(1, 20):
        state = tmp_path / str(at)
        with open_database(state) as database:
            jobs = JobStore(database)
            jobs.create_job(JOB)
            jobs.claim_job("j1", "w1")
            database.write("UPDATE jobs SET deaths = ?", (deaths,))
        argv = [sys.executable, "-c", DIES, str(state), str(at)]
        code = subprocess.run(argv, cwd=ROOT, env=dict(os.environ), check=False).returncode
        assert code in (0, -signal.SIGKILL)
        kills += code == -signal.SIGKILL
        with open_database(state) as database:
            Reaper(database, "w3").reap_jobs()
            found = JobStore(database).load_job("j1")
            is_ended = deaths == 2
            assert found.status is (JobStatus.ENDED if is_ended else JobStatus.QUEUED)
            assert found.deaths == deaths + 1
            assert found.token == 2
        close_engine()
        if code == 0:
            break
    assert kills >= 2
    keep_fleet_figures(f"reaper-{deaths}", kills, kills)
