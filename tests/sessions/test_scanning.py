"""Only what has changed is read again, and what is stored is what a scan of everything stores."""

import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.claude_environment import create_session_id
from orchestrator.errors import InfrastructureError
from orchestrator.masking import Masker
from orchestrator.sessions.detectors.occurrences import MOST_OF_QUOTE, Detector, Occurrence
from orchestrator.sessions.models import Session
from orchestrator.sessions.reading.own_sessions import record_own_session
from orchestrator.sessions.store import family_scan, watermarks
from orchestrator.sessions.store.listing import find_session, list_sessions
from orchestrator.sessions.store.records import SessionRecord, load_occurrences, write_sessions
from orchestrator.sessions.store.scanning import scan_transcripts
from orchestrator.sessions.store.session_counts import count_sessions, count_unreadable_rows
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from tests.sessions.written import (
    Written,
    read_tables,
    scan,
    scan_afresh,
    write_shop_session,
)

SECRET = "hunter2Suite99"


@pytest.mark.usefixtures("each_database")
def test_a_session_is_stored_and_not_read_again(tmp_path: Path) -> None:
    home = tmp_path / "claude"
    write_shop_session(home, "one")
    with open_database(tmp_path / "state") as database:
        first = scan(database, home)
        assert (first.families, first.read, first.unchanged) == (1, 1, 0)
        assert (first.sessions, first.problems) == ({"human": 1}, ())
        (found,) = list_sessions(database)
        assert (found.id, found.kind, found.project) == ("one", "human", "/home/dev/shop")
        assert (found.prompts, found.tool_calls, found.errors) == (1, 4, 2)
        assert (found.title, found.tests) == ("Please make the cart work", "green")
        assert (found.paths, found.output_tokens) == (("cart.py",), 100)
        stored = read_tables(database)
        second = scan(database, home)
        assert (second.read, second.unchanged, second.rows) == (0, 1, 0)
        assert read_tables(database) == stored


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans()), min_size=1, max_size=8
)


