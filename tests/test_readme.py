"""Each command of the README and of the first hour is executed, or it is said why not.

`tests/first_hour/test_pages.py` executes them; what is checked here takes no time.
"""

import pytest

from tests.first_hour.pages import (
    FIRST_HOUR,
    NOT_EXECUTED_HERE,
    README,
    list_commands_of_table,
    list_shown,
)

SHOWN = [*list_shown(README), *list_shown(FIRST_HOUR)]
HOUR = ("init", "doctor", "run", "undo")


def test_commands_were_found() -> None:
    assert len(list_shown(README)) >= 8
    assert len(list_shown(FIRST_HOUR)) >= 15
    assert len(list_commands_of_table(README)) >= 12


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: f"{shown.page}: {shown.text}")
def test_a_command_is_executed_or_has_a_reason(shown: object) -> None:
    text = getattr(shown, "text", "")
    executed = text.startswith(("orchestrator ", "cd ", "git diff", "eval "))
    assert executed or getattr(shown, "reason", ""), f"nothing executes `{text}`"


def test_each_reason_is_needed() -> None:
    reasons = {shown.reason for shown in SHOWN if shown.reason}
    assert reasons == set(NOT_EXECUTED_HERE.values())


def test_the_first_screen_has_the_hour_in_its_order() -> None:
    screen = README.read_text(encoding="utf-8").splitlines()[:45]
    for command in HOUR:
        (line,) = (
            i for i, text in enumerate(screen) if text.startswith(f"$ orchestrator {command}")
        )
        screen = screen[line + 1 :]


def test_both_pages_go_through_the_hour_in_the_same_order() -> None:
    for page in (README, FIRST_HOUR):
        words = [
            shown.text.split()[1] for shown in list_shown(page) if shown.text.startswith("orch")
        ]
        first = [words.index(command) for command in HOUR]
        assert first == sorted(first)
