"""What Claude Code's messages mean: events while it works, an `AgentResult` at the end."""

import json
import time
from collections import deque
from collections.abc import Container, Mapping
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
from orchestrator.agents.wording import format_one_line, strip_control_characters
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from teacher.models import Usage

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
"""Inputs of Claude Code's tools that say what a call is about, the most telling first."""

_LONGEST_ROUND: Final = 4
"""Calls; going round in more than so many is not told from work."""


@dataclass
class _Calls:
    """The last calls of one thread, and for how long they have repeated themselves."""

    last: deque[str] = field(default_factory=lambda: deque(maxlen=_LONGEST_ROUND))
    equal: list[int] = field(default_factory=lambda: [0] * _LONGEST_ROUND)
    """For rounds of one call, of two and so on: calls in a row that were equal to the one that is
    as far back as the round is long."""

    def add(self, call: str) -> tuple[int, int]:
        """Take a call; gives how often in a row the last round was made, and its length."""
        for back in range(1, len(self.last) + 1):
            self.equal[back - 1] = self.equal[back - 1] + 1 if self.last[-back] == call else 0
        self.last.append(call)
        rounds = (
            ((equal + length) // length, -length) for length, equal in enumerate(self.equal, 1)
        )
        times, length = max(rounds)
        return times, -length


_IMPOSSIBLE: Final = 1e15
"""Tokens, or US dollars, that no bill has: what says so is broken."""


class MessageReader:
    """Takes the messages of one session, in order.

    Args:
        workspace: the project; files in it are named relative to it.
        on_event: told what the agent does. What it raises goes through.
        refused: holds the ids of the tool calls that were not carried out, before their results
            are taken.
    """

    def __init__(
        self, workspace: Path, on_event: events.Listener, refused: Container[str] = ()
    ) -> None:
        self._workspace, self._emit, self._refused = workspace, on_event, refused
        self._open: dict[str, tuple[str, float]] = {}
        """Tool and start of each call that has not ended, by its id."""
        self._heard = SessionSummary()
        self._calls: dict[str | None, _Calls] = {}

    @property
    def same_calls(self) -> int:
        """How often in a row the last tool call, or round of a few calls, was made."""
        return self._heard.same_calls

    def handle_message(self, message: Message) -> None:
        """Take one message."""
        heard = self._heard
        match message:
            case ResultMessage():
                heard.results.append(message)
                heard.at_work = False
            case AssistantMessage() if message.error or message.model == "<synthetic>":
                heard.program_message = _join_text_blocks(message) or heard.program_message
            case AssistantMessage():
                heard.at_work = True
                heard.model_message = _join_text_blocks(message) or heard.model_message
                for block in message.content:
                    self._handle_block(block, message.parent_tool_use_id)
            case UserMessage():
                for block in message.content:
                    if isinstance(block, ToolResultBlock):
                        self._end_call(block)
            case SystemMessage(subtype="init"):
                heard.model = str(message.data.get("model") or "")
                heard.version = str(message.data.get("claude_code_version") or "")
            case RateLimitEvent():
                self._handle_limit(message)
            case SystemMessage(subtype="api_retry"):
                self._emit(events.AgentWaiting(_describe_retry(message.data)))

    def build_result(self, ending: Ending, limits: AgentLimits) -> AgentResult:
        """What all the messages come to, now that the program has ended."""
        heard = self._heard
        outcome, message = judge_session(heard, ending, limits)
        last = heard.results[-1] if heard.results else None
        # The turn that would have gone over the limit is counted too, but was not taken.
        too_many = outcome is AgentOutcome.MAX_TURNS
        return AgentResult(
            outcome=outcome,
            message=message,
            turns=min(heard.turns, limits.max_turns) if too_many else heard.turns,
            usage=_read_result_usage(last) if last else _read_transcript_usage(ending.transcript),
            seconds=ending.seconds,
            program="claude_code",
            program_version=heard.version,
            model=heard.model,
            session_id=ending.session_id,
            transcript=ending.transcript,
            stderr_tail=ending.stderr_tail,
            denials=_describe_denials(heard.results, self._workspace),
            resets_at=heard.find_reset_time(message)
            if outcome is AgentOutcome.USAGE_LIMIT
            else None,
            silent=outcome is AgentOutcome.COMPLETED and heard.is_silent,
        )

    def _handle_limit(self, event: RateLimitEvent) -> None:
        # Paid extra usage may take over: then a rejected plan keeps nobody from working.
        rejected = event.status == "rejected" and event.overage_status not in _ALLOWED_STATUSES
        self._heard.rejected = rejected
        self._heard.resets_at = parse_timestamp(event.resets_at) if rejected else None

    def _handle_block(self, block: object, thread: str | None) -> None:
        match block:
            case TextBlock(text=text) if text.strip():
                self._emit(events.AgentSpoke(strip_control_characters(text).strip()))
            case ToolUseBlock():
                self._heard.used_tools = True
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
        why = describe_error(result.content) if failed or refused else ""
        seconds = time.monotonic() - started
        self._emit(events.ToolEnded(result.tool_use_id, tool, failed, refused, why, seconds))

    def _count_call(self, call: ToolUseBlock, thread: str | None) -> None:
        """Count equal calls; subagents work side by side, so each has calls of its own."""
        what = json.dumps([call.name, call.input], sort_keys=True)
        calls = self._calls.setdefault(thread, _Calls())
        self._heard.same_calls, self._heard.round_length = calls.add(what)


def describe_tool_call(given: object, workspace: Path) -> str:
    """What a tool call is about, on one line: the file, the command, the pattern."""
    given = given if isinstance(given, Mapping) else {}
    for name in (*_DETAIL_INPUTS, "description"):
        if isinstance(value := given.get(name), str):
            break
    else:
        # With its name, by which a secret is known as one.
        texts = (f"{name}: {text}" for name, text in given.items() if isinstance(text, str))
        value = next(texts, "")
    return format_one_line(value.removeprefix(f"{workspace}/"))


def _join_text_blocks(message: AssistantMessage) -> str:
    """Return a message's words; a subagent's are not the agent's."""
    if message.parent_tool_use_id:
        return ""
    return "\n".join(
        block.text for block in message.content if isinstance(block, TextBlock)
    ).strip()


def _describe_retry(data: Mapping[str, Any]) -> str:
    """`HTTP 529 (server_error), retry 1 of 2 in 0.6 s`, as far as the message tells it."""
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
    told = (
        format_one_line(
            f"{each.get('tool_name')}: {describe_tool_call(each.get('tool_input'), workspace)}"
        )
        for each in denied
        if isinstance(each, Mapping)
    )
    return tuple(dict.fromkeys(told))[:_MOST_DENIALS]


def _read_result_usage(result: ResultMessage) -> Usage:
    """The bill up to a result. `usage` is of the main thread only; `modelUsage` is of all."""
    return _sum_usage(result.model_usage, result.total_cost_usd)


def _read_transcript_usage(transcript: Path | None) -> Usage:
    """The bill of a run that was ended before its result: the transcript's last cost-state."""
    if not transcript:
        return Usage()
    usage = Usage()
    try:
        with transcript.open(encoding="utf-8", errors="replace") as rows:
            for row in rows:
                if '"cost-state"' in row:
                    state = json.loads(row)
                    usage = _sum_usage(state.get("modelUsage"), state.get("totalCostUSD"))
    except (OSError, ValueError, AttributeError):  # SIGKILL may leave half a row
        return usage
    return usage


def _sum_usage(model_usage: Mapping[str, Any] | None, cost: float | None) -> Usage:
    total = Usage(cost_usd=_parse_amount(cost))
    models = model_usage if isinstance(model_usage, Mapping) else {}
    for one in models.values():
        if isinstance(one, Mapping):
            total += Usage(
                input_tokens=int(_parse_amount(one.get("inputTokens"))),
                output_tokens=int(_parse_amount(one.get("outputTokens"))),
                cache_read_tokens=int(_parse_amount(one.get("cacheReadInputTokens"))),
                cache_write_tokens=int(_parse_amount(one.get("cacheCreationInputTokens"))),
            )
    return total


def _parse_amount(value: object) -> float:
    """Return a number of a bill; 0 for what is none, is negative, or cannot be meant."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 <= value < _IMPOSSIBLE else 0.0
