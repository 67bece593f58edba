"""What Claude Code's messages mean: events while it works, an `AgentResult` at the end.

An end is judged by `is_error` and `terminal_reason` of the last result: the exit code is 0 for an
interrupted run, and `subtype` says `success` for an API error.
"""

import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    RateLimitEvent,
    RateLimitInfo,
    ResultMessage,
    SystemMessage,
    TextBlock,
    ToolUseBlock,
)

from orchestrator import events
from orchestrator.agents.resets import reset_time
from orchestrator.agents.wording import last_lines, one_line, plain
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from orchestrator.process import EndedBy
from teacher.models import Usage

_MOST_DENIALS: Final = 20

_TELLING: Final = ("file_path", "notebook_path", "command", "pattern", "url", "query", "skill")
"""Inputs of Claude Code's tools that say what a call is about, the most telling first."""

_USAGE_LIMIT: Final = re.compile(
    r"You've (hit|reached) your |You're out of |usage limit|usage credits|out of usage", re.I
)
_LOGIN: Final = re.compile(r"not logged in|run /login|OAuth (token|session)", re.I)
_NOISE: Final = re.compile(r"API Error:\s*(\d{3}\b\s*)?", re.I)

_DONE: Final = ("completed", "stop_hook_prevented")
"""The second: the agent had ended its turn by itself when a Stop hook said `continue: false`."""

_HOOK: Final = (
    AgentOutcome.CRASHED,
    "a hook stopped the run (continue: false); look at `hooks` in .claude/settings.json "
    "of the project and of your home. {text}",
)
_TOO_LARGE: Final = (AgentOutcome.API_ERROR, "API error: {text}; give a smaller task")
_SIGNAL: Final = (AgentOutcome.CRASHED, "Claude Code was interrupted by a signal. {text}")
_REASONS: Final = {
    "max_turns": (AgentOutcome.MAX_TURNS, "{text}; claude.max_turns allows more"),
    "budget_exhausted": (AgentOutcome.MAX_COST, "{text}; limits.max_cost_usd allows more"),
    "hook_stopped": _HOOK,
    "prompt_too_long": _TOO_LARGE,
    "image_error": _TOO_LARGE,
    "blocking_limit": _TOO_LARGE,
    "rapid_refill_breaker": _TOO_LARGE,
    "aborted_streaming": _SIGNAL,
    "aborted_tools": _SIGNAL,
}
"""What a result's `terminal_reason` means, where it says enough."""

_LIMITS: Final = {
    EndedBy.WALL_CLOCK: (
        AgentOutcome.WALL_CLOCK,
        "ended after {limits.wall_clock_seconds:g} s; limits.wall_clock allows more",
    ),
    EndedBy.NO_OUTPUT: (
        AgentOutcome.NO_OUTPUT,
        "ended after {limits.no_output_seconds:g} s of silence; limits.no_output allows more",
    ),
    EndedBy.NO_PROGRESS: (
        AgentOutcome.NO_PROGRESS,
        "{calls} times in a row; limits.same_tool_call allows more",
    ),
    EndedBy.PROCESSES: (
        AgentOutcome.PROCESSES,
        "had more than {limits.max_processes} processes; limits.max_processes allows more",
    ),
}
"""What it means that a limit of ours ended the program."""

_LONGEST_ROUND: Final = 4
"""Calls; going round in more than so many is not told from work."""

_LOGIN_MEND: Final = "set ANTHROPIC_API_KEY, or run `claude` and log in"
_STATUS_MENDS: Final = {
    401: "check ANTHROPIC_API_KEY, or run `claude` and log in",
    403: "check that this key or login may use the model",
    404: "check claude.model",
    413: "the request is too large",
    429: "wait and run again",
}


@dataclass(frozen=True)
class Ending:
    """How the program ended, as far as its process shows it."""

    ended_by: EndedBy
    returncode: int | None
    seconds: float
    stderr_tail: str
    session_id: str
    transcript: Path | None
    trouble: str = ""
    """What kept us from reading on, if anything did."""


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