@given(STEPS)
def test_many_scans_store_what_one_scan_stores(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    base = tmp_path_factory.mktemp("scan")
    home = base / "claude"
    made = [Written(home, f"s{number}") for number in range(3)]
    with open_database(base / "state") as database:
        for number, action, is_scanned in steps:
            one = made[number]
            if action == 0:
                one.prompt(f"prompt {one.minute}")
            elif action == 1:
                one.call("Bash", {"command": "make all"}, "error: no rule", error=True)
            elif action == 2:
                one.reply("done")
            else:
                one.rows = one.rows[:-1]  # rewritten, and shorter
            one.save()
            if is_scanned:
                scan(database, home)
        scan(database, home)
        assert read_tables(database) == scan_afresh(home, base / "fresh")


def test_the_rows_of_a_fork_count_once(tmp_path: Path) -> None:
    home = tmp_path / "claude"
    original = write_shop_session(home, "one")
    fork = Written(home, "two", minute=50)
    copies = [json.loads(row) | {"sessionId": "two"} for row in original.rows]
    for copy in copies:
        if copy["type"] == "assistant":
            copy["requestSessionId"] = "one"
    fork.rows = [json.dumps(row).encode() for row in copies]
    fork.prompt("And now the other way")
    fork.reply("Done.")
    for made, cost in ((original, 0.5), (fork, 0.7)):
        row = {"type": "cost-state", "sessionId": made.session, "totalCostUSD": cost}
        made.rows.append(json.dumps(row).encode())
        made.save()
    with open_database(tmp_path / "state") as database:
        for _ in range(2):
            scan(database, home)
            assert find_session(database, "one").output_tokens == 100
            assert find_session(database, "two").output_tokens == 20
            assert find_session(database, "two").prompts == 1
            # A fork goes on counting at the cost of its original.
            assert find_session(database, "one").cost_usd == 0.5
            assert find_session(database, "two").cost_usd is None
            fork.reply("One more.")  # only the fork is read again, and again without the copies
            fork.rows.pop()
            fork.save()


def test_an_incomplete_last_line_is_read_when_it_is_complete(tmp_path: Path) -> None:
    home = tmp_path / "claude"
    made = write_shop_session(home, "one")
    whole = made.path.read_bytes()
    made.path.write_bytes(whole[:-30])
    with open_database(tmp_path / "state") as database:
        scan(database, home)
        assert find_session(database, "one").output_tokens == 80  # without the last answer
        made.path.write_bytes(whole)
        assert scan(database, home).read == 1
        assert read_tables(database) == scan_afresh(home, tmp_path / "fresh")


@pytest.mark.usefixtures("each_database")
def test_what_is_gone_stays_on_record(tmp_path: Path) -> None:
    home = tmp_path / "claude"
    made = write_shop_session(home, "one")
    agent = Written(home, "one", minute=30)
    agent.call("Bash", {"command": "make all"}, "error: no rule", error=True)
    folder = made.path.with_suffix("") / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-a1.jsonl").write_bytes(b"\n".join(agent.rows) + b"\n")
    with open_database(tmp_path / "state") as database:
        scan(database, home)
        stored = read_tables(database)
        made.path.unlink()
        assert scan(database, home).read == 0
        # Now the subagent's file changes, and its session cannot be read any more.
        (folder / "agent-a1.jsonl").write_bytes(agent.rows[0] + b"\n")
        assert scan(database, home).read == 1
        assert scan(database, home).read == 0
        assert read_tables(database) == stored
        shutil.rmtree(home / "projects")
        (home / "projects").mkdir()
        assert scan(database, home).vanished == 1
        assert read_tables(database) == stored
        assert scan(database, tmp_path / "other").vanished == 0


def test_a_new_version_of_the_reader_reads_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "claude"
    write_shop_session(home, "one")
    with open_database(tmp_path / "state") as database:
        scan(database, home)
        for module in (watermarks, family_scan):
            monkeypatch.setattr(module, "READER_VERSION", "next")
        assert scan(database, home).read == 1
        assert scan(database, home).read == 0


def test_our_own_sessions_are_ours(tmp_path: Path) -> None:
    home, state = tmp_path / "claude", tmp_path / "state"
    now = datetime.now(UTC)
    with open_database(state) as database:
        with record_own_session(database, "of-our-agent", tmp_path):
            pass
        # As long as it was open, two programs and a person worked in its folder.
        database.write("UPDATE own_sessions SET started = ?", ("2026-11-20T10:00:00+00:00",))
        database.write("UPDATE own_sessions SET ended = ?", ("2026-11-20T10:30:00+00:00",))
        here = str(tmp_path)
        write_shop_session(home, "of-our-agent", source="sdk", folder=here)
        write_shop_session(home, create_session_id(), source="sdk")
        write_shop_session(home, "child", source="sdk", folder=here, minute=5)
        write_shop_session(home, "later", source="sdk", folder=here, minute=40)
        write_shop_session(home, "elsewhere", source="sdk", minute=5)
        write_shop_session(home, "person", folder=here, minute=5)
        write_shop_session(home, "in-a-work-tree", folder=str(state / "worktrees" / "x"))
        result = scan(database, home)
        assert result.sessions == {"headless": 2, "human": 1, "own": 4}
        kinds = {each.id: each.kind for each in list_sessions(database)}
        assert (kinds["child"], kinds["later"], kinds["person"]) == ("own", "headless", "human")
        taught = {each.session for each in load_occurrences(database)}
        assert taught <= {"later", "elsewhere", "person"}
        assert list_sessions(database, since=now - timedelta(days=1)) == []


def make_occurrence(session: Session) -> list[Occurrence]:
    quote = f"DB_PASSWORD={SECRET} " + "x" * 2_000
    detail: dict[str, Any] = {"command": [f"export DB_PASSWORD={SECRET}"], "count": 3}
    row = session.main.entries[0].row
    return [Occurrence(Detector.REPEATED_ERROR, "key", row, session.started, quote, detail=detail)]


def test_texts_are_masked_before_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family_scan, "DETECTORS", (make_occurrence,))
    home = tmp_path / "claude"
    made = Written(home, "one")
    made.prompt(f"Use DB_PASSWORD={SECRET} for this")
    made.save()
    with open_database(tmp_path / "state") as database:
        scan(database, home)
        (found,) = load_occurrences(database)
        assert len(found.quote) <= MOST_OF_QUOTE
        assert found.quote.startswith("DB_PASSWORD=[redacted: ")
        assert (found.session, found.project) == ("one", "/home/dev/shop")
        assert found.detail["count"] == 3
        assert SECRET not in repr(read_tables(database))
        assert load_occurrences(database, project="/elsewhere") == []
        assert load_occurrences(database, since="2026-11-21") == []
        assert load_occurrences(database, until="2026-11-21") == [found]


