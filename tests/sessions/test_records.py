"""No part of a secret is stored, wherever a text is cut."""

from collections.abc import Callable, Iterable

import pytest

from orchestrator.masking import Masker
from orchestrator.sessions.detectors.occurrences import MOST_OF_QUOTE
from orchestrator.sessions.detectors.registry import DETECTORS
from orchestrator.sessions.models import Entry, ToolCall
from orchestrator.sessions.store.records import SessionRecord, build_record
from tests.sessions.tool_calls import bash, edit, failed, failed_edit, make_call, make_session

SECRET = "Hq8zKw3nVb5tRm2xPd7w"
ADDRESS = f"https://deploy:{SECRET}@host.example/x"
PROCEDURE = ("fmtit all", "packit all", "sendit all")
MAKERS: dict[str, Callable[[str], Iterable[Entry]]] = {
    "command that fails": lambda text: [failed(f"runit {text}", "Error: no") for _ in range(3)],
    "line of an error": lambda text: [failed("runit", f"Error: {text}")],
    "exception": lambda text: [failed("x", f"Traceback (most recent call last)\nKeyError: {text}")],
    "error of a tool": lambda text: [make_call("Fetch", f"Cannot open {text}", error=True)],
    "edit that does not fit": lambda text: [failed_edit(f"String to replace not found {text}")],
    "step of a procedure": lambda text: [
        *(bash(each) for each in PROCEDURE[:2]), bash(f"syncit {text}"), bash(PROCEDURE[2]),
    ],
    "first step of a procedure": lambda text: [
        bash(f"syncit {text}"), *(bash(each) for each in PROCEDURE),
    ],
    "hidden failure": lambda text: [bash(f"pytest {text} | tail", f"1 failed in 1s\n{text}")],
    "diff of a test loop": lambda text: [
        *(failed("pytest", f"E  {text}\n1 failed in 1s") for _ in range(2)),
        edit(new=f"{text}\nb"), edit(new=text), edit(new="c\n" * 300),
        bash("pytest", "1 passed in 1s"),
    ],
    "large output": lambda text: [bash(f"runit {text}", "x" * 50_000)],
}  # fmt: skip


def build(*entries: Entry) -> SessionRecord:
    session = make_session(*entries)
    found = [each for detect in DETECTORS for each in detect(session)]
    return build_record(session, (), found, "", Masker().mask)


@pytest.mark.parametrize("filler", ["b", "b "])
@pytest.mark.parametrize("name", MAKERS)
def test_no_part_of_a_secret_is_stored(name: str, filler: str) -> None:
    lengths = (*range(0, 560, 9), *range(1_080, 1_260, 9), *range(3_900, 4_020, 9))
    for length in lengths:
        text = f"{(filler * length)[:length]} {ADDRESS}"
        stored = repr(build(*MAKERS[name](text)).occurrences)
        assert stored != "()"
        assert SECRET[:7] not in stored, length


def test_a_long_command_leaves_room_for_its_error() -> None:
    calls: list[ToolCall] = [failed("runit " + "x " * 1_000, "Error: the door is shut")]
    (row,) = build(*calls).occurrences
    (quote,) = (each for each in row if isinstance(each, str) and "door" in each and "$" in each)
    assert len(quote) <= MOST_OF_QUOTE
    assert quote.startswith("$ runit x")
    assert quote.endswith(" ...\nError: the door is shut")
