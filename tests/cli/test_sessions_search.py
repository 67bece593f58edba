"""`orchestrator sessions search` finds all but secrets, and shows no half of a token."""

import json
import random
import shutil
import string
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.sessions.written import Written

ONE = "0a1b2c3d-0000-4000-8000-000000000001"
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
