"""Commands are split as a shell splits them, and no text costs more than its length."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.sessions.calls import shell
from orchestrator.sessions.calls.shell import split_command

HOSTILE = ("a", "(", "1", '"', "'", "`", "$(", "<<", "\\", "|", "&", "${", "#", "a=", "<(", "\n")


def words_of(command: str) -> list[list[str]]:
    return [[each.text for each in segment.words] for segment in split_command(command)]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("git status", [["git", "status"]]),
        (
            "cd a && go test ./... 2>&1 | tail -3",
            [["cd", "a"], ["go", "test", "./..."], ["tail", "-3"]],
        ),
        ("A=1 B='x y' pytest -k 'a or b'", [["pytest", "-k", "a or b"]]),
        ("cat > f <<'EOF'\nrm -rf x; pytest\nEOF\nls", [["cat"], ["ls"]]),
        (
            'git commit -m "$(cat <<\'E\'\nfix "a"; pytest\nE\n)" && ls',
            [["git", "commit", "-m"], ["ls"]],
        ),
        ("echo a#b # c | d\nls", [["echo", "a#b"], ["ls"]]),
        ("echo \"a; b\" 'c && d'", [["echo", "a; b", "c && d"]]),
        ("diff <(a | b) x", [["diff", "<(a | b)", "x"]]),
        ("if a; then b; fi", [["a"], ["b"], []]),
        ("for f in *; do a $f; done", [[], ["a", "$f"], []]),
        ("\\\ncd x", [["cd", "x"]]),
        ("", []),
    ],
)
def test_a_command_is_split(command: str, expected: list[list[str]]) -> None:
    got = [each[:3] if each[:2] == ["git", "commit"] else each for each in words_of(command)]

    assert got == expected


def test_operators_keywords_and_targets_are_kept() -> None:
    first, second = split_command("if go test >log 2>/dev/null; then (a; b) | c; fi")[:2]

    assert (first.after, first.keywords, first.targets) == (";", ("if",), ("log",))
    assert second.keywords == ("then",)


def test_the_operator_after_a_subshell_belongs_to_its_last_command() -> None:
    assert [each.after for each in split_command("(cd x && make test) | tee log")] == [
        "&&",
        "|",
        ";",
    ]


@given(st.text(alphabet="ab1 '\"`$(){}<>|&;#\\\n=-", max_size=80))
def test_any_text_is_split(text: str) -> None:
    for segment in split_command(text):
        assert segment.after in {"&&", "||", "|", "|&", ";", "&", "\n"}


@given(st.text(alphabet="ab1./-= |&;\n", max_size=60))
def test_the_short_way_gives_the_same(text: str) -> None:
    assume(not re.search(r"\n\s*[&|;]", text))  # an error of syntax in a shell
    assert split_command(text) == shell._Scanner(text).scan()


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_one_piece_is_split(piece: str) -> None:
    split_command(piece * (1_000_000 // len(piece)))
