"""Each session of our agents is recorded before it starts, and those that it starts are ours."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.sessions.reading.own_sessions import (
    OwnSessions,
    load_own_sessions,
    name_run,
    record_own_session,
)
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database

pytestmark = pytest.mark.usefixtures("each_database")
LATER = timedelta(seconds=2)
MARGIN = timedelta(minutes=30)


def iso(at: datetime) -> str:
    """Return a time as it stands in a transcript."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_one(database: Database) -> tuple[OwnSessions, datetime]:
    found = load_own_sessions(database, {})
    assert len(found.sessions) == 1
    return found, found.sessions[0].started


def test_a_session_is_recorded_before_it_starts_and_at_its_end(tmp_path: Path) -> None:
    with open_database(tmp_path / "state") as database:
        with record_own_session(database, "one", tmp_path):
            found, started = read_one(database)
            assert found.ids == {"one"}
            assert found.sessions[0].ended is None
            assert found.is_child(str(tmp_path), iso(started + LATER))
            assert found.is_child(str(tmp_path / "below"), iso(started + LATER))
            assert not found.is_child(str(tmp_path.parent), iso(started + LATER))
            assert not found.is_child(f"{tmp_path}-other", iso(started + LATER))
            assert not found.is_child(str(tmp_path), iso(started - LATER))
            assert not found.is_child(str(tmp_path), "no time")
            assert not found.is_child("", iso(started))
        found, started = read_one(database)
        assert found.sessions[0].ended is not None
        assert not found.is_child(str(tmp_path), iso(started + timedelta(hours=1)))


def test_an_error_in_a_session_ends_it(tmp_path: Path) -> None:
    with open_database(tmp_path / "state") as database:
        with pytest.raises(KeyboardInterrupt), record_own_session(database, "one", tmp_path):
            raise KeyboardInterrupt
        assert load_own_sessions(database, {}).sessions[0].ended is not None


def test_the_session_of_a_killed_process_ended_when_it_was_written_last(tmp_path: Path) -> None:
    started = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
    with open_database(tmp_path / "state") as database:
        for session in ("one", "two"):
            database.write(
                "INSERT INTO own_sessions (id, folder, started, host, process, process_started)"
                " VALUES (?, ?, ?, '', 1, -1)",
                (session, str(tmp_path), started.isoformat()),
            )
        # The mark is of this machine, as one of another cannot be checked.
        import platform

        database.write("UPDATE own_sessions SET host = ?", (platform.node(),))
        last = started + timedelta(minutes=5)
        found = load_own_sessions(database, {"one": last.timestamp()})
        ends = {each.id: each.ended for each in found.sessions}
        assert ends["one"] == last + MARGIN
        assert ends["two"] is not None
        assert ends["two"] > last + MARGIN
        assert load_own_sessions(database, {}) == found


def test_what_inherits_from_the_agent_is_a_child_in_any_folder(tmp_path: Path) -> None:
    with open_database(tmp_path / "state") as database:
        with record_own_session(database, "one", tmp_path / "shop"):
            found, started = read_one(database)
        at = iso(started)
        assert found.is_child(str(tmp_path / "other"), at, "sdk-py")
        assert not found.is_child(str(tmp_path / "other"), at, "sdk-cli")
        assert not found.is_child(str(tmp_path / "other"), iso(started - LATER), "sdk-py")


def test_a_killed_run_ended_soon_after_its_last_event(tmp_path: Path) -> None:
    import platform

    started = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
    last = started + timedelta(minutes=5)
    with open_database(tmp_path / "state") as database:
        database.write(
            "INSERT INTO own_sessions (id, folder, started, host, process, process_started)"
            " VALUES (?, ?, ?, ?, 1, -1)",
            (name_run("r1", 2), str(tmp_path), started.isoformat(), platform.node()),
        )
        database.write("INSERT INTO events VALUES ('r1', 1, 1, ?, 'x', '{}')", (last.isoformat(),))
        found = load_own_sessions(database, {})
        assert found.sessions[0].ended == last + MARGIN
        assert found.is_child(str(tmp_path), iso(last + MARGIN - LATER))
        assert not found.is_child(str(tmp_path), iso(last + MARGIN + LATER))
