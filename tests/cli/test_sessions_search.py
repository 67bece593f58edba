"""`orchestrator sessions search` finds all but secrets, and shows no half of a token."""

import json
import random
import shutil
import string
from pathlib import Path

import pytest

from orchestrator.sessions.reading.files import find_transcripts
from orchestrator.sessions.store.archive import archive_transcripts
from orchestrator.storage.state_directory import resolve_state_directory, transcripts_folder
from tests.cli.conftest import Call
from tests.sessions.written import Written

ONE = "0a1b2c3d-0000-4000-8000-000000000001"
TWO = "0a1b2c3d-0000-4000-8000-000000000002"
RECORDED = Path(__file__).parent.parent / "sessions" / "transcripts" / "claude-2.1"
CHANCE = random.Random(16)  # noqa: S311 -- repeatable, not secret


def draw(count: int) -> str:
    return "".join(CHANCE.choices(string.ascii_letters + string.digits, k=count))


KEY = f"sk-ant-api03-{draw(93)}AA"
PEM = [
    "-----BEGIN RSA PRIVATE KEY-----",
    *[draw(64) for _ in range(100)],
    "-----END RSA PRIVATE KEY-----",
]
UNKNOWN = draw(400)
"""Nothing says that it is a secret."""


@pytest.fixture
def written(home: Path) -> Written:
    """Return a session in which secrets are near to everything else."""
    made = Written(home / ".claude", ONE)
    made.prompt("Use this:\n" + "\n".join(PEM))
    keys = " ".join([KEY] * 20)
    made.call("Bash", {"command": "env"}, f"{keys} NEEDLE {keys} password=FINDIT{draw(20)} {keys}")
    made.call("Bash", {"command": "cat"}, f"{'word ' * 60}{UNKNOWN} LATER {'word ' * 60}")
    made.save()
    return made


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("text", [PEM[50][10:30], PEM[50], "FINDIT", KEY[-20:], KEY[20:40]])
def test_what_is_within_a_secret_is_not_found(call: Call, text: str) -> None:
    done = call("sessions", "search", text, "--all")
    assert (done.code, done.out) == (0, "not found in 1 session\n")


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    "text", ["NEEDLE", "password", "Use this", "BEGIN", "LATER", "word", "env"]
)
def test_no_part_of_a_secret_is_shown(call: Call, text: str) -> None:
    out = call("sessions", "search", text, "--all").out
    assert text in out or text == "BEGIN"
    for secret in (KEY, UNKNOWN, *PEM[1:-1]):
        parts = {secret[at : at + 8] for at in range(len(secret) - 8)}
        assert not any(part in out for part in parts)


@pytest.mark.usefixtures("written")
def test_of_a_token_that_is_too_long_only_the_match_is_shown(call: Call) -> None:
    part = UNKNOWN[200:220]
    done = call("sessions", "search", part, "--all")
    assert done.out.endswith(f"Bash: ... {part} ...\n")


def test_what_was_typed_while_it_worked_is_in_all_outputs(call: Call, home: Path) -> None:
    shutil.copytree(RECORDED / "typed-while-it-works", home / ".claude")
    text = "and only the Python files, please"
    found = call("sessions", "search", "only the Python", "--all").out
    assert f"interjection: {text}" in found
    assert f"(while it worked) > {text}" in call("sessions", "show").out
    assert "## Interjection\n" in call("sessions", "export", "last").out
    rows = call("sessions", "export", "last", "--format", "jsonl").out.splitlines()
    kinds = {row["kind"]: row for row in map(json.loads, rows)}
    assert kinds["interjection"]["text"] == text


@pytest.mark.usefixtures("written")
def test_the_search_is_of_a_time(call: Call, home: Path) -> None:
    older = Written(home / ".claude", TWO, day="2026-11-10")
    older.prompt("Use this instead")
    older.save()
    assert len(call("sessions", "search", "use this", "--all").out.splitlines()) == 2
    done = call("sessions", "search", "use this", "--all", "--since", "2026-11-15")
    assert [line.split()[0] for line in done.out.splitlines()] == [ONE]
    done = call("sessions", "search", "use this", "--all", "--since", "2026-11-21")
    assert done.out == "no sessions that match; there are 2 in all (--all)\n"
    assert call("sessions", "search", "use this", "--since", "soon").code == 2


@pytest.mark.usefixtures("written")
def test_lines_that_are_found_are_printed_as_json(call: Call) -> None:
    done = call("sessions", "search", "use this", "--all", "--json")
    (found,) = done.events
    assert (found["session"], found["kind"], found["line"]) == (ONE, "prompt", "Use this:")
    assert found["at"].startswith("2026-11-20T10:01")
    for words in (["nothing of this", "--all"], ["x"]):
        assert call("sessions", "search", *words, "--json").output == ""


def test_what_stands_only_in_a_large_output_is_found(call: Call, home: Path) -> None:
    made = Written(home / ".claude", ONE)
    folder = made.path.with_suffix("") / "tool-results"
    folder.mkdir(parents=True)
    (folder / "toolu_9.txt").write_text("line\n" * 20_000 + "the one RARITY of it\n")
    note = f"<persisted-output>\nFull output saved to: {folder}/toolu_9.txt\n\nPreview:\nline\n"
    made.call("Bash", {"command": "make"}, f"{note}</persisted-output>")
    made.save()
    line = f"{ONE[:8]}  2026-11-20  Bash: the one RARITY of it\n"
    assert call("sessions", "search", "rarity", "--all").out == line
    archive_transcripts(
        find_transcripts(home / ".claude"), transcripts_folder(resolve_state_directory())
    )
    shutil.rmtree(home / ".claude" / "projects")
    assert call("sessions", "search", "rarity", "--all").out == line