class Reading:
    """Takes the messages of one session, in order.

    Args:
        workspace: the project; files in it are named relative to it.
        on_event: told what the agent does. What it raises goes through.
    """

    def __init__(self, workspace: Path, on_event: events.Listener) -> None:
        self._workspace, self._emit = workspace, on_event
        self._results: list[ResultMessage] = []
        self._at_work = True
        self._rejected = False
        self._resets_at: datetime | None = None
        self._calls: dict[str | None, _Calls] = {}
        self.same_calls, self._round = 0, 1
        """How often in a row the last tool call was made, with the same input; or the last round
        of a few calls."""

    def take(self, message: Message) -> None:
        """Take one message."""
        match message:
            case ResultMessage():
                self._results.append(message)
                self._at_work = False
            case AssistantMessage() if not message.error and message.model != "<synthetic>":
                self._at_work = True
                for block in message.content:
                    self._take_block(block, message.parent_tool_use_id)
            case RateLimitEvent():
                self._take_limit(message.rate_limit_info)
            case SystemMessage(subtype="api_retry"):
                self._emit(events.AgentWaiting(_retry(message.data)))

    def result(self, ending: Ending, limits: AgentLimits) -> AgentResult:
        """What all the messages come to, now that the program has ended."""
        outcome, message = self._judge(ending, limits)
        last = self._results[-1] if self._results else None
        turns = sum(result.num_turns for result in self._results)
        return AgentResult(
            outcome=outcome,
            message=message,
            # The turn that would have gone over the limit is counted too, but was not taken.
            turns=min(turns, limits.max_turns) if outcome is AgentOutcome.MAX_TURNS else turns,
            usage=_usage(last) if last else _usage_in(ending.transcript),
            seconds=ending.seconds,
            session_id=ending.session_id,
            transcript=ending.transcript,
            stderr_tail=ending.stderr_tail,
            denials=_denials(self._results, self._workspace),
            resets_at=self._reset(message) if outcome is AgentOutcome.USAGE_LIMIT else None,
        )

    def _take_limit(self, info: RateLimitInfo) -> None:
        self._rejected = info.status == "rejected"
        if self._rejected and info.resets_at:
            self._resets_at = datetime.fromtimestamp(info.resets_at).astimezone()

    def _reset(self, message: str) -> datetime | None:
        """When the limit is lifted: as the API's event says, else as the message does."""
        return self._resets_at or reset_time(message, datetime.now().astimezone())

    def _take_block(self, block: object, thread: str | None) -> None:
        match block:
            case TextBlock(text=text) if text.strip():
                self._emit(events.AgentSpoke(plain(text).strip()))
            case ToolUseBlock():
                self._count(block, thread)
                self._emit(
                    events.ToolUsed(one_line(block.name), tool_detail(block.input, self._workspace))
                )

    def _count(self, call: ToolUseBlock, thread: str | None) -> None:
        """Count equal calls; subagents work side by side, so each has calls of its own."""
        what = json.dumps([call.name, call.input], sort_keys=True)
        self.same_calls, self._round = self._calls.setdefault(thread, _Calls()).add(what)

    def _judge(self, ending: Ending, limits: AgentLimits) -> tuple[AgentOutcome, str]:
        if self._results and not self._at_work:
            return self._judge_result(self._results[-1])
        if ending.ended_by in _LIMITS:
            outcome, words = _LIMITS[ending.ended_by]
            one = "the same tool call" if self._round == 1 else f"the same {self._round} tool calls"
            return outcome, words.format(limits=limits, calls=f"{one} {self.same_calls}")
        if ending.ended_by is EndedBy.US and not ending.trouble:
            return AgentOutcome.CRASHED, "interrupted"
        if ending.returncode is None or ending.ended_by is EndedBy.US:
            return AgentOutcome.CRASHED, f"Claude Code could not be followed: {ending.trouble}"
        return AgentOutcome.CRASHED, _without_result(ending)

    def _judge_result(self, result: ResultMessage) -> tuple[AgentOutcome, str]:
        reason, text = result.terminal_reason, _text_of(result)
        if not result.is_error and reason in _DONE:
            return AgentOutcome.COMPLETED, self._last_words()
        if not result.is_error and reason is None:
            return AgentOutcome.CRASHED, f"a hook kept the prompt back: {text}"
        if reason in _REASONS:
            outcome, words = _REASONS[reason]
            return outcome, words.format(text=text).strip()
        return self._judge_api_error(result, text)

    def _judge_api_error(self, result: ResultMessage, text: str) -> tuple[AgentOutcome, str]:
        status = result.api_error_status
        if result.stop_reason == "refusal":
            return AgentOutcome.REFUSED, f"the model refused: {text}"
        if self._rejected or _USAGE_LIMIT.search(text):
            return AgentOutcome.USAGE_LIMIT, f"{text}; limits.wait_for_reset waits until then"
        if _LOGIN.search(text):
            return AgentOutcome.NOT_LOGGED_IN, f"{text}; {_LOGIN_MEND}"
        if result.terminal_reason in ("api_error", "model_error"):
            named = f"API error {status}" if status else "API error"
            return AgentOutcome.API_ERROR, f"{named}: {text}; {_mend(status, text)}"
        reason = result.terminal_reason or "no reason"
        return AgentOutcome.CRASHED, f"ended with an error, {one_line(reason)}: {text}"

    def _last_words(self) -> str:
        # A command that ends in the background brings a turn, and a result, of its own.
        words = [plain(result.result).strip() for result in self._results if result.result]
        return "\n\n".join(word for word in words if word)


