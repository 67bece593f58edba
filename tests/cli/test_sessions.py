"""`orchestrator sessions`: the list, one session, the search, the export."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.session_lines import iter_entry_lines, iter_session_table
from orchestrator.platform.locking import FileLock
from orchestrator.sessions.reading.files import find_transcripts
from orchestrator.sessions.store.archive import archive_transcripts
from orchestrator.sessions.store.listing import list_sessions, shorten_ids
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import resolve_state_directory, transcripts_folder
from tests.cli.conftest import Call
from tests.sessions.written import Written, write_shop_session

SECRET = "hunter2Suite99"
ONE = "0a1b2c3d-0000-4000-8000-000000000001"
TWO = "0a1b2c3d-0000-4000-8000-000000000002"


@pytest.fixture
def claude(home: Path) -> Path:
    """Return the user's folder of Claude Code, with two sessions of two projects."""
    folder = home / ".claude"
    write_shop_session(folder, ONE, folder="/home/dev/shop")
    other = Written(folder, TWO, folder="/home/dev/other", day="2026-11-21")
    other.prompt(f"Log in with DB_PASSWORD={SECRET}\x1b[31m please")
    other.call("Bash", {"command": f"login DB_PASSWORD={SECRET}"}, f"token DB_PASSWORD={SECRET}")
    other.reply(f"I used DB_PASSWORD={SECRET}.")
    other.save()
    return folder


def archive(claude: Path) -> None:
    folder = transcripts_folder(resolve_state_directory())
    archive_transcripts(find_transcripts(claude), folder)


def test_no_session_is_one_clear_line(call: Call, home: Path) -> None:
    for words in (["list"], ["list", "--all"], ["search", "x"], ["search", "x", "--all"]):
        done = call("sessions", *words)
        assert done.code == 0
        assert done.output == (
            f"no sessions of Claude Code yet: there are no transcripts in {home}/.claude/projects\n"
        )
    assert call("sessions", "show").code == 2
    assert call("sessions", "export", "last").code == 2
    assert call("sessions", "export", "--all").output.startswith("no sessions of Claude Code yet")


@pytest.mark.usefixtures("claude")
def test_the_list_and_its_json_say_the_same(call: Call) -> None:
    lines = call("sessions", "list", "--all").out.splitlines()
    assert lines[0].split() == [
        *("SESSION", "STARTED", "CLASS", "PROMPTS", "TOOLS", "ERRORS", "TESTS", "COST", "TITLE"),
    ]
    assert [line.split()[0] for line in lines[1:]] == [TWO, ONE]  # only the last digit differs
    assert lines[2].split()[3:7] == ["human", "1", "4", "2"]
    assert lines[2].endswith("/home/dev/shop: Please make the cart work")
    found = call("sessions", "list", "--all", "--json").events
    assert [(each["id"], each["class"]) for each in found] == [(TWO, "human"), (ONE, "human")]
    assert found[1]["paths"] == ["cart.py"]


@pytest.mark.usefixtures("claude")
def test_the_list_is_of_a_project(call: Call, tmp_path: Path) -> None:
    done = call("sessions", "list", "--project", "/home/dev/shop")
    assert done.out.splitlines()[1].startswith(f"{ONE} ")
    assert len(done.out.splitlines()) == 2
    done = call("sessions", "list", "--project", tmp_path)
    assert done.out == f"no sessions of {tmp_path} that match; there are 2 in all (--all)\n"
    done = call("sessions", "list", "--project", tmp_path, "--all")
    assert done.code == 2
    assert "exclude each other" in done.err


@pytest.mark.usefixtures("claude")
def test_the_list_can_be_shortened(call: Call) -> None:
    done = call("sessions", "list", "--all", "--limit", "1")
    assert len(done.out.splitlines()) == 2
    assert done.err == "1 of 2 sessions; --limit shows more\n"
    assert len(call("sessions", "list", "--all", "--since", "2026-11-21").out.splitlines()) == 2
    assert len(call("sessions", "list", "--all", "--class", "human").out.splitlines()) == 3
    assert "no sessions that match" in call("sessions", "list", "--all", "--class", "own").out
    for wrong in ("", "7", "7y", "yesterday", "2026-13-01", "999999w", "-1d"):
        done = call("sessions", "list", "--since", wrong)
        assert done.code == 2
        assert "is no time; give `7d`" in done.err


