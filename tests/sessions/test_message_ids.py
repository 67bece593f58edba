"""An answer of the model counts once, also where its rows have other uuids."""

import json
from pathlib import Path

from orchestrator.storage.opening import open_database
from tests.sessions.written import Written, scan


def rewrite_uuids(made: Written, session: str) -> None:
    """Write the rows again as another session, as gateways and some clients do."""
    rows = []
    for number, row in enumerate(made.rows):
        values = json.loads(row)
        values |= {"uuid": f"{session}-other-{number}", "sessionId": session}
        rows.append(json.dumps(values).encode())
    copy = Written(made.home, session, folder=made.folder, day=made.day)
    copy.rows = rows
    copy.save()


def test_an_answer_in_two_files_counts_once(tmp_path: Path) -> None:
    made = Written(tmp_path / "home", "one")
    made.prompt("Make the cart work")
    made.call("Bash", {"command": "ls"}, "cart.py")
    made.reply("It works.")
    made.save()
    rewrite_uuids(made, "two")
    with open_database(tmp_path / "state", "") as database:
        scan(database, tmp_path / "home")
        counted = database.fetch_rows(
            "SELECT sum(model_calls), sum(output_tokens), count(*) FROM sessions"
        )
    assert counted == [(2, 40, 2)]


def test_an_answer_that_one_file_has_twice_counts_once(tmp_path: Path) -> None:
    made = Written(tmp_path / "home", "one")
    made.prompt("Make the cart work")
    made.reply("It works.")
    again = json.loads(made.rows[-1])
    made.rows.append(json.dumps({**again, "uuid": "one-again"}).encode())
    made.save()
    with open_database(tmp_path / "state", "") as database:
        scan(database, tmp_path / "home")
        (row,) = database.fetch_rows("SELECT model_calls, output_tokens FROM sessions")
    assert row == (1, 20)
