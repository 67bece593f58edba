"""Sessions as messages, for endings that the scripted model cannot produce."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agents import claude_messages
from orchestrator.agents.claude_endings import Ending
from orchestrator.agents.claude_messages import MessageReader
from orchestrator.agents.claude_tools import iter_refused_calls
from orchestrator.agents.claude_wire import (
    AssistantMessage,
    Message,
    RateLimitEvent,
    ResultMessage,
    SystemMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)
from orchestrator.events import AgentSpoke, AgentWaiting, Event, ToolEnded, ToolUsed
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from orchestrator.platform.watchdog import EndReason
from teacher.models import UNKNOWN_USAGE, Usage

PROJECT = Path("/p")
ENDING = Ending(EndReason.ITSELF, 0, 1.0, "", "id", None)
LIMITS = AgentLimits()


def result(**fields: Any) -> ResultMessage:
    usual: dict[str, Any] = {
        "is_error": False, "num_turns": 1, "terminal_reason": "completed", "result": "done",
    }  # fmt: skip
    return ResultMessage(**{**usual, **fields})


def failure(text: str, **fields: Any) -> ResultMessage:
    return result(is_error=True, terminal_reason="api_error", result=text, **fields)


def says(*blocks: TextBlock | ToolUseBlock, **fields: Any) -> AssistantMessage:
    return AssistantMessage(content=list(blocks), model="claude-opus-5-5", **fields)


def read(*messages: Message, ending: Ending = ENDING) -> tuple[AgentResult, list[Event]]:
    events: list[Event] = []
    reading = MessageReader(PROJECT, events.append)
    for message in messages:
        reading.handle_message(message)
    return reading.build_result(ending, LIMITS), events


@pytest.mark.parametrize(
    ("message", "outcome", "words"),
    [
        (failure("You've hit your session limit · resets 3pm", api_error_status=429),
         AgentOutcome.USAGE_LIMIT, "resets 3pm"),
        (failure("You're out of extra usage · resets 5pm"), AgentOutcome.USAGE_LIMIT, "5pm"),
        (failure("Your org is out of usage · contact your admin"),
         AgentOutcome.USAGE_LIMIT, "contact your admin"),
        (failure("OAuth token has expired · Please run /login", api_error_status=401),
         AgentOutcome.NOT_LOGGED_IN, "log in"),
        (failure("Credit balance is too low", api_error_status=400),
         AgentOutcome.API_ERROR, "add credit"),
        (failure("API Error: 400 what you sent is wrong", api_error_status=400),
         AgentOutcome.API_ERROR, "API error 400: what you sent is wrong;"),
        (failure("API Error: 500 oh", api_error_status=500), AgentOutcome.API_ERROR, "later"),
        (result(is_error=True, terminal_reason="prompt_too_long", result="Prompt is too long"),
         AgentOutcome.API_ERROR, "smaller task"),
        (result(is_error=True, terminal_reason="aborted_tools"), AgentOutcome.CRASHED, "signal"),
        (result(is_error=True, terminal_reason="turn_setup_failed", errors=["no {setup}"]),
         AgentOutcome.CRASHED, "(turn_setup_failed): no {setup}"),
        (result(is_error=True, terminal_reason="max_turns", errors=["{text} {0}"], result=None),
         AgentOutcome.MAX_TURNS, "{text} {0}"),
        (result(is_error=True), AgentOutcome.CRASHED, "(completed): done"),
        (result(terminal_reason=None, num_turns=0), AgentOutcome.CRASHED, "hook"),
        (result(terminal_reason="stop_hook_prevented"), AgentOutcome.COMPLETED, "done"),
    ],
)  # fmt: skip
def test_ends(message: ResultMessage, outcome: AgentOutcome, words: str) -> None:
    judged, _ = read(message)
    assert judged.outcome is outcome
    assert words in judged.message


def test_a_rejecting_rate_limit_makes_any_api_error_a_usage_limit() -> None:
    event = RateLimitEvent(status="rejected")
    judged, _ = read(event, failure("something new", api_error_status=429))
    assert judged.outcome is AgentOutcome.USAGE_LIMIT


def test_of_several_results_the_last_bill_counts_and_no_text_is_lost() -> None:
    def billed(tokens: int, text: str) -> ResultMessage:
        model = {"inputTokens": tokens, "outputTokens": 1, "cacheReadInputTokens": 2,
                 "cacheCreationInputTokens": 3}  # fmt: skip
        return result(
            result=text, total_cost_usd=tokens / 100, model_usage={"a": model, "b": model}
        )

    judged, _ = read(billed(10, "the answer"), says(TextBlock("ok")), billed(20, "ok"))
    assert judged.message == "the answer\n\nok"
    assert judged.usage == Usage(40, 2, 4, 6, 0.2)
    assert judged.turns == 2


@pytest.mark.parametrize("by", [EndReason.WALL_CLOCK, EndReason.NO_OUTPUT, EndReason.US])
def test_an_end_by_us_counts_only_while_there_is_work_to_do(by: EndReason) -> None:
    ended = replace(ENDING, ended_by=by)
    outcome = {
        EndReason.WALL_CLOCK: AgentOutcome.WALL_CLOCK,
        EndReason.NO_OUTPUT: AgentOutcome.NO_OUTPUT,
        EndReason.US: AgentOutcome.CRASHED,
    }[by]
    assert read(result(), ending=ended)[0].outcome is AgentOutcome.COMPLETED
    assert read(says(TextBlock("x")), ending=ended)[0].outcome is outcome
    assert read(result(), says(TextBlock("more")), ending=ended)[0].outcome is outcome


def test_an_end_without_a_result_quotes_standard_error() -> None:
    ended = replace(ENDING, returncode=1, stderr_tail="warning: x\nerror: unknown option '--y'")
    judged, _ = read(ending=ended)
    assert judged.outcome is AgentOutcome.CRASHED
    assert "exit code 1" in judged.message
    assert "unknown option '--y'" in judged.message
    assert judged.stderr_tail == ended.stderr_tail


def test_events_are_short_and_fit_for_a_terminal() -> None:
    _, events = read(
        says(
            TextBlock("\x1b]0;title\x07hello\nthere"),
            TextBlock("  \n"),
            ToolUseBlock("1", "Edit", {"file_path": "/p/src/a.py", "old_string": "x"}),
            ToolUseBlock("2", "Bash", {"description": "runs", "command": "a\n  b\x1b[2J"}),
            ToolUseBlock("3", "Grep", {"path": "/p", "pattern": "x" * 500}),
            ToolUseBlock("4", "TodoWrite", {"todos": []}),
        )
    )
    assert events[:3] == [
        AgentSpoke("hello\nthere"),
        ToolUsed("Edit", "src/a.py"),
        ToolUsed("Bash", "a b"),
    ]
    assert isinstance(events[3], ToolUsed)
    assert len(events[3].detail) == 160
    assert events[4:] == [ToolUsed("TodoWrite", "")]


def test_text_of_the_program_in_the_models_name_is_not_the_agents() -> None:
    synthetic = AssistantMessage(content=[TextBlock("API Error: 500")], model="<synthetic>")
    failed = says(TextBlock("Invalid API key"), error="authentication_failed")
    assert read(synthetic, failed)[1] == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"attempt": 1, "max_retries": 2, "retry_delay_ms": 612.4, "error_status": 529,
          "error": "overloaded"}, "HTTP 529 (overloaded), retry 1 of 2 in 0.6 s"),
        ({"attempt": 2, "max_retries": 2, "error_status": None},
         "no connection to the API, retry 2 of 2"),
    ],
)  # fmt: skip
def test_waiting_says_why(data: dict[str, Any], reason: str) -> None:
    assert read(SystemMessage("api_retry", data))[1] == [AgentWaiting(reason)]


def test_each_denial_is_reported_once() -> None:
    denial = {"tool_name": "Bash", "tool_use_id": "1", "tool_input": {"command": "curl x"}}
    odd = {"tool_name": "Odd"}
    judged, _ = read(result(permission_denials=[denial, denial, odd]))
    assert judged.denials == ("Bash: curl x", "Odd:")


def test_a_broken_transcript_gives_what_can_be_read(tmp_path: Path) -> None:
    transcript = tmp_path / "id.jsonl"
    row = '{"type":"cost-state","totalCostUSD":0.5,"modelUsage":{"m":{"inputTokens":7}}}\n'
    transcript.write_text(f'{{"type":"user"}}\n{row}{{"type":"cost-state","tot', encoding="utf-8")
    judged, _ = read(ending=replace(ENDING, transcript=transcript))
    assert judged.usage == Usage(input_tokens=7, cost_usd=0.5)


def called(calls: str, *, thread: str | None = None) -> AssistantMessage:
    """One call for each letter; the same letter is the same call."""
    return says(
        *(ToolUseBlock("1", "Bash", {"command": letter}) for letter in calls),
        parent_tool_use_id=thread,
    )


def same_calls(*messages: AssistantMessage) -> int:
    reading = MessageReader(PROJECT, lambda _: None)
    for message in messages:
        reading.handle_message(message)
    return reading.same_calls


@pytest.mark.parametrize(
    ("calls", "times"),
    [
        ("a", 1),
        ("aaaa", 4),
        ("abab", 2),
        ("xyabababab", 4),
        ("ababa", 2),
        ("abcabcabc", 3),
        ("aabaabaab", 3),
        ("abcdabcdabcd", 3),
        ("abcdeabcdeabcde", 1),  # a round of five cannot be distinguished from work
        ("e1te2te3te4t", 1),  # edits that differ, and the tests in between
        ("ababx", 1),
        ("ababxab", 1),
    ],
)
def test_rounds_of_calls_are_counted(calls: str, times: int) -> None:
    assert same_calls(*map(called, calls)) == times
    assert same_calls(called(calls)) == times


def test_two_subagents_side_by_side_are_no_round() -> None:
    side_by_side = [
        called(each, thread=thread) for each in "abcdef" for thread in ("one", "two", None)
    ]
    assert same_calls(*side_by_side) == 1
    assert same_calls(*side_by_side, called("f"), called("f", thread="one")) == 2


def test_a_round_is_named_as_what_ended_the_attempt() -> None:
    ending = replace(ENDING, ended_by=EndReason.NO_PROGRESS)
    result, _ = read(*map(called, "abab"), ending=ending)
    assert result.outcome is AgentOutcome.NO_PROGRESS
    assert result.message.startswith(
        "the same 2 tool calls 2 times in a row; raise limits.same_tool_call"
    )
    result, _ = read(*map(called, "baaa"), ending=ending)
    assert result.message.startswith(
        "the same tool call 3 times in a row; raise limits.same_tool_call"
    )


def test_a_tool_call_ends_once_and_says_how() -> None:
    events: list[Event] = []
    reading = MessageReader(PROJECT, events.append, refused={"3"})
    for id_ in ("1", "2", "3", "4"):
        reading.handle_message(says(ToolUseBlock(id_, "Bash", {"command": f"run {id_}"})))
    texts = [{"type": "text", "text": "<tool_use_error>no\nsuch file</tool_use_error>"}]
    results = [
        ToolResultBlock("1", "fine"),
        ToolResultBlock("2", texts, is_error=True),
        ToolResultBlock("3", "needs approval", is_error=True),
        ToolResultBlock("3", "again", is_error=True),
        ToolResultBlock("unknown", "x"),
    ]
    reading.handle_message(UserMessage(content=list(results)))
    reading.handle_message(UserMessage(content=()))
    assert [event for event in events if isinstance(event, ToolEnded)] == [
        ToolEnded("1", "Bash"),
        ToolEnded("2", "Bash", failed=True, why="no such file"),
        ToolEnded("3", "Bash", refused=True, why="needs approval"),
    ]
    assert [event.id for event in events if isinstance(event, ToolUsed)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("meta", "refused"),
    [
        ([{"id": "1", "permission_decision": {"decision": "reject", "source": "hook"}}], ["1"]),
        ([{"id": "1", "permission_decision": {"decision": "accept"}}, {"id": "2"}, "x"], []),
        ([{"id": 1, "permission_decision": {"decision": "reject"}}], []),
        ("reject", []),
        (None, []),
    ],
)
def test_refusals_are_read_from_the_raw_message(meta: object, refused: list[str]) -> None:
    assert list(iter_refused_calls({"type": "user", "tool_result_meta": meta})) == refused
    assert list(iter_refused_calls({})) == []


@pytest.mark.parametrize("value", ["12", -5, float("nan"), float("inf"), 10**30, True, [1]])
def test_a_bill_that_cannot_be_says_nothing(value: object) -> None:
    good = {"inputTokens": 10}
    for models, cost in (({"x": {"outputTokens": value}, "y": good}, 0.1), ({"x": good}, value)):
        assert claude_messages._sum_usage(models, cost) == UNKNOWN_USAGE


def test_what_a_bill_lacks_is_nothing() -> None:
    assert claude_messages._sum_usage({"x": {"inputTokens": None}}, None) == Usage()
    assert claude_messages._sum_usage(None, 0.1) == Usage(cost_usd=0.1)
