"""Loops of red, red, green are found in one task, with what was edited before the green run."""

import pytest

from orchestrator.sessions.detectors.suite_loops import MOST_OF_DIFF, find_suite_loops
from orchestrator.sessions.models import Entry
from tests.sessions.tool_calls import FOLDER, bash, edit, failed, make_call, make_session, prompt

RED = "a.go:1: bad\n--- FAIL: TestA (0.1s)\nFAIL\tshop/a\t0.1s\n"
BROKEN = "error[E0425]: no x\nerror: could not compile `shop`"


def red(command: str = "go test ./...") -> Entry:
    return failed(command, RED)


def hidden_red() -> Entry:
    return bash("go test ./... | tail", RED)


def unbuilt() -> Entry:
    return failed("go test ./...", "# shop/a\na.go:3:2: undefined: x\nFAIL\tshop/a [build failed]")


def green() -> Entry:
    return bash("go test ./...", "ok  \tshop/a\t0.1s")


def test_two_red_runs_and_a_green_one() -> None:
    session = make_session(
        prompt(),
        red(),
        edit(f"{FOLDER}/early.py"),
        hidden_red(),
        edit(f"{FOLDER}/src/a.py", "x = 1", "x = 2\ny = 3"),
        make_call("Write", "ok", file_path="/elsewhere/b.py", content="new"),
        make_call("Edit", "no", error=True, file_path=f"{FOLDER}/c.py"),
        green(),
    )

    (found,) = find_suite_loops(session)

    assert (found.row, found.key) == ("result-7", "go test: --- FAIL: TestA (<number>)")
    assert "bad" in found.quote
    assert found.detail["runner"] == "go test"
    assert found.detail["reds"] == 2
    assert found.detail["paths"] == ["src/a.py", "b.py"]
    assert found.detail["diff"] == ("--- src/a.py\n-x = 1\n+x = 2\n+y = 3\n\n--- b.py\n+new\n\n")


@pytest.mark.parametrize(
    "entries",
    [
        (red(), green()),
        (red(), red()),
        (red(), prompt("and now?"), red(), green()),
        (red(), green(), red(), green()),
        (failed("pytest", "1 failed in 1s"), red(), green()),
        (red(), red(), bash("pytest", "1 passed in 1s")),
        (unbuilt(), unbuilt(), red(), green()),
        (failed("cargo test", BROKEN), failed("cargo test", BROKEN), bash("cargo test", "ok")),
    ],
)
def test_what_is_no_loop(entries: tuple[Entry, ...]) -> None:
    assert not list(find_suite_loops(make_session(*entries)))


def test_several_replacements_are_all_shown() -> None:
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "d"}]
    call = make_call("MultiEdit", "ok", file_path=f"{FOLDER}/a.py", edits=edits)

    (found,) = find_suite_loops(make_session(red(), red(), call, green()))

    assert found.detail["diff"] == "--- a.py\n-a\n+b\n-c\n+d\n\n"


def test_what_an_edit_leaves_as_it_is_is_not_shown() -> None:
    lines = [f"line {number}" for number in range(100)]
    changed = [*lines[:50], "new", *lines[51:]]
    call = edit(f"{FOLDER}/a.py", "\n".join(lines), "\n".join(changed))

    (found,) = find_suite_loops(make_session(red(), red(), call, green()))

    assert found.detail["diff"] == "--- a.py\n line 49\n-line 50\n+new\n line 51\n\n"


def test_a_diff_is_bounded() -> None:
    edits = [edit(f"{FOLDER}/{name}.py", "x" * 9_000, "y" * 9_000) for name in range(50)]

    (found,) = find_suite_loops(make_session(red(), red(), *edits, green()))

    assert len(found.detail["diff"]) <= MOST_OF_DIFF
    assert len(found.detail["paths"]) == 20