def tool_detail(given: Mapping[str, Any], workspace: Path) -> str:
    """What a tool call is about, on one line: the file, the command, the pattern."""
    for name in (*_TELLING, "description"):
        if isinstance(value := given.get(name), str):
            break
    else:
        value = next((value for value in given.values() if isinstance(value, str)), "")
    return one_line(value.removeprefix(f"{workspace}/"))


def _text_of(result: ResultMessage) -> str:
    text = "; ".join(result.errors or ()) or result.result or ""
    return one_line(_NOISE.sub("", text), 500).rstrip(".")


def _mend(status: int | None, text: str) -> str:
    if "credit balance" in text.lower():
        return "add credit to the account that the key belongs to"
    if status is None:
        return "check the network and ANTHROPIC_BASE_URL"
    if status >= 500:
        return "the API is in trouble; run again later"
    return _STATUS_MENDS.get(status, "the run's record holds the transcript")


def _without_result(ending: Ending) -> str:
    said = last_lines(ending.stderr_tail)
    if "root/sudo" in said:
        said = f"{said}; set IS_SANDBOX=1 if this machine is a sandbox, or run as another user"
    return f"Claude Code ended without a result (exit code {ending.returncode})" + (
        f": {said}" if said else ""
    )


def _retry(data: Mapping[str, Any]) -> str:
    """`HTTP 529 (server_error), retry 1 of 2 in 0.6 s`, as far as the message tells it."""
    status, error = data.get("error_status"), data.get("error")
    cause = f"HTTP {status}" if status else "no connection to the API"
    delay = data.get("retry_delay_ms")
    soon = f" in {delay / 1000:.1f} s" if isinstance(delay, int | float) else ""
    named = f" ({error})" if error else ""
    return one_line(
        f"{cause}{named}, retry {data.get('attempt')} of {data.get('max_retries')}{soon}"
    )


def _denials(results: list[ResultMessage], workspace: Path) -> tuple[str, ...]:
    denied = [denial for result in results for denial in result.permission_denials or ()]
    told = (
        one_line(f"{each.get('tool_name')}: {tool_detail(each.get('tool_input') or {}, workspace)}")
        for each in denied
        if isinstance(each, dict)
    )
    return tuple(dict.fromkeys(told))[:_MOST_DENIALS]


def _usage(result: ResultMessage) -> Usage:
    """The bill up to a result. `usage` is of the main thread only; `modelUsage` is of all."""
    return _bill(result.model_usage, result.total_cost_usd)


def _usage_in(transcript: Path | None) -> Usage:
    """The bill of a run that was ended before its result: the transcript's last cost-state."""
    if not transcript:
        return Usage()
    usage = Usage()
    try:
        with transcript.open(encoding="utf-8", errors="replace") as rows:
            for row in rows:
                if '"cost-state"' in row:
                    state = json.loads(row)
                    usage = _bill(state.get("modelUsage"), state.get("totalCostUSD"))
    except (OSError, ValueError, AttributeError):  # SIGKILL may leave half a row
        return usage
    return usage


def _bill(model_usage: Mapping[str, Any] | None, cost: float | None) -> Usage:
    total = Usage(cost_usd=cost or 0.0)
    for one in (model_usage or {}).values():
        total += Usage(
            input_tokens=one.get("inputTokens", 0),
            output_tokens=one.get("outputTokens", 0),
            cache_read_tokens=one.get("cacheReadInputTokens", 0),
            cache_write_tokens=one.get("cacheCreationInputTokens", 0),
        )
    return total
