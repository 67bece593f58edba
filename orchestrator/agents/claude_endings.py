"""Judge how a session of Claude Code ended, by its messages and its process.

Only `is_error` and `terminal_reason` of the last result are reliable: the exit code is 0 for an
interrupted run, and `subtype` is `success` for an API error. Some versions report a usage limit as
a result without an error, so a result that consists only of such a notice is not an answer either.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestrator.agents.claude_wire import ResultMessage
from orchestrator.agents.notices import (
    NoticeKind,
    classify_error,
    classify_first_line,
    find_last_notice,
    unwrap_error_json,
)
from orchestrator.agents.resets import parse_reset_time
from orchestrator.agents.wording import format_one_line, quote_last_lines, strip_control_characters
from orchestrator.models import AgentLimits, AgentOutcome
from orchestrator.platform.watchdog import EndReason

Verdict = tuple[AgentOutcome, str]
"""An outcome, and its message."""

_NOISE: Final = re.compile(r"API Error:\s*(\d{3}\b\s*)?", re.I)

_COMPLETED_REASONS: Final = ("completed", "stop_hook_prevented")
"""The second: a Stop hook returned `continue: false` after the agent had ended its turn."""

_HOOK: Final = (
    AgentOutcome.CRASHED,
    "a hook stopped the run (continue: false); check `hooks` in .claude/settings.json "
    "of the project and of your home directory. {text}",
)
_TOO_LARGE: Final = (AgentOutcome.API_ERROR, "API error: {text}; give the agent a smaller task")
_SIGNAL: Final = (AgentOutcome.CRASHED, "Claude Code was interrupted by a signal. {text}")
_REASONS: Final = {
    "max_turns": (AgentOutcome.MAX_TURNS, "{text}; raise claude.max_turns to allow more"),
    "budget_exhausted": (AgentOutcome.MAX_COST, "{text}; raise limits.max_cost_usd to allow more"),
    "hook_stopped": _HOOK,
    "prompt_too_long": _TOO_LARGE,
    "image_error": _TOO_LARGE,
    "blocking_limit": _TOO_LARGE,
    "rapid_refill_breaker": _TOO_LARGE,
    "aborted_streaming": _SIGNAL,
    "aborted_tools": _SIGNAL,
}
"""Outcomes for the values of `terminal_reason` that determine one."""

_LIMITS: Final = {
    EndReason.WALL_CLOCK: (
        AgentOutcome.WALL_CLOCK,
        "ended after {limits.wall_clock_seconds:g} s; raise limits.wall_clock to allow more",
    ),
    EndReason.NO_OUTPUT: (
        AgentOutcome.NO_OUTPUT,
        "ended after {limits.no_output_seconds:g} s without output; "
        "raise limits.no_output to allow more",
    ),
    EndReason.NO_PROGRESS: (
        AgentOutcome.NO_PROGRESS,
        "{calls} times in a row; raise limits.same_tool_call to allow more",
    ),
    EndReason.PROCESSES: (
        AgentOutcome.PROCESSES,
        "had more than {limits.max_processes} processes; raise limits.max_processes to allow more",
    ),
}
"""Outcomes for the limits that this process enforces."""

_WAIT_HINT: Final = "set limits.wait_for_reset to wait until then"
_NOT_USAGE_LIMIT: Final = "not your usage limit"
"""Words of the program for a 429 that comes from a login but not from its plan (2.1.332). The event
about the plan's limits says that the request was refused all the same."""
_NO_CONTENT: Final = "(no content)"
"""The text that Claude Code substitutes for an empty answer."""

_UNKNOWN_MODEL: Final = re.compile(r"selected model|\bmodel\b.*\bnot (?:exist|found)|^model:", re.I)
_TEXT_TOO_LONG: Final = re.compile(r"(?:conversation|prompt|input) (?:is )?too long", re.I)
_STATUS_HINTS: Final = {
    403: "check that this key or login may use the model",
    413: "the request is too large; give the agent a smaller task",
    429: "wait, then resume the run",
}


@dataclass(frozen=True)
class Ending:
    """How the process of Claude Code ended, and what it left."""

    ended_by: EndReason
    returncode: int | None
    seconds: float
    stderr_tail: str
    session_id: str
    transcript: Path | None
    read_error: str = ""
    """The error because of which reading stopped; empty if there was none."""
    login_hint: str = "log in with `claude auth login`, or set ANTHROPIC_API_KEY"
    """What to do if the API does not accept the login or the key."""