def test_an_unknown_outcome_of_tests_was_not_read(call: Call, home: Path) -> None:
    session = Written(home / ".claude", ONE, folder="/home/dev/shop")
    session.prompt("Test it")
    session.call("Bash", {"command": "pytest | grep x"}, "x")
    session.save()
    out = call("sessions", "show", ONE).out
    assert "tests    unknown\n" in out


@pytest.mark.usefixtures("claude")
def test_a_session_is_readable_in_a_terminal(call: Call) -> None:
    out = call("sessions", "show", ONE[:-1] + "1").out
    assert f"Session {ONE}" in out
    assert "project  /home/dev/shop" in out
    assert "counts   1 prompt, 4 tool calls, 2 errors" in out
    assert "tests    green" in out
    assert "1 file changed:\n    cart.py" in out
    assert "> Please make the cart work" in out
    assert "Read: /home/dev/shop/cart.py\n       error: File does not exist." in out
    assert "Bash: pytest\n       error: 1 failed in 0.1s" in out
    assert "It works now." not in out
    full = call("sessions", "show", ONE, "--full").out
    assert "It works now." in full
    assert "       | 2 passed in 0.1s" in full
    assert call("sessions", "show").out == call("sessions", "show", "last").out
    assert call("sessions", "show", TWO).out == call("sessions", "show").out