def test_names_and_paths_are_masked(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6" * 3
    home = tmp_path / "claude"
    made = write_shop_session(home, "one", folder=f"/home/dev/{secret}")
    for at, text in enumerate(made.rows):
        row = json.loads(text) | {"version": f"2.1-{secret}"}
        if row["type"] == "assistant":
            row["message"]["model"] = f"m-{secret}" + "x" * 500
        made.rows[at] = json.dumps(row).encode()
    made.save()
    with open_database(tmp_path / "state") as database:
        scan(database, home)
        (found,) = list_sessions(database, project=f"/home/dev/{secret}")
        assert secret not in repr(found)
        assert found.project.startswith("/home/dev/")
        assert max(map(len, found.models)) <= 100
        columns = database.fetch_rows("SELECT versions, models FROM sessions")
        columns += database.fetch_rows("SELECT version, model FROM session_tasks")
        assert secret not in repr(columns)


def test_an_error_in_one_session_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(session: Session) -> list[Occurrence]:
        if session.id == "one":
            raise ValueError("odd\nrow")
        return make_occurrence(session)

    monkeypatch.setattr(family_scan, "DETECTORS", (fail,))
    home = tmp_path / "claude"
    write_shop_session(home, "one")
    write_shop_session(home, "two")
    with open_database(tmp_path / "state") as database:
        result = scan(database, home)
        assert [(each.location, each.reason) for each in result.problems] == [
            ("session one", "ValueError: odd row")
        ]
        assert {each.session for each in load_occurrences(database)} == {"two"}
        assert {each.id for each in list_sessions(database)} == {"one", "two"}


def test_odd_names_are_no_reason_to_read_again(tmp_path: Path) -> None:
    home = tmp_path / "claude"
    folder = home / "projects" / "-home-dev-größe \udcff"
    try:
        folder.mkdir(parents=True)
    except OSError:
        pytest.skip("this file system stores no such names")
    made = write_shop_session(tmp_path / "other", "one")
    shutil.move(made.path, folder / "one.jsonl")
    with open_database(tmp_path / "state") as database:
        assert scan(database, home).read == 1
        assert scan(database, home).read == 0
        assert len(list_sessions(database)) == 1


def test_the_project_is_the_top_of_the_work_tree(tmp_path: Path) -> None:
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    (tmp_path / "shop" / "web").mkdir()
    home = tmp_path / "claude"
    write_shop_session(home, "one", folder=str(tmp_path / "shop" / "web"))
    write_shop_session(home, "two", folder="")
    with open_database(tmp_path / "state") as database:
        scan(database, home)
        assert find_session(database, "one").project == str(tmp_path / "shop")
        assert find_session(database, "two").project == ""


@pytest.mark.usefixtures("each_database")
def test_odd_numbers_count_as_not_said(tmp_path: Path) -> None:
    home = tmp_path / "claude"
    made = write_shop_session(home, "one")
    odd = {"input_tokens": 10**30, "output_tokens": -5, "cache_read_input_tokens": 1 << 52}
    for _ in range(4):
        made.reply("odd")
        row = json.loads(made.rows.pop())
        row["message"]["usage"] = odd
        made.rows.append(json.dumps(row).encode())
    for cost in (0.5, -1e308, 1 << 70):
        cost_row = {"type": "cost-state", "sessionId": "one", "totalCostUSD": cost}
        made.rows.append(json.dumps(cost_row).encode())
    made.save()
    with open_database(tmp_path / "state") as database:
        assert scan(database, home).problems == ()
        found = find_session(database, "one")
        assert (found.input_tokens, found.output_tokens) == (50, 100)
        assert (found.cache_read_tokens, found.cost_usd) == (1 << 53, 0.5)


@pytest.mark.usefixtures("each_database")
def test_two_names_that_are_stored_alike_are_one_session(tmp_path: Path) -> None:
    home = tmp_path / "claude"
    made = Written(home, "one")
    for name in ("ab", "a\0b", "\0"):
        made.session = name
        made.prompt(f"prompt of {made.minute}")
    made.session = "one"
    made.save()
    with open_database(tmp_path / "state") as database:
        assert scan(database, home).problems == ()
        assert {each.id: each.prompts for each in list_sessions(database)} == {"ab": 2, "one": 1}


@pytest.mark.usefixtures("each_database")
def test_a_value_that_is_refused_hides_no_other_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def write_twice(database: Database, family: str, records: Iterable[SessionRecord]) -> None:
        found = list(records)
        write_sessions(
            database, family, found * 2 if "one" in {each.id for each in found} else found
        )

    home = tmp_path / "claude"
    original = write_shop_session(home, "one")
    fork = Written(home, "two", minute=50)
    fork.rows = [
        json.dumps(json.loads(row) | {"sessionId": "two"}).encode() for row in original.rows
    ]
    fork.save()
    with open_database(tmp_path / "state") as database:
        with monkeypatch.context() as patch:
            patch.setattr(family_scan, "write_sessions", write_twice)
            result = scan(database, home)
        ((location, reason),) = [(each.location, each.reason) for each in result.problems]
        assert (location, "RefusedValueError" in reason) == (str(original.path), True)
        # What the refused session would have owned counts for the fork.
        assert [(each.id, each.prompts) for each in list_sessions(database)] == [("two", 1)]
        assert scan(database, home).problems == ()


def test_a_database_that_fails_ends_the_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise InfrastructureError("no space left")

    monkeypatch.setattr(family_scan, "write_sessions", fail)
    write_shop_session(tmp_path / "claude", "one")
    with open_database(tmp_path / "state") as database, pytest.raises(InfrastructureError):
        scan(database, tmp_path / "claude")


def test_a_file_of_another_program_is_read_once(tmp_path: Path) -> None:
    home = tmp_path / "claude"
    write_shop_session(home, "one")
    foreign = home / "projects" / "-home-dev-shop" / "foreign.jsonl"
    foreign.write_bytes(b'{\n "a": 1\n}\n' + b'{"type": "user"}\n' * 3)
    with open_database(tmp_path / "state") as database:
        assert [each.location for each in scan(database, home).problems] == [str(foreign)]
        assert (scan(database, home).read, count_unreadable_rows(database)) == (0, 0)
        made = Written(home, "foreign")
        made.prompt("Now it is a transcript")
        made.save()
        assert scan(database, home).read == 1
        assert {each.id for each in list_sessions(database)} == {"one", "foreign"}


def test_a_part_that_is_left_is_read_once_by_each_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "claude"
    made = write_shop_session(home, "one")
    with open_database(tmp_path / "state") as database:
        scan(database, home)
        stored = read_tables(database)
        folder = made.path.with_suffix("") / "subagents"
        folder.mkdir(parents=True)
        made.path.rename(folder / "agent-a1.jsonl")
        (folder / "agent-a1.jsonl").write_bytes(made.rows[0] + b"\n")
        for version in (watermarks.READER_VERSION, "next"):
            for module in (watermarks, family_scan):
                monkeypatch.setattr(module, "READER_VERSION", version)
            assert scan(database, home).read == 1
            assert scan(database, home).read == 0
        assert read_tables(database) == stored


def test_a_project_that_is_a_link_is_reported(tmp_path: Path) -> None:
    home, other = tmp_path / "claude", tmp_path / "other"
    write_shop_session(home, "one")
    made = write_shop_session(other, "two")
    link = home / "projects" / "link"
    link.symlink_to(made.path.parent)
    with open_database(tmp_path / "state") as database:
        for _ in range(2):
            (problem,) = scan(database, home).problems
            assert (problem.location, "link" in problem.reason) == (str(link), True)
        assert [each.id for each in list_sessions(database)] == ["one"]


ODD_TIMES = [
    *("", "zzzz", "+999999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    *("2026-11-27T25:00:00Z", "2026-13-27T10:00:00Z", "2026-11-27T10:00:00+09:00", 1764240000000),
    *("2026-11-20T10:zz:zz.zzzZ", "2026-11-20T10:\n# Hi <b>!"),  # in the hour of the other rows
]


@pytest.mark.parametrize("odd", ODD_TIMES)
def test_an_odd_time_moves_no_session(tmp_path: Path, odd: object) -> None:
    home = tmp_path / "claude"
    made = write_shop_session(home, "one")
    with open_database(tmp_path / "state") as database:
        scan(database, home)
        before = find_session(database, "one")
        for at in (1, 4, len(made.rows) - 1):
            made.rows[at] = json.dumps(json.loads(made.rows[at]) | {"timestamp": odd}).encode()
        made.save()
        assert scan(database, home).problems == ()
        after = find_session(database, "one")
        assert (after.started, after.tool_calls) == (before.started, before.tool_calls)
        assert before.started < after.ended < before.ended
        made.rows = [json.dumps(json.loads(row) | {"timestamp": odd}).encode() for row in made.rows]
        made.save()
        assert [each.location for each in scan(database, home).problems] == [str(made.path)]
        assert list_sessions(database) == []


@pytest.mark.usefixtures("each_database")
@pytest.mark.parametrize("is_continued", [False, True])
def test_a_session_whose_folder_was_renamed_is_one(tmp_path: Path, is_continued: bool) -> None:
    home, other = tmp_path / "claude", tmp_path / "other"
    made = write_shop_session(home, "one")
    with open_database(tmp_path / "state") as database:
        scan(database, home)
        moved = write_shop_session(other, "one")
        made.path.unlink()
        if is_continued:
            moved.prompt("And now the other way")
            moved.save()
        result = scan_transcripts(database, [home, other], Masker)
        assert (result.read, scan(database, other).read) == (1, 0)
        (found,) = list_sessions(database)
        assert (found.prompts, found.family) == (1 + is_continued, str(moved.path))
        assert read_tables(database) == scan_afresh(other, tmp_path / "fresh")
        assert scan_transcripts(database, [home, other], Masker).vanished == 0


def test_another_session_of_the_name_is_no_renamed_one(tmp_path: Path) -> None:
    home, other = tmp_path / "claude", tmp_path / "other"
    made = write_shop_session(home, "one")
    with open_database(tmp_path / "state") as database:
        scan(database, home)
        stored = read_tables(database)
        made.path.unlink()
        another = Written(other, "one", minute=3)  # it has some of the rows, too
        another.prompt("Something else")
        another.save()
        assert scan(database, other).read == 1
        left = [row for row in read_tables(database)["sessions"] if row[0] == str(made.path)]
        assert left == stored["sessions"]


def test_a_session_in_two_homes_counts_once(tmp_path: Path) -> None:
    home, other = tmp_path / "claude", tmp_path / "other"
    write_shop_session(home, "one")
    copy = write_shop_session(other, "one")
    copy.minute = 200
    copy.prompt("And now the other way")
    copy.save()
    with open_database(tmp_path / "state") as database:
        scan_transcripts(database, [home, other], Masker)
        since = datetime(2026, 11, 1, tzinfo=UTC)
        counts = count_sessions(database, since, since + timedelta(days=30))
        assert counts == {"/home/dev/shop": {"human": 1}}
