"""Judge what came of a question to Claude Code, by its messages and its process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.agents.claude_endings import (
    Ending,
    describe_missing_result,
    format_result_text,
    is_too_long,
    is_unknown_model,
)
from orchestrator.agents.claude_wire import ResultMessage
from orchestrator.models import AgentOutcome, AgentResult
from orchestrator.platform.watchdog import EndReason
from teacher.claude import Reply, ReplyEnd
from teacher.models import UNKNOWN_USAGE

_ENDS: Final = {
    AgentOutcome.COMPLETED: ReplyEnd.ANSWERED,
    AgentOutcome.NOT_LOGGED_IN: ReplyEnd.NOT_LOGGED_IN,
    AgentOutcome.USAGE_LIMIT: ReplyEnd.USAGE_LIMIT,
    AgentOutcome.REFUSED: ReplyEnd.REFUSED,
    AgentOutcome.WALL_CLOCK: ReplyEnd.TIMED_OUT,
    AgentOutcome.NO_OUTPUT: ReplyEnd.TIMED_OUT,
    AgentOutcome.API_ERROR: ReplyEnd.API_ERROR,
}
"""What an outcome means for a question; all others mean that it failed."""

_UNACCEPTED: Final = ("structured_output_retry_exhausted", "max_turns")
"""Values of `terminal_reason` after which the model's last answer is one that the program did not
accept. It is judged like that of any other teacher."""

_CUT_OFF: Final = "output token maximum"
"""Words of the program's error for an answer that is longer than its limit (2.1.332)."""

_NOTHING_SENT: Final = (ReplyEnd.NOT_LOGGED_IN, ReplyEnd.USAGE_LIMIT)


@dataclass(frozen=True)
class Answer:
    """Everything that is known about a question after the program has ended.

    Args:
        result: how the session ended, as for an agent.
        last: the program's last result; None if it gave none.
        proposed: the last answer that the model tried to give.
        ending: how the process ended.
        login_hint: what to do if the login is not accepted.
    """

    result: AgentResult
    last: ResultMessage | None
    proposed: Mapping[str, Any] | None
    ending: Ending
    login_hint: str


def judge_answer(answer: Answer) -> Reply:
    """Return what came of a question."""
    result, last = answer.result, answer.last
    if last is None:
        return _judge_missing_result(answer)
    if not last.is_error and last.terminal_reason == "completed" and last.structured_output:
        return Reply(ReplyEnd.ANSWERED, _format_json(last.structured_output), result.usage)
    if last.terminal_reason in _UNACCEPTED and answer.proposed is not None:
        return Reply(ReplyEnd.ANSWERED, _format_json(answer.proposed), result.usage)
    if result.outcome is AgentOutcome.COMPLETED:
        # The model did not use the tool for answers, not even when the program asked it to.
        return Reply(ReplyEnd.ANSWERED, last.result or "", result.usage)
    text, status = format_result_text(last), last.api_error_status
    end = _ENDS.get(result.outcome, ReplyEnd.FAILED)
    if end is ReplyEnd.API_ERROR:
        end = _classify_api_error(status, text)
    hint = answer.login_hint if end is ReplyEnd.NOT_LOGGED_IN else ""
    return Reply(end, text, result.usage, status, hint)


def _judge_missing_result(answer: Answer) -> Reply:
    """Judge a question without a result: what was sent may have cost, but no bill came."""
    end = _ENDS.get(answer.result.outcome, ReplyEnd.FAILED)
    end = ReplyEnd.FAILED if end is ReplyEnd.ANSWERED else end
    text = answer.result.message
    if end is ReplyEnd.FAILED and answer.ending.ended_by is EndReason.ITSELF:
        text = answer.ending.read_error or describe_missing_result(answer.ending)
    hint = answer.login_hint if end is ReplyEnd.NOT_LOGGED_IN else ""
    usage = answer.result.usage if end in _NOTHING_SENT else UNKNOWN_USAGE
    return Reply(end, text, usage, hint=hint)


def _classify_api_error(status: int | None, text: str) -> ReplyEnd:
    if _CUT_OFF in text:
        return ReplyEnd.CUT_OFF
    if status == 413 or is_too_long(text):
        return ReplyEnd.TOO_LARGE
    if is_unknown_model(status, text):
        return ReplyEnd.UNKNOWN_MODEL
    return ReplyEnd.API_ERROR


def _format_json(value: object) -> str:
    """Return a value as JSON for the parser of answers, which bounds its size and depth."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""
