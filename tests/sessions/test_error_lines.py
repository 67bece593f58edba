"""The line that says what went wrong is found, and is equal in all sessions and on all machines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.calls.error_lines import MOST_OF_KEY, find_error_line, normalize_line
from orchestrator.sessions.calls.suite_outputs import cut_output


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("Exit code 1\n[lint] $ golangci-lint\na.go:3:1: unused x\n", "a.go:3:1: unused x"),
        ("Exit code 1\na.go:1: : # pkg\na.go:9:2: undefined: x", "a.go:9:2: undefined: x"),
        ("Exit code 128\nwarning: w\nfatal: no such ref", "fatal: no such ref"),
        ("start\nTraceback (most recent call last)\n  File\nKeyError: 'a'\nend", "KeyError: 'a'"),
        ("nothing said\nthe key was not found here", "the key was not found here"),
        ("just text\nmore", "just text"),
        ("Exit code 1", ""),
        ("", ""),
    ],
)
def test_the_line_that_says_it_is_found(output: str, line: str) -> None:
    assert find_error_line(cut_output(output)) == line


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("a/b.go:12:3: undefined: x", "undefined: x"),
        ("string `a` has 3 occurrences", "string <name> has <number> occurrences"),
        ("cat: /home/dev/x.txt: No such file", "cat: <path>: No such file"),
        ("fatal: bad object 1a2b3c4d5e", "fatal: bad object <hex>"),
        ("at 2026-01-28T11:15:57.297Z from https://a.b/c?d=1", "at <time> from <url>"),
        ("doesn't open 'a b' in 12ms", "doesn't open <name> in <number>"),
        ("S1023: redundant return (staticcheck)", "S1023: redundant return (staticcheck)"),
        ("error:\x07 bad\x1b", "error: bad"),
    ],
)
def test_a_line_is_normalized(line: str, key: str) -> None:
    assert normalize_line(line) == key


@given(
    st.from_regex(r"/(home|Users)/[a-z]{1,8}/[a-z.]{1,9}[a-z]", fullmatch=True),
    st.integers(0, 10**6),
    st.from_regex(r"[0-9a-f]{6}a[0-9][0-9a-f]{4,30}", fullmatch=True),
    st.from_regex(r"[a-zA-Z ./]{1,20}", fullmatch=True),
)
def test_what_differs_between_machines_is_not_in_a_key(
    path: str, number: int, commit: str, name: str
) -> None:
    line = f'error: cannot read {path} at {number} of {commit}: no "{name}" (E101)'

    assert normalize_line(line) == (
        "error: cannot read <path> at <number> of <hex>: no <name> (E101)"
    )


@given(st.text(max_size=300))
def test_any_line_gives_a_short_key(line: str) -> None:
    key = normalize_line(line)

    assert len(key) <= MOST_OF_KEY
    assert "\n" not in key


PIECES = [
    "a",
    "(",
    "1",
    "/",
    "/a",
    "a/",
    "'",
    '"',
    ".",
    "a.",
    "[",
    ": ",
    "error: ",
    "\n1",
    "-",
    "0x1",
]


@pytest.mark.parametrize("piece", PIECES)
def test_a_megabyte_of_one_piece_is_read(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))

    normalize_line(find_error_line(cut_output(text)))
    normalize_line(text)
