"""Workers and a list whose Postgres is started again in the middle of a job."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.models import RunOutcome
from tests.postgres import Server, make_database, restartable_server
from tests.services.fleet_world import FleetWorld, make_project, open_fleet

pytestmark = pytest.mark.whole
WORK = "note starts\nawait go\nwrite word.txt right"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")  # nobody is asked
    with restartable_server() as server:
        monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", make_database(server.url))
        yield server


@pytest.fixture
def fleet(server: Server, project: Path, tmp_path: Path) -> Iterator[FleetWorld]:
    make_project(project, tmp_path / "out")
    with open_fleet(project, tmp_path / "state", tmp_path / "out") as fleet:
        yield fleet


def test_a_job_outlives_an_absence_of_the_database(fleet: FleetWorld, server: Server) -> None:
    fleet.start("j1", WORK)
    fleet.start_worker()
    fleet.start_worker()  # it must not take the other one for dead when the server is back
    fleet.wait_for(lambda: fleet.read_notes("starts"))
    server.stop()
    (fleet.out / "go").touch()  # the run ends while there is no database
    time.sleep(3)
    server.start()
    end = fleet.wait("j1")
    assert end.outcome is RunOutcome.SOLVED, (end, fleet.read_log(0), fleet.read_log(1))
    assert len(fleet.read_notes("starts")) == 1
    assert (fleet.jobs.load_job("j1").token, fleet.jobs.load_job("j1").deaths) == (1, 0)
    fleet.start("j2", WORK)  # those that have been idle serve again
    assert fleet.wait("j2").outcome is RunOutcome.SOLVED


def test_a_worker_whose_database_stays_away_ends_its_agent_and_itself(
    fleet: FleetWorld, server: Server
) -> None:
    fleet.start("j1", WORK)
    worker = fleet.start_worker(away=3.0)
    fleet.wait_for(lambda: fleet.read_notes("starts"))
    server.stop()
    try:
        assert worker.wait(timeout=200) == 3, fleet.read_log(0)
    finally:
        server.start()
    (fleet.out / "go").touch()
    fleet.start_worker()
    assert fleet.wait("j1").outcome is RunOutcome.SOLVED