@dataclass
class SessionSummary:
    """A summary of one session's messages, with what is needed to judge how the session ended."""

    results: list[ResultMessage] = field(default_factory=list)
    at_work: bool = True
    """Whether the model sent a message after the last result, or there is no result."""
    used_tools: bool = False
    model: str = ""
    version: str = ""
    """The version of Claude Code."""
    model_message: str = ""
    """The model's last message."""
    program_message: str = ""
    """The last message that Claude Code itself wrote in place of the model's answer."""
    rejected: bool = False
    """Whether requests are refused, according to the last event about the plan's limits."""
    resets_at: datetime | None = None
    same_calls: int = 0
    round_length: int = 1
    """Number of tool calls in the repeated series; `same_calls` is the number of repetitions."""

    @property
    def turns(self) -> int:
        """The number of turns in all results."""
        return sum(result.num_turns for result in self.results)

    @property
    def result_text(self) -> str:
        """The texts of all results: each background command that ends adds a result."""
        texts = [
            strip_control_characters(result.result).strip()
            for result in self.results
            if result.result
        ]
        return "\n\n".join(text for text in texts if text and text != _NO_CONTENT)

    @property
    def is_silent(self) -> bool:
        """Whether there was neither text nor a tool call."""
        return not self.used_tools and not self.result_text

    def find_reset_time(self, message: str) -> datetime | None:
        """Return when the usage limit resets, according to the API's event or else the message."""
        now = datetime.now().astimezone()
        raw = _join_raw_text(self.results[-1]) if self.results else ""
        return self.resets_at or parse_reset_time(message, now) or parse_reset_time(raw, now)


def judge_session(summary: SessionSummary, ending: Ending, limits: AgentLimits) -> Verdict:
    """Return how the session ended, with the agent's final text or the cause."""
    if summary.results and not summary.at_work:
        return _judge_result(summary, summary.results[-1], ending)
    if ending.ended_by in _LIMITS:
        outcome, template = _LIMITS[ending.ended_by]
        length = summary.round_length
        one = "the same tool call" if length == 1 else f"the same {length} tool calls"
        return outcome, template.format(limits=limits, calls=f"{one} {summary.same_calls}")
    if ending.ended_by is EndReason.US and not ending.read_error:
        return AgentOutcome.CRASHED, "interrupted"
    if ending.returncode is None or ending.ended_by is EndReason.US:
        return (
            AgentOutcome.CRASHED,
            f"the output of Claude Code could not be read: {ending.read_error}",
        )
    return _judge_missing_result(summary, ending)


def _judge_missing_result(summary: SessionSummary, ending: Ending) -> Verdict:
    """Judge a session without a result by the last notice that Claude Code printed."""
    message = describe_missing_result(ending)
    found = find_last_notice(summary.program_message) or find_last_notice(ending.stderr_tail)
    kind, notice = (found[0], format_one_line(found[1], 500)) if found else (None, "")
    if summary.rejected or kind is NoticeKind.LIMIT:
        return _judge_limit(summary, f"{message}: {notice}" if notice not in message else message)
    if kind is NoticeKind.LOGIN:
        return AgentOutcome.NOT_LOGGED_IN, f"{message}; {ending.login_hint}"
    if kind is NoticeKind.API:
        return (
            AgentOutcome.API_ERROR,
            f"API error: {unwrap_error_json(notice)}; {_suggest_fix(summary, None, notice)}",
        )
    return AgentOutcome.CRASHED, message


def _judge_result(summary: SessionSummary, result: ResultMessage, ending: Ending) -> Verdict:
    reason, text = result.terminal_reason, format_result_text(result)
    notice = _find_program_notice(summary, result)
    if notice is NoticeKind.LIMIT:
        return _judge_limit(summary, text)
    if reason in _REASONS:
        outcome, template = _REASONS[reason]
        return outcome, template.format(text=text).strip()
    if result.is_error or notice:
        return _judge_error(summary, result, notice, ending)
    if reason in _COMPLETED_REASONS:
        return _judge_success(summary)
    # After a UserPromptSubmit hook blocks the prompt, the result is a success with exit code 0,
    # but there was no request and there is no terminal_reason.
    if reason is None:
        return AgentOutcome.CRASHED, f"a hook blocked the prompt: {text}"
    return AgentOutcome.CRASHED, f"did not finish ({format_one_line(reason)}): {text}"


def _find_program_notice(summary: SessionSummary, result: ResultMessage) -> NoticeKind | None:
    """Return the kind of notice that the result consists of; None if the agent may have written it.

    An agent that did some work may end with any text, even a quoted notice. Without work, a notice
    is not an answer, regardless of who wrote it.
    """
    text = _join_raw_text(result).strip()
    worked = summary.used_tools or summary.turns > 1
    return None if worked and text in summary.model_message else classify_first_line(text)


