"""Send one request to a webhook, and return the body of a successful answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from teacher.answer import build_unusable_answer
from teacher.http_client import HttpClient, Reply, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teacher.connection import Connection

MAX_ANSWER_BYTES: Final = 1024 * 1024

STARTING: Final = "n8n is starting up"
"""The text that n8n sends with status 200 until its database is ready."""


class ReplyError(Exception):
    """A request was refused: the status is not 2xx, or n8n is starting."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"status {reply.status}")
        self.reply = reply


class WebhookClient:
    """Sends requests to one webhook.

    Args:
        url: the webhook.
        timeout_seconds: how long one request may take, from the DNS lookup to the last byte.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._client = HttpClient(url, timeout_seconds, MAX_ANSWER_BYTES)

    @property
    def connection(self) -> Connection:
        """How the webhook is reached."""
        return self._client.connection

    def send(self, content: bytes, headers: Mapping[str, str]) -> str:
        """Send one request, and return the body of an answer with status 2xx.

        Raises:
            ReplyError: the answer has another status, or n8n is starting.
            NoReplyError: there is no answer.
            UnusableAnswer: the answer is too large.
        """
        try:
            reply = self._client.post(content, headers)
        except TooLargeError as error:
            raise build_unusable_answer("it is longer than 1 MB", error.beginning) from None
        if not reply.is_success:
            raise ReplyError(reply)
        if reply.text.startswith(STARTING):
            raise ReplyError(Reply(503, reply.text))
        return reply.text
