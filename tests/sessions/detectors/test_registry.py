"""All detectors are listed, and what they find depends on the session alone."""

import inspect
import pkgutil
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions import detectors
from orchestrator.sessions.detectors.occurrences import Occurrence
from orchestrator.sessions.detectors.registry import DETECTORS
from orchestrator.sessions.models import Entry, Session
from tests.sessions.tool_calls import (
    bash,
    compaction,
    edit,
    failed,
    failed_edit,
    make_call,
    make_session,
    prompt,
    read,
)

RED = "--- FAIL: TestA (0.1s)\nFAIL\n"


def find_all(session: Session) -> list[Occurrence]:
    return [found for detect in DETECTORS for found in detect(session)]


def build(home: str, number: int) -> Session:
    """Return a session with something for each detector, on one machine at one time."""
    path = f"{home}/src/a.py"
    entries: list[Entry] = [
        prompt(),
        failed(f"cd {home} && npm run lint", f"{path}:{number}:1: 'x{number}' took {number}ms"),
        make_call("Read", "File does not exist.", error=True, file_path=f"{home}/b{number}.py"),
        *(
            failed(f"cp a /tmp/{number}", f"cp: /tmp/{number}: denied at {number}")
            for _ in range(3)
        ),
        bash(f"go test {home} | tail -{number}", RED),
        failed_edit("String to replace not found in file.", path),
        *(read(path) for _ in range(3)),
        failed("go test ./...", RED),
        edit(path),
        bash("go test ./...", "PASS\n"),
        compaction(),
        bash(f"git diff {path}", "x" * 30_000),
    ]
    return make_session(*entries, folder=home)


def test_every_module_of_a_detector_is_listed() -> None:
    listed = {each.__module__ for each in DETECTORS}

    for module in pkgutil.iter_modules(detectors.__path__):
        loaded = import_module(f"{detectors.__name__}.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            own = function.__module__ == loaded.__name__ and name.startswith("find_")
            if own and list(inspect.signature(function).parameters) == ["session"]:
                assert function.__module__ in listed, name


@given(
    st.sampled_from(["/home/dev/shop", "/Users/ann/code/shop", "/srv/build/1234/shop"]),
    st.integers(1, 10**7),
)
def test_keys_are_equal_on_all_machines(home: str, number: int) -> None:
    here = [(each.detector, each.key) for each in find_all(build("/work/shop", 7))]
    there = [(each.detector, each.key) for each in find_all(build(home, number))]

    assert here == there
    assert len({detector for detector, _ in here}) >= 7


def test_the_result_is_the_same_each_time() -> None:
    session = build("/work/shop", 7)

    assert find_all(session) == find_all(session)


def test_details_are_plain_json_values() -> None:
    import json

    for found in find_all(build("/work/shop", 7)):
        assert json.loads(json.dumps(found.detail)) == found.detail


@pytest.mark.parametrize(
    "piece", ["a", "(", "1", "\n", '"', "--- FAIL: ", "error: ", "go ", "npm t", "/a", "make a "]
)
def test_a_megabyte_of_one_piece_gives_little(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    entries = [
        *(failed(text, text) for _ in range(3)),
        failed("make test | tail", text),
        failed("pytest", text),
        bash(f"make test; {text}", f"1 failed in 1s\n{text}"),
        failed_edit("String to replace not found", text),
        make_call("Read", "File does not exist.", error=True, file_path=text),
        make_call(text, text, error=True),
        *(make_call("Read", "x", file_path=text) for _ in range(3)),
        *(failed("pytest", f"1 failed in 1s\n{text}") for _ in range(2)),
        edit(text, text, f"{text}x"),
        bash("pytest", "1 passed in 1s"),
        bash(text, text[:30_000]),
    ]

    found = find_all(make_session(*entries))

    assert len(found) >= 8
    for each in found:
        assert len(each.key) <= 400
        assert len(each.quote) <= 20_000
        assert len(str(each.detail)) <= 20_000


def test_an_empty_session_gives_nothing() -> None:
    assert not find_all(make_session())
