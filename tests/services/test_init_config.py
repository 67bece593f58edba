"""Settings are added to an `orchestrator.yaml`; every other byte of it stays."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.yaml_text import parse_yaml
from orchestrator.services.init_config import add_settings, format_diff, read_settings

SETTINGS: Final[dict[str, str | int]] = {
    "framework": "pytest",
    "command": "pytest tests/ -v",
    "timeout": 120,
}


@pytest.mark.parametrize(
    "before",
    [
        "",
        "# mine\n",
        "# mine",
        "learning:\n  max_retries: 1  # few\n",
        "learning:\n  max_retries: 1",
        "tests:\n    old_failures: must_pass # all\nlearning:\n    max_retries: 1\n",
        "tests:\nlearning:\n  max_retries: 1\n",
        "tests: ~\n",
        "tests:",
        "tests:\r\n  old_failures: must_pass\r\nlearning: {max_retries: 1}\r\n",
        "tests:\n\n  # long\n  guard: flag\n\n\n# end",
    ],
)
def test_every_line_stays(before: str) -> None:
    after = add_settings(before, SETTINGS, "1 test file")
    if before == "tests: ~\n":
        assert after == ""  # a person has to do it
        return
    rest = after
    for line in filter(None, before.splitlines()):
        _, found, rest = rest.partition(line)
        assert found == line
    assert ("\r\n" in before) == ("\r\n" in after)
    assert after.count("\n") == after.count("\r\n") or "\r" not in after
    old = parse_yaml(before)[1] or {}
    new = parse_yaml(after)[1]
    assert new["tests"] == {**(old.get("tests") or {}), **SETTINGS}
    assert {**new, "tests": None} == {**old, "tests": None}


@pytest.mark.parametrize(
    "before",
    ["tests: {timeout: 60}\n", "tests: []\n", "{tests: {timeout: 1}}\n", "{}\n", "a: 1\n...\n"],
)
def test_what_cannot_be_added_to_is_refused(before: str) -> None:
    assert add_settings(before, SETTINGS, "") == ""


@given(st.text(max_size=40), st.text(max_size=60))
def test_any_command_and_reason_can_be_read_again(command: str, reason: str) -> None:
    text = add_settings("", {"command": command}, reason)
    if text or command.isprintable():
        assert read_settings(text) == {"command": command}


def test_a_long_reason_is_wrapped() -> None:
    reason = "; ".join(["2 test files in tests/, unit/ and integration/"] * 4)
    text = add_settings("", {"command": "make"}, reason)
    assert max(map(len, text.splitlines())) < 78
    written = " ".join(line.strip(" #") for line in text.splitlines())
    assert f"Chosen by: {reason}." in written


def test_the_difference_is_shown_as_a_patch() -> None:
    assert "+b" in format_diff("a\n", "a\nb\n", "x").splitlines()
