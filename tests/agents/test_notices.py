"""Notices are distinguished from texts that mention one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.notices import (
    NoticeKind,
    classify_error,
    classify_first_line,
    classify_whole_text,
    find_closing_notice,
    find_last_notice,
    unwrap_error_json,
)
from tests.agents.endings import LIMITS, LOGINS, MENTIONS, Notice

KINDS = st.sampled_from(
    [
        "5-hour",
        "session",
        "weekly",
        "Opus weekly",
        "Weekly Opus",
        "Sonnet",
        "usage",
        "monthly spend",
    ]
)
RESETS = st.sampled_from(
    ["resets 3pm", "resets 5:10pm (Europe/Paris)", "resets Mon 12:00am", "resets 15:00",
     "resets in 3 hours", "your limit will reset at 3pm (America/New_York)", "resets Nov 24, 3pm",
     "try again at 2:51 PM", "resets at 7pm UTC"]
)  # fmt: skip
ADVICE = st.sampled_from(["", " · /upgrade to Max", "\n/extra-usage to continue", ". Contact us."])


@given(
    st.sampled_from(["You've hit your {} limit", "You\u2019ve reached your {} limit",
                     "{} limit reached", "{} limit exceeded"]),
    KINDS,
    st.sampled_from([" · ", " ∙ ", " • ", " | ", ". ", " - ", " — ", ", "]),
    RESETS,
    ADVICE,
    st.sampled_from([str, str.upper, str.lower]),
)  # fmt: skip
def test_a_limit_is_recognised_in_each_wording(
    head: str, kind: str, bullet: str, reset: str, advice: str, case: type[str]
) -> None:
    text = case(head.format(kind) + bullet + reset + advice)
    assert classify_whole_text(text) is NoticeKind.LIMIT
    assert classify_error(text) is NoticeKind.LIMIT
    assert find_last_notice(f"working\n{text}") is not None


@pytest.mark.parametrize("text", MENTIONS)
def test_a_mention_is_no_notice(text: str) -> None:
    assert classify_first_line(text) is None
    assert find_last_notice(text) is None


@pytest.mark.parametrize("notice", [*LIMITS, *LOGINS], ids=str)
def test_a_longer_answer_is_no_notice_as_a_whole(notice: Notice) -> None:
    assert classify_whole_text(f"{notice.message}\n\nThe header shows it now.") is None
    assert classify_whole_text(f"I added this line:\n{notice.message}") is None
    assert find_closing_notice(f"{notice.message}\n\nThe header shows it now.") is None


def test_a_reset_after_a_line_break_of_the_terminal_is_found() -> None:
    found = find_last_notice(
        "x\nYou've hit your usage limit. Upgrade or try again in 5 days\n2 hours."
    )
    assert found is not None
    assert found[1].endswith("5 days 2 hours.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("API Error: 500 {oops", "API Error: 500 {oops"),
        ('a {"b": 1}', 'a {"b": 1}'),
        ('E {"error":"no"} x', "E no x"),
        ('{x} {"message": "m"}', "{x} m"),
        ('{"error":{"message":"{\\"error\\":{\\"message\\":\\"deep\\"}}"}}', "deep"),
        ('{"type":"result","result":"done"}', "done"),
        ("[1]", "[1]"),
    ],
)
def test_json_is_replaced_by_its_message(text: str, words: str) -> None:
    assert unwrap_error_json(text) == words


@given(st.text(st.sampled_from("You've hit limit reached resets 3pm·{}[]\"'\n-.,()/ ")))
def test_any_text_is_judged(text: str) -> None:
    classify_whole_text(text)
    classify_error(text)
    find_last_notice(text)
