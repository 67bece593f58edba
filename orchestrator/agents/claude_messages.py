"""Turn Claude Code's messages into events while it works, and an `AgentResult` at the end."""

import json
import time
from collections import deque
from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestrator import events
from orchestrator.agents.claude_endings import Ending, SessionSummary, judge_session
from orchestrator.agents.claude_tools import describe_error
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
from orchestrator.agents.resets import parse_timestamp
from orchestrator.agents.transcripts import iter_rows
from orchestrator.agents.wording import format_one_line, strip_control_characters
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from teacher.models import UNKNOWN_USAGE, Usage

_MOST_DENIALS: Final = 20
_ALLOWED_STATUSES: Final = ("allowed", "allowed_warning")

_DETAIL_INPUTS: Final = (
    "file_path",
    "notebook_path",
    "command",
    "pattern",
    "url",
    "query",
    "skill",
)
"""Inputs of Claude Code's tools that describe a call, the most specific first."""

_LONGEST_ROUND: Final = 4
"""Calls; a longer cycle cannot be distinguished from work."""


@dataclass
class _Calls:
    """The last calls of one thread, and how often they were repeated."""

    last: deque[str] = field(default_factory=lambda: deque(maxlen=_LONGEST_ROUND))
    equal: list[int] = field(default_factory=lambda: [0] * _LONGEST_ROUND)
    """For rounds of 1, 2, ... calls: the number of successive calls that were equal to the one a
    round before."""

    def add(self, call: str) -> tuple[int, int]:
        """Add a call; return how often in a row the last round was made, and its length."""
        for back in range(1, len(self.last) + 1):
            self.equal[back - 1] = self.equal[back - 1] + 1 if self.last[-back] == call else 0
        self.last.append(call)
        rounds = (
            ((equal + length) // length, -length) for length, equal in enumerate(self.equal, 1)
        )
        times, length = max(rounds)  # of equally frequent rounds the shortest
        return times, -length


_IMPOSSIBLE: Final = 1e15
"""Tokens or US dollars that no bill reaches: a larger number is broken."""


class MessageReader:
    """Handles the messages of one session, in order.

    Args:
        workspace: the project; paths in it are shown relative to it.
        on_event: called with what the agent does. Its errors are raised.
        refused: the ids of the tool calls that were not executed. An id is added before the
            call's result is handled.
    """

    def __init__(
        self, workspace: Path, on_event: events.Listener, refused: Container[str] = ()
    ) -> None:
        self._workspace, self._emit, self._refused = workspace, on_event, refused
        self._open: dict[str, tuple[str, float]] = {}
        """Tool and start time of each call that has not ended, by id."""
        self._summary = SessionSummary()
        self._calls: dict[str | None, _Calls] = {}

    @property
    def same_calls(self) -> int:
        """How often in a row the last tool call, or round of a few calls, was made."""
        return self._summary.same_calls

    def handle_message(self, message: Message) -> None:
        """Handle one message."""
        summary = self._summary
        match message:
            case ResultMessage():
                summary.results.append(message)
                summary.at_work = False
            case AssistantMessage() if message.error or message.model == "<synthetic>":
                summary.program_message = _join_text_blocks(message) or summary.program_message
            case AssistantMessage():
                summary.at_work = True
                summary.model_message = _join_text_blocks(message) or summary.model_message
                for block in message.content:
                    self._handle_block(block, message.parent_tool_use_id)
            case UserMessage():
                for block in message.content:
                    if isinstance(block, ToolResultBlock):
                        self._end_call(block)
            case SystemMessage(subtype="init"):
                summary.model = str(message.data.get("model") or "")
                summary.version = str(message.data.get("claude_code_version") or "")
            case RateLimitEvent():
                self._handle_limit(message)
            case SystemMessage(subtype="api_retry"):
                self._emit(events.AgentWaiting(_describe_retry(message.data)))

    def build_result(self, ending: Ending, limits: AgentLimits) -> AgentResult:
        """Return the result of the session after the program has ended."""
        summary = self._summary
        outcome, message = judge_session(summary, ending, limits)
        last = summary.results[-1] if summary.results else None
        # `num_turns` is one more than the limit: it counts the turn that was not taken.
        too_many = outcome is AgentOutcome.MAX_TURNS
        return AgentResult(
            outcome=outcome,
            message=message,
            turns=min(summary.turns, limits.max_turns) if too_many else summary.turns,
            usage=_read_result_usage(last) if last else _read_transcript_usage(ending.transcript),
            seconds=ending.seconds,
            program="claude_code",
            program_version=summary.version,
            model=summary.model,
            session_id=ending.session_id,
            transcript=ending.transcript,
            stderr_tail=ending.stderr_tail,
            denials=_describe_denials(summary.results, self._workspace),
            resets_at=summary.find_reset_time(message)
            if outcome is AgentOutcome.USAGE_LIMIT
            else None,
            silent=outcome is AgentOutcome.COMPLETED and summary.is_silent,
        )

    def _handle_limit(self, event: RateLimitEvent) -> None:
        # With paid extra usage, work continues although the plan's limit is reached.
        rejected = event.status == "rejected" and event.overage_status not in _ALLOWED_STATUSES
        self._summary.rejected = rejected
        self._summary.resets_at = parse_timestamp(event.resets_at) if rejected else None

    def _handle_block(self, block: object, thread: str | None) -> None:
        match block:
            case TextBlock(text=text) if text.strip():
                self._emit(events.AgentSpoke(strip_control_characters(text).strip()))
            case ToolUseBlock():
                self._summary.used_tools = True
                self._count_call(block, thread)
                tool = format_one_line(block.name)
                self._open[block.id] = tool, time.monotonic()
                detail = describe_tool_call(block.input, self._workspace)
                self._emit(events.ToolUsed(tool, detail, block.id))

    def _end_call(self, result: ToolResultBlock) -> None:
        if result.tool_use_id not in self._open:
            return
        tool, started = self._open.pop(result.tool_use_id)
        refused = result.tool_use_id in self._refused
        failed = bool(result.is_error) and not refused
        reason = describe_error(result.content) if failed or refused else ""
        seconds = time.monotonic() - started
        self._emit(events.ToolEnded(result.tool_use_id, tool, failed, refused, reason, seconds))

    def _count_call(self, call: ToolUseBlock, thread: str | None) -> None:
        """Count equal calls, per subagent: their calls are interleaved."""
        key = json.dumps([call.name, call.input], sort_keys=True)
        calls = self._calls.setdefault(thread, _Calls())
        self._summary.same_calls, self._summary.round_length = calls.add(key)


def describe_tool_call(given: object, workspace: Path) -> str:
    """Return what a tool call is about, on one line: the file, the command, the pattern."""
    given = given if isinstance(given, Mapping) else {}
    for name in (*_DETAIL_INPUTS, "description"):
        if isinstance(value := given.get(name), str):
            break
    else:
        # With its name, by which masking recognises a secret.
        texts = (f"{name}: {text}" for name, text in given.items() if isinstance(text, str))
        value = next(texts, "")
    return format_one_line(value.removeprefix(f"{workspace}/"))


def _join_text_blocks(message: AssistantMessage) -> str:
    """Return the text of a message of the agent itself; empty for a subagent's."""
    if message.parent_tool_use_id:
        return ""
    return "\n".join(
        block.text for block in message.content if isinstance(block, TextBlock)
    ).strip()


def _describe_retry(data: Mapping[str, Any]) -> str:
    """Return `HTTP 529 (server_error), retry 1 of 2 in 0.6 s`, as far as the message has it."""
    status, error = data.get("error_status"), data.get("error")
    cause = f"HTTP {status}" if status else "no connection to the API"
    delay = data.get("retry_delay_ms")
    soon = f" in {delay / 1000:.1f} s" if isinstance(delay, int | float) else ""
    named = f" ({error})" if error else ""
    return format_one_line(
        f"{cause}{named}, retry {data.get('attempt')} of {data.get('max_retries')}{soon}"
    )


def _describe_denials(results: list[ResultMessage], workspace: Path) -> tuple[str, ...]:
    denied = [denial for result in results for denial in result.permission_denials]
    descriptions = (
        format_one_line(
            f"{each.get('tool_name')}: {describe_tool_call(each.get('tool_input'), workspace)}"
        )
        for each in denied
        if isinstance(each, Mapping)
    )
    return tuple(dict.fromkeys(descriptions))[:_MOST_DENIALS]


def _read_result_usage(result: ResultMessage) -> Usage:
    """Return the usage up to a result, from `modelUsage`: `usage` lacks subagents."""
    return _sum_usage(result.model_usage, result.total_cost_usd)


def _read_transcript_usage(transcript: Path | None) -> Usage:
    """Return the usage of a run that was ended before its result.

    It is the last `cost-state` row of the transcript, which is cumulative. The rows of messages
    cannot be summed: each content block repeats the usage of its message.
    """
    if not transcript:
        return Usage()
    usage = Usage()
    try:
        for row in iter_rows(transcript):
            if b'"cost-state"' in row:
                # SIGKILL may leave half a row
                with suppress(ValueError, AttributeError, RecursionError):
                    state = json.loads(row)
                    usage = _sum_usage(state.get("modelUsage"), state.get("totalCostUSD"))
    except OSError:
        return usage
    return usage


def _sum_usage(model_usage: Mapping[str, Any] | None, cost: object) -> Usage:
    """Return the sum over all models; `UNKNOWN_USAGE` if any amount is impossible."""
    models = model_usage if isinstance(model_usage, Mapping) else {}
    try:
        total = Usage(cost_usd=_parse_amount(cost))
        for one in models.values():
            if isinstance(one, Mapping):
                total += Usage(
                    input_tokens=int(_parse_amount(one.get("inputTokens"))),
                    output_tokens=int(_parse_amount(one.get("outputTokens"))),
                    cache_read_tokens=int(_parse_amount(one.get("cacheReadInputTokens"))),
                    cache_write_tokens=int(_parse_amount(one.get("cacheCreationInputTokens"))),
                )
    except ValueError:
        return UNKNOWN_USAGE
    return total


def _parse_amount(value: object) -> float:
    """Return an amount as a number; 0 for one that is missing.

    Raises:
        ValueError: it is no amount of anything.
    """
    if value is None:
        return 0.0
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value < _IMPOSSIBLE
    ):
        raise ValueError
    return float(value)
