"""The measurements of a fleet run, on a small one, and their figures are complete."""

import pytest

from benchmarks import fleet_limits, queue
from benchmarks.fleet_limits import Size


@pytest.mark.whole
@pytest.mark.long
def test_the_limits_of_a_small_fleet_are_measured() -> None:
    shown: list[str] = []
    table = fleet_limits.measure(Size(4, 40, 40, 3.0), shown.append)
    figures = {what: figure for what, figure, _ in table.rows}
    assert figures["long jobs, no limit of all"].startswith("8 of 8 lanes busy")
    held = [figure for what, figure in figures.items() if what.startswith("connections of")]
    assert len(held) == 3
    assert not any(each.startswith("0") for each in held)
    assert any("idx_workflow_status" in line for line in shown)


@pytest.mark.whole
@pytest.mark.long
def test_the_queue_is_measured_beside_a_bare_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "JOBS", 8)
    monkeypatch.setattr(queue, "ROUNDS", 2)
    monkeypatch.setattr(queue, "LANES", (4,))
    table = queue.measure()
    assert [row[0] for row in table.rows] == [
        "bare DBOS, SQLite, 4 lanes",
        "ours, SQLite, 4 lanes",
        "bare DBOS, Postgres, 4 lanes",
        "ours, Postgres, 4 lanes",
    ]
    assert all(float(row[2].removesuffix("x")) == 1 for row in table.rows[::2])