def test_the_last_session_is_that_of_the_project_at_hand(
    call: Call, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    write_shop_session(home / ".claude", ONE, folder=str(shop))
    write_shop_session(home / ".claude", TWO, folder="/home/dev/other", day="2026-11-21")
    assert f"Session {TWO}" in call("sessions", "show").out
    monkeypatch.chdir(shop)
    assert f"Session {ONE}" in call("sessions", "show", "last").out
    assert f"# Session {ONE}" in call("sessions", "export", "last").out


@pytest.mark.usefixtures("claude")
def test_ids_are_found_by_their_beginning(call: Call) -> None:
    done = call("sessions", "show", ONE[:8])
    assert done.code == 2
    assert f"several session ids begin with {ONE[:8]}: {ONE}, {TWO}" in done.err
    done = call("sessions", "show", "no-such")
    assert done.code == 2
    assert "there is no session no-such" in done.err
    assert call("sessions", "show", "").code == 2


@pytest.mark.parametrize(
    ("others", "shown"),
    [
        ((), "0a1b2c3d"),
        (("0a1b2c3e-0000-4000-8000-000000000001",), "0a1b2c3d"),
        (("0a1b2c3d-0010-4000-8000-000000000001",), "0a1b2c3d-000"),
        (("0a1b2c3d-0010", "0a1b2c3d-00001"), "0a1b2c3d-0000-"),
        (("0a1b2c3d", "0a1b2c3d-0000"), "0a1b2c3d-0000-"),
    ],
)
def test_the_ids_that_are_listed_can_be_used(
    call: Call, home: Path, others: tuple[str, ...], shown: str
) -> None:
    for each in (ONE, *others):
        write_shop_session(home / ".claude", each)
    listed = [line.split()[0] for line in call("sessions", "list", "--all").out.splitlines()[1:]]
    assert shown in listed
    assert len(listed) == 1 + len(others)
    for short in listed:
        assert call("sessions", "show", short).code == 0
    found = call("sessions", "search", "please", "--all").out.splitlines()
    assert {line.split()[0] for line in found} == set(listed)


@pytest.mark.usefixtures("claude")
def test_secrets_and_control_characters_are_replaced(call: Call) -> None:
    for words in (
        ["list", "--all"],
        ["list", "--all", "--json"],
        ["show", TWO],
        ["show", TWO, "--full"],
        ["show", TWO, "--json"],
        ["search", "DB_PASSWORD", "--all"],
        ["search", SECRET, "--all"],
        ["export", TWO],
        ["export", TWO, "--format", "jsonl"],
    ):
        done = call("sessions", *words)
        assert done.code == 0, words
        assert SECRET not in done.output, words
        assert "\x1b" not in done.output, words
    assert "DB_PASSWORD=[redacted: " in call("sessions", "show", TWO, "--full").out


@pytest.mark.usefixtures("claude")
def test_a_text_is_found_wherever_it_is(call: Call) -> None:
    done = call("sessions", "search", "MAKE THE", "--all")
    assert done.out == f"{ONE}  2026-11-20  prompt: Please make the cart work\n"
    assert "reply: It works now." in call("sessions", "search", "it works", "--all").out
    assert "Bash: 2 passed" in call("sessions", "search", "2 passed", "--all").out
    assert "Edit: /home/dev/shop/cart.py" in call("sessions", "search", "cart.py", "--all").out
    assert call("sessions", "search", "nothing of this", "--all").out == (
        "not found in 2 sessions\n"
    )
    done = call("sessions", "search", "p", "--all", "--limit", "1")
    assert len(done.out.splitlines()) == 1
    assert "there are more lines" in done.err
    assert call("sessions", "search", " ").code == 2


@pytest.mark.parametrize("how", ["show", "search", "export"])
def test_what_claude_code_deleted_comes_from_the_archive(
    call: Call, claude: Path, how: str
) -> None:
    words = {
        "show": ["show", ONE, "--full"],
        "search": ["search", "cart", "--all"],
        "export": ["export", ONE, "--format", "jsonl"],
    }[how]
    before = call("sessions", *words)
    archive(claude)
    shutil.rmtree(claude / "projects")
    after = call("sessions", *words)
    assert after.code == 0
    if how == "show":
        assert "source   the archive, as " in after.out
        assert before.out.partition("source ")[0] == after.out.partition("source ")[0]
        assert before.out.partition("cart.py")[2] == after.out.partition("cart.py")[2]
    else:
        assert after.out == before.out


def test_what_is_gone_for_good_is_one_clear_line(call: Call, claude: Path) -> None:
    assert call("sessions", "list", "--all").code == 0
    shutil.rmtree(claude / "projects")
    assert len(call("sessions", "list", "--all").out.splitlines()) == 3
    done = call("sessions", "show", ONE)
    assert done.code == 2
    assert f"the transcript of session {ONE} is gone, and there is no copy of it" in done.err
    assert call("sessions", "search", "cart", "--all").out == "not found in 2 sessions\n"
    assert len(call("sessions", "export", "--all", "--format", "jsonl").events) == 2


def damage_end(data: bytes) -> bytes:
    return data[:60]


def damage_stream(data: bytes) -> bytes:
    return data[:10] + b"\xff" * 20 + data[30:]


@pytest.mark.parametrize("damage", [damage_end, damage_stream])
def test_a_damaged_copy_is_one_clear_line(
    call: Call, claude: Path, damage: Callable[[bytes], bytes]
) -> None:
    call("sessions", "list", "--all")
    archive(claude)
    for path in transcripts_folder(resolve_state_directory()).rglob(f"{ONE}.jsonl.gz"):
        path.write_bytes(damage(path.read_bytes()))
    shutil.rmtree(claude / "projects")
    for words in (["show", ONE], ["export", ONE]):
        done = call("sessions", *words)
        assert done.code == 3
        assert f"the archived transcript of session {ONE} cannot be read" in done.err
        assert len(done.err.splitlines()) == 1
    done = call("sessions", "search", "please", "--all")
    assert (done.code, done.out[:8], done.err) == (0, TWO[:8], "")


def test_a_damaged_copy_spoils_no_export_of_all(call: Call, claude: Path, tmp_path: Path) -> None:
    call("sessions", "list", "--all")
    archive(claude)
    for path in transcripts_folder(resolve_state_directory()).rglob(f"{TWO}.jsonl.gz"):
        path.write_bytes(damage_stream(path.read_bytes()))
    shutil.rmtree(claude / "projects")
    target = tmp_path / "all.jsonl"
    done = call("sessions", "export", "--all", "--format", "jsonl", "--output", target)
    assert done.code == 0
    assert f"the archived transcript of session {TWO} cannot be read" in done.err
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows if row["kind"] == "session"] == [TWO, ONE]
    assert {row["session"] for row in rows if row["kind"] != "session"} == {ONE}


@pytest.mark.usefixtures("claude")
def test_an_export_is_for_its_owner_alone(call: Call, tmp_path: Path) -> None:
    for form, name in (("md", "out.md"), ("jsonl", "out.jsonl")):
        target = tmp_path / name
        done = call("sessions", "export", "--all", "--format", form, "--output", target)
        assert done.out == f"wrote {target}\n"
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert SECRET not in target.read_text(encoding="utf-8")
        again = call("sessions", "export", "--all", "--output", target)
        assert again.code == 2
        assert f"{target} exists" in again.err
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows if row["kind"] == "session"] == [TWO, ONE]
    assert {row["kind"] for row in rows} == {"session", "prompt", "tool call", "reply"}


