"""The end of a Claude Code session is judged by its messages: limits, logins, silence."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.claude_wire import (
    AssistantMessage,
    Message,
    RateLimitEvent,
    ResultMessage,
    SystemMessage,
    TextBlock,
    ToolUseBlock,
)
from orchestrator.models import AgentOutcome, AgentResult
from tests.agents.endings import API_ERRORS, LIMITS, LOGINS, MENTIONS, Notice
from tests.agents.test_claude_messages import ENDING, failure, read, result, says

EDIT = ToolUseBlock("1", "Edit", {"file_path": "/p/a.py"})
MODEL = SystemMessage("init", {"model": "claude-opus-5-5"})
RESETS_AT = 1796000000


def end(*messages: Message) -> AgentResult:
    return read(*messages)[0]


def test_a_429_of_a_login_that_is_not_the_limit_of_its_plan() -> None:
    text = (
        "API Error: Server is temporarily limiting requests (not your usage limit) · This request "
        "would exceed your organization's rate limit."
    )
    ended = end(MODEL, limit(), by_program(text), failure(text, api_error_status=429))
    assert ended.outcome is AgentOutcome.API_ERROR
    assert "API error 429: Server is temporarily limiting requests" in ended.message


def by_program(text: str) -> AssistantMessage:
    return AssistantMessage(content=[TextBlock(text)], model="<synthetic>", error="rate_limit")


def by_model(text: str) -> AssistantMessage:
    return says(TextBlock(text))


def limit(status: Any = "rejected", **fields: Any) -> RateLimitEvent:
    return RateLimitEvent(status=status, **fields)


def empty(**fields: Any) -> ResultMessage:
    return result(**{"result": "", **fields})


def check(ended: AgentResult, notice: Notice) -> None:
    assert ended.outcome is notice.outcome
    assert (ended.resets_at is not None) == notice.has_reset_time
    assert ("to wait until then" in ended.message) == notice.has_reset_time
    assert notice.quotes in ended.message


@pytest.mark.parametrize("notice", [*LIMITS, *LOGINS, *API_ERRORS], ids=str)
def test_a_notice_that_comes_as_an_error(notice: Notice) -> None:
    failed = failure(notice.message, api_error_status=notice.status)
    check(end(MODEL, failed), notice)
    check(end(MODEL, by_program(notice.message), failed), notice)
    check(end(MODEL, says(EDIT), by_program(notice.message), failed), notice)
    check(end(MODEL, says(EDIT), replace(failed, num_turns=9)), notice)


@pytest.mark.parametrize("notice", [*LIMITS, *LOGINS], ids=str)
@pytest.mark.parametrize("is_error", [False, True])
@pytest.mark.parametrize("reason", ["completed", None, "api_error"])
def test_a_notice_counts_whatever_the_result_calls_itself(
    notice: Notice, is_error: bool, reason: str | None
) -> None:
    said = result(result=notice.message, is_error=is_error, terminal_reason=reason)
    check(end(said), notice)
    check(end(by_model(notice.message), said), notice)
    check(end(by_program(notice.message), said), notice)


@pytest.mark.parametrize("notice", LIMITS, ids=str)
def test_a_limit_during_the_work_counts_if_the_program_reports_it(notice: Notice) -> None:
    said = result(result=notice.message, num_turns=7)
    check(end(says(EDIT), by_program(notice.message), said), notice)
    spoken = end(says(EDIT), by_model(notice.message), said)
    assert spoken.outcome is AgentOutcome.COMPLETED


@pytest.mark.parametrize("words", MENTIONS)
@pytest.mark.parametrize("tool", [True, False])
def test_an_agent_that_speaks_about_limits_has_worked(words: str, tool: bool) -> None:
    spoken = says(EDIT, TextBlock(words)) if tool else by_model(words)
    ended = end(spoken, result(result=words, num_turns=3 if tool else 1))
    assert (ended.outcome, ended.message) == (AgentOutcome.COMPLETED, words)
    assert not ended.silent


WORDS = st.sampled_from(["it", "says", "header", "now", "test", "shows", "client", "done"])


@given(
    st.sampled_from(LIMITS + LOGINS + API_ERRORS),
    st.lists(WORDS, min_size=1, max_size=6).map(" ".join),
    st.lists(WORDS, max_size=6).map(" ".join),
    st.sampled_from([" ", "\n", ": ", " '"]),
)
def test_a_notice_within_a_working_agents_answer_is_none(
    notice: Notice, before: str, after: str, joint: str
) -> None:
    words = f"{before}{joint}{notice.message} {after}"
    worked = end(says(EDIT), by_model(words), result(result=words, num_turns=4))
    assert worked.outcome is AgentOutcome.COMPLETED
    if len(before.split()) > 2:  # a word or two may be the name of a model or a limit
        assert end(by_model(words), result(result=words)).outcome is AgentOutcome.COMPLETED


@given(st.text(), st.booleans(), st.sampled_from(["completed", "api_error", None]))
def test_any_text_can_be_judged(text: str, is_error: bool, reason: str | None) -> None:
    said = result(result=text, is_error=is_error, terminal_reason=reason)
    assert end(by_model(text), said).outcome
    assert read(by_program(text), ending=replace(ENDING, stderr_tail=text))[0].outcome


# ---- events of the API ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [None, 400, 429])
def test_a_rejecting_event_has_the_reset(status: int | None) -> None:
    refused = failure("API Error: Request rejected (429)", api_error_status=status)
    ended = end(limit(resets_at=RESETS_AT), refused)
    assert ended.outcome is AgentOutcome.USAGE_LIMIT
    assert ended.resets_at == datetime.fromtimestamp(RESETS_AT, UTC)


@pytest.mark.parametrize("stamp", [RESETS_AT * 1000, str(RESETS_AT), "2026-11-29T21:33:20Z"])
def test_a_reset_is_read_in_each_form(stamp: Any) -> None:
    ended = end(limit(resets_at=stamp), failure("no", api_error_status=429))
    assert ended.resets_at is not None
    assert ended.resets_at.tzinfo is not None


@pytest.mark.parametrize("stamp", ["soon", [], -1, 0, 10**30])
def test_a_reset_that_makes_no_sense_is_left_out(stamp: Any) -> None:
    ended = end(limit(resets_at=stamp), failure("no", api_error_status=429))
    assert (ended.outcome, ended.resets_at) == (AgentOutcome.USAGE_LIMIT, None)


@pytest.mark.parametrize(
    ("event", "status", "outcome"),
    [
        (limit(), 529, AgentOutcome.API_ERROR),
        (limit(), 401, AgentOutcome.NOT_LOGGED_IN),
        (limit("allowed_warning"), 429, AgentOutcome.API_ERROR),
        (limit(overage_status="allowed"), 429, AgentOutcome.API_ERROR),
    ],
)
def test_other_failures_beside_an_event(
    event: RateLimitEvent, status: int, outcome: AgentOutcome
) -> None:
    assert end(event, failure("no", api_error_status=status)).outcome is outcome


def test_an_agent_that_worked_on_after_an_event_has_worked() -> None:
    for event in (limit("allowed_warning", resets_at=RESETS_AT), limit(overage_status="allowed")):
        assert end(event, says(EDIT), result()).outcome is AgentOutcome.COMPLETED


# ---- ends without text, and without a result -----------------------------------------------


@pytest.mark.parametrize("words", ["", "  \n", None, "(no content)"])
def test_a_success_without_any_work_is_none(words: str | None) -> None:
    ended = end(empty(result=words))
    assert ended.outcome is AgentOutcome.CRASHED
    assert "did nothing" in ended.message
    assert not ended.silent
    assert end(limit(resets_at=RESETS_AT), empty()).outcome is AgentOutcome.USAGE_LIMIT


@pytest.mark.parametrize(
    "fields", [{"usage": {"output_tokens": 5}}, {"model_usage": {"m": {"outputTokens": 5}}}]
)
def test_a_model_that_answered_without_text_is_silent(fields: dict[str, Any]) -> None:
    ended = end(empty(**fields))
    assert (ended.outcome, ended.silent) == (AgentOutcome.COMPLETED, True)


def test_a_tool_call_is_work_without_text() -> None:
    ended = end(says(EDIT), empty(usage={"output_tokens": 5}))
    assert (ended.outcome, ended.silent) == (AgentOutcome.COMPLETED, False)
    assert end(says(EDIT), empty()).outcome is AgentOutcome.COMPLETED


@pytest.mark.parametrize("notice", [*LIMITS, *LOGINS], ids=str)
def test_a_notice_is_known_without_a_result(notice: Notice) -> None:
    died = replace(ENDING, returncode=1, stderr_tail=f"warning: x\n{notice.message}")
    assert read(ending=died)[0].outcome is notice.outcome
    assert read(by_program(notice.message))[0].outcome is notice.outcome


def test_a_death_after_a_rejecting_event_is_the_limit() -> None:
    ended, _ = read(limit(resets_at=RESETS_AT), ending=replace(ENDING, returncode=1))
    assert ended.outcome is AgentOutcome.USAGE_LIMIT
    assert ended.resets_at == datetime.fromtimestamp(RESETS_AT, UTC)