def _judge_success(summary: SessionSummary) -> Verdict:
    if not summary.is_silent or any(map(_count_output_tokens, summary.results)):
        return AgentOutcome.COMPLETED, summary.result_text
    nothing = "Claude Code ended without an error and did nothing: no text, tool call or token"
    return _judge_limit(summary, nothing) if summary.rejected else (AgentOutcome.CRASHED, nothing)


def _judge_error(
    summary: SessionSummary, result: ResultMessage, notice: NoticeKind | None, ending: Ending
) -> Verdict:
    status, reason, text = (
        result.api_error_status,
        result.terminal_reason,
        format_result_text(result),
    )
    if result.stop_reason == "refusal":
        return AgentOutcome.REFUSED, f"the model refused: {text}"
    failed = reason in ("api_error", "model_error")
    # Other results with an error may contain the agent's text, which must not be searched.
    if failed or (reason is None and not summary.used_tools):
        notice = _classify_api_error(summary, status, text) or notice
    named = f"API error {status}: {text}" if status else f"API error: {text}"
    if notice is NoticeKind.LIMIT:
        return _judge_limit(summary, text)
    if notice is NoticeKind.LOGIN:
        return AgentOutcome.NOT_LOGGED_IN, f"{named if status else text}; {ending.login_hint}"
    if failed or notice is NoticeKind.API:
        return AgentOutcome.API_ERROR, f"{named}; {_suggest_fix(summary, status, text)}"
    return (
        AgentOutcome.CRASHED,
        f"ended with an error ({format_one_line(reason or 'no reason')}): {text}",
    )


def _classify_api_error(
    summary: SessionSummary, status: int | None, text: str
) -> NoticeKind | None:
    """Classify an API error by its status and the program's text."""
    if status == 401:
        return NoticeKind.LOGIN
    if status and status >= 500:
        return None
    found = classify_error(text)
    refused = (
        summary.rejected and status in (None, 400, 402, 403, 429) and _NOT_USAGE_LIMIT not in text
    )
    return NoticeKind.LIMIT if refused and found is not NoticeKind.LOGIN else found


def _judge_limit(summary: SessionSummary, text: str) -> Verdict:
    is_known = summary.find_reset_time(text) is not None
    return AgentOutcome.USAGE_LIMIT, f"{text}; {_WAIT_HINT}" if is_known else text


def _join_raw_text(result: ResultMessage) -> str:
    return "; ".join(result.errors) or result.result or ""


def format_result_text(result: ResultMessage) -> str:
    """Return what a result says, on one line, without the JSON around an error's message."""
    return format_one_line(_NOISE.sub("", unwrap_error_json(_join_raw_text(result))), 500).rstrip(
        "."
    )


def _count_output_tokens(result: ResultMessage) -> int:
    # `usage` covers only the main thread; `modelUsage` includes subagents.
    of_models = sum(each.get("outputTokens") or 0 for each in result.model_usage.values())
    return of_models or result.usage.get("output_tokens") or 0


def _suggest_fix(summary: SessionSummary, status: int | None, text: str) -> str:
    if "credit balance" in text.lower():
        return "add credit to the account that the key belongs to"
    if is_too_long(text):
        return "give the agent a smaller task"
    if is_unknown_model(status, text):
        named = summary.model and summary.model not in text
        return f"check claude.model ({summary.model})" if named else "check claude.model"
    if status is None:
        return "check the network and ANTHROPIC_BASE_URL"
    if status >= 500:
        return "the API is failing; try again later"
    return _STATUS_HINTS.get(status, "see the transcript in the run's record")


def is_too_long(text: str) -> bool:
    """Return whether an error says that the request is larger than the model's context."""
    return bool(_TEXT_TOO_LONG.search(text))


def is_unknown_model(status: int | None, text: str) -> bool:
    """Return whether an error says that the API does not know the model."""
    return status == 404 or bool(_UNKNOWN_MODEL.search(text))


def describe_missing_result(ending: Ending) -> str:
    """Return that there was no result, with the exit code and the end of standard error."""
    stderr = quote_last_lines(ending.stderr_tail)
    if "root/sudo" in stderr:
        stderr = f"{stderr}; set IS_SANDBOX=1 if this machine is a sandbox, or run as another user"
    return f"Claude Code ended without a result (exit code {ending.returncode})" + (
        f": {stderr}" if stderr else ""
    )
