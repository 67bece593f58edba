import pytest

from orchestrator.errors import UsageError
from orchestrator.suites.command_line import parse_command


def test_a_plain_command_needs_no_shell() -> None:
    line = parse_command("A=1 B='x y' pytest tests/ -k 'a|b and $c' \"d > e\" f\\;g *.py")
    assert line.argv == ("pytest", "tests/", "-k", "a|b and $c", "d > e", "f;g", "*.py")
    assert line.variables == {"A": "1", "B": "x y"}
    assert not line.by_shell
    assert line.build_environment({"A": "0", "C": "2"}) == {"A": "1", "B": "x y", "C": "2"}


@pytest.mark.parametrize(
    "text",
    [
        "a && b",
        "a || b",
        "a; b",
        "a > b",
        "a < b",
        "a $B",
        'a "$B"',
        "a `b`",
        "(a)",
        "a &",
        "a\nb",
        "A=$B c",
    ],
)
def test_operators_go_to_the_shell_as_they_stand(text: str) -> None:
    line = parse_command(text)
    assert line.argv == ("/bin/sh", "-e", "-c", text)
    assert line.by_shell


@pytest.mark.parametrize("text", ["pytest | tail", "pytest|tee log", "pytest |& cat", "a && b | c"])
def test_a_pipe_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"pipe.*hides the exit code.*remove the pipe"):
        parse_command(text)


@pytest.mark.parametrize("text", ["pytest 'tests", 'pytest "tests', "", "  ", "A=1"])
def test_what_cannot_be_read_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"tests\.command"):
        parse_command(text)
