"""Decide which failures of a request to a webhook are worth a retry, and which may have cost."""

from typing import Final

from teacher.http_client import Missing, NoReplyError
from teacher.retry import Retries
from teacher.webhook_client import ReplyError
from teacher.webhook_replies import NO_TASK_RUNNER, TRY_AGAIN, Refusal, Sender, read_refusal

WEBHOOK_RETRIES: Final = Retries(tries=20)
"""As many tries as fit into two minutes: an n8n that was killed has restarted by then, and no
longer treats the request that it lost as one in progress."""

_MOST_FAILED_EXECUTIONS: Final = 3
"""An n8n that stops fails one execution or two. A workflow that always fails is not tried on."""

_MOST_UNREAD_TOKENS: Final = 5
"""An n8n that stops cannot read its credential for a second or two. A credential that is never
there is not tried on."""

_GATEWAY_STATUSES: Final = (502, 503, 504, *range(520, 525))
"""Of a proxy whose server does not answer; from 520 on, of Cloudflare."""
_GATEWAY_ARRIVED: Final = (502, 504, 520, 524)
"""... where the request may have arrived."""
_RETRYABLE_STATUSES: Final = (429, 502, 503, 504)
"""Of a workflow that does not say whether a later try may help."""


class Attempts:
    """The failed attempts of one request.

    Args:
        was_reached: whether the webhook has answered an earlier request.
    """

    def __init__(self, *, was_reached: bool = False) -> None:
        self.was_reached = was_reached
        """Whether anything answered at the webhook's address, by now or before."""
        self.may_have_cost = False
        """Whether an attempt may have reached the model, and got no answer."""
        self._was_down = False
        self._failed_executions = 0
        self._unread_tokens = 0

    def is_retryable(self, error: BaseException) -> bool:
        """Note a failed attempt, and return whether a later one may succeed."""
        if isinstance(error, NoReplyError):
            return self._note_silence(error.reason)
        if isinstance(error, ReplyError):
            self.was_reached = True
            return self._note_refusal(read_refusal(error.reply))
        return False

    def _note_silence(self, reason: Missing) -> bool:
        if reason in (Missing.BROKEN, Missing.LATE):
            self.was_reached = self.may_have_cost = True
        if reason is Missing.UNKNOWN_HOST:
            # The name of a container is unknown while it restarts. One that was never known is
            # wrong.
            return self.was_reached
        # Safe although the request may have arrived: the workflow recognises its key. After a
        # timeout, the next answer would be late too.
        is_down = reason in (Missing.NOT_CONNECTED, Missing.BROKEN)
        self._was_down = self._was_down or is_down
        return is_down

    def _note_refusal(self, refusal: Refusal) -> bool:
        status = refusal.status
        if refusal.sender is Sender.WORKFLOW:
            return self._note_cause(refusal)
        if refusal.is_failed_execution:
            self._was_down = self.may_have_cost = True
            self._failed_executions += 1
            return self._failed_executions < _MOST_FAILED_EXECUTIONS
        if refusal.is_unread_token:
            # It costs nothing: without a credential to compare with, nobody enters the workflow.
            self._was_down = True
            self._unread_tokens += 1
            return self._unread_tokens < _MOST_UNREAD_TOKENS
        if status in _GATEWAY_STATUSES:
            self._was_down = True
            arrived = refusal.sender is Sender.OTHER and status in _GATEWAY_ARRIVED
            self.may_have_cost = self.may_have_cost or arrived
            return True
        self._was_down = self._was_down or refusal.is_starting
        # While n8n starts, its address answers 404 until its webhooks are registered.
        return status == 429 or (status in (404, 405) and self._was_down)

    def _note_cause(self, refusal: Refusal) -> bool:
        cause = refusal.cause
        lost = cause.kind == "timed_out" or cause.error.startswith(NO_TASK_RUNNER)
        self.may_have_cost = self.may_have_cost or lost
        return refusal.status in _RETRYABLE_STATUSES and cause.kind in ("", TRY_AGAIN)
