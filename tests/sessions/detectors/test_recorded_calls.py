"""What the real program wrote is found: each finding by its session, nothing in the others."""

from pathlib import Path

import pytest

from orchestrator.sessions.detectors.edit_mismatches import find_edit_mismatches
from orchestrator.sessions.detectors.hidden_failures import find_hidden_failures
from orchestrator.sessions.detectors.occurrences import Detect, Occurrence
from orchestrator.sessions.detectors.redundant_reads import find_redundant_reads
from orchestrator.sessions.detectors.repeated_errors import find_repeated_errors
from orchestrator.sessions.detectors.same_command import find_same_commands
from orchestrator.sessions.detectors.suite_loops import find_suite_loops
from orchestrator.sessions.detectors.token_waste import find_token_waste
from orchestrator.sessions.reading.deduplication import KnownIds
from orchestrator.sessions.reading.family_reading import read_family
from orchestrator.sessions.reading.files import find_transcripts

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts" / "claude-2.1"
DETECTORS: tuple[Detect, ...] = (
    find_repeated_errors,
    find_same_commands,
    find_hidden_failures,
    find_edit_mismatches,
    find_redundant_reads,
    find_suite_loops,
    find_token_waste,
)


def find_in(name: str, *detectors: Detect) -> list[Occurrence]:
    known = KnownIds()
    return [
        found
        for family in find_transcripts(TRANSCRIPTS / name)
        for session in read_family(family, known).sessions
        for detect in detectors or DETECTORS
        for found in detect(session)
    ]


def test_hidden_failures() -> None:
    found = find_in("hidden-failures")

    assert {(each.key, each.detail["hidden_by"]) for each in found} == {
        ("pytest", "| tail"),
        ("pytest", "; echo"),
    }


def test_a_loop_with_the_edit_that_ended_it() -> None:
    (found,) = find_in("test-loop", find_suite_loops)

    assert (found.key, found.detail["reds"]) == (
        "pytest: FAILED <path>::test_total - assert <number> == <number>",
        2,
    )
    assert found.detail["paths"] == ["cart.py"]
    assert found.detail["diff"].startswith("--- cart.py\n-")


def test_errors_of_tools() -> None:
    keys = [each.key for each in find_in("tool-errors")]

    assert "Read: missing file: missing.py" in keys
    assert "Edit: text not found: *.py" not in keys
    assert {"text not found: *.py", "text not unique: *.py"} <= set(keys)


@pytest.mark.parametrize(
    "name",
    [
        *("api-error", "killed", "denied-headless", "denied-hook", "denied-interrupted"),
        *("denied-rule", "skill", "instructions", "typed-rejection-with-words"),
        *("typed-rejection-of-an-edit", "typed-interruption", "huge-output"),
    ],
)
def test_what_no_call_of_a_tool_did_wrong(name: str) -> None:
    assert list(find_transcripts(TRANSCRIPTS / name))
    assert not find_in(name)