@pytest.mark.usefixtures("claude")
@pytest.mark.parametrize("form", ["md", "jsonl"])
def test_secrets_are_exported_only_on_request_to_a_file_that_says_so(
    call: Call, tmp_path: Path, form: str
) -> None:
    words = ["export", TWO, "--format", form, "--unredacted"]
    assert call("sessions", *words).code == 2
    target = tmp_path / "out"
    done = call("sessions", *words, "--output", target)
    assert done.out == f"wrote {target}, NOT redacted\n"
    text = target.read_text(encoding="utf-8")
    assert SECRET in text
    assert "NOT REDACTED" in text.splitlines()[0]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.usefixtures("claude")
def test_wrong_usage_is_one_clear_line(call: Call, tmp_path: Path) -> None:
    for words in (["export"], ["export", ONE, "--all"], ["export", "--all", "--format", "xml"]):
        assert call("sessions", *words).code == 2
    done = call("sessions", "export", ONE, "--output", tmp_path / "no" / "file")
    assert done.code == 2
    assert "No such file or directory" in done.err


def test_markdown_in_a_transcript_stays_text(call: Call, home: Path) -> None:
    made = Written(home / ".claude", ONE)
    made.prompt("Look:\n```\n# no heading\n````\n<script>")
    made.save()
    out = call("sessions", "export", ONE).out
    assert "`````\nLook:\n```\n# no heading\n````\n<script>\n`````\n" in out


@pytest.mark.usefixtures("claude")
def test_all_lines_fit_a_narrow_terminal(call: Call) -> None:
    assert call("sessions", "list").code == 0
    with open_database(resolve_state_directory()) as database:
        found = list_sessions(database)
        short = shorten_ids(database, [each.id for each in found])
    for width in (80, 120):
        table = iter_session_table(found, short, width, with_project=True)
        assert max(map(len, table)) <= width
    call_of_tool = {
        **{"kind": "tool call", "at": "2026-11-20T10:00:00.000Z", "row": "r", "agent": ""},
        **{"tool": "Bash", "input": {"command": "make " * 50}, "result": "no rule " * 50},
        **{"is_error": True, "denial": "", "user_message": ""},
    }
    assert max(map(len, iter_entry_lines([call_of_tool], 80, full=False))) <= 80


@pytest.mark.usefixtures("claude")
def test_a_list_in_which_nothing_is_new_imports_no_reader(call: Call) -> None:
    assert call("sessions", "list", "--all").code == 0
    program = (
        "import sys\n"
        "from orchestrator.cli.main import main\n"
        "try:\n    main(['sessions', 'list', '--all'])\n"
        "except SystemExit:\n    pass\n"
        "slow = {'msgspec', 'pydantic', 'dbos', 'anthropic', 'sqlalchemy', 'git'}\n"
        "print('imported:', sorted(slow & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert ONE[:8] in done.stdout
    assert done.stdout.endswith("imported: []\n")


def test_a_folder_that_was_read_once_is_read_again(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shop_session(tmp_path / "other", ONE)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "other"))
    assert len(call("sessions", "list", "--all").out.splitlines()) == 2
    monkeypatch.delenv("CLAUDE_CONFIG_DIR")
    write_shop_session(tmp_path / "other", TWO)
    assert len(call("sessions", "list", "--all").out.splitlines()) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_named(call: Call, claude: Path) -> None:
    path = next(claude.rglob(f"{ONE}.jsonl"))
    path.chmod(0)
    done = call("sessions", "list", "--all")
    assert done.code == 0
    assert f"not read: {path}: Permission denied" in done.err


@pytest.mark.usefixtures("claude")
def test_a_scan_waits_for_another_one(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.sessions.store.scanning._LOCK_SECONDS", 0.0)
    lock = FileLock(resolve_state_directory() / "locks" / "sessions.lock")
    with lock:
        done = call("sessions", "list", "--all")
    assert done.code == 3
    assert "another process has been reading transcripts for too long" in done.err
    assert call("sessions", "list", "--all").code == 0


def test_a_folder_or_tool_forges_no_line(call: Call, home: Path) -> None:
    made = Written(home / ".claude", ONE, folder="/gone/x\n\n# Forged\n\u3164")
    made.prompt("hi")
    made.call("Ba\n\n# [sh](http://evil)", {"x": "y"}, "ok")
    made.save()
    shown = call("sessions", "show", ONE).output + call("sessions", "export", ONE).output
    assert "/gone/x # Forged \\u3164" in shown
    assert "http://evil" not in call("sessions", "export", ONE).output
    assert not [line for line in shown.splitlines() if line.startswith("# ") and ONE not in line]
