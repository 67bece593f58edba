"""Send one request to a webhook, within a time, and classify what happens to it.

The only module for webhooks that imports httpx: its errors become `NoReplyError` here, which says
what a retry and a bill depend on.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from teacher.answer import build_unusable_answer
from teacher.connection import Connection, find_origin, plan_connection
from teacher.deadline import DeadlineError, call_within

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

_GRACE_SECONDS: Final = 1.0
"""Added to the timeout for the whole call, so that the timeouts of its steps are seen first."""
MAX_ANSWER_BYTES: Final = 1024 * 1024

STARTING: Final = "n8n is starting up"
"""The text that n8n sends with status 200 until its database is ready."""

_NO_SUCH_HOST: Final = tuple(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)
)


@dataclass(frozen=True)
class Reply:
    """An answer that is no lesson: its status is not 2xx, or n8n is starting."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class ReplyError(Exception):
    """A request was refused."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"status {reply.status}")
        self.reply = reply


class Missing(StrEnum):
    """Why there is no answer."""

    INVALID_ADDRESS = "invalid address"
    UNKNOWN_HOST = "unknown host"
    NOT_CONNECTED = "not connected"
    """Nothing was sent."""
    CERTIFICATE = "certificate"
    NO_TLS = "no TLS"
    PROXY = "proxy"
    REDIRECT = "redirect"
    """It redirects to an address that cannot be parsed."""
    BROKEN = "broken"
    """The connection ended early; the request may have arrived."""
    LATE = "late"
    """The request may have arrived."""


class NoReplyError(Exception):
    """A request got no answer."""

    def __init__(self, reason: Missing, cause: str) -> None:
        super().__init__(cause)
        self.reason = reason


class WebhookClient:
    """Sends requests to one webhook.

    Args:
        url: the webhook.
        timeout_seconds: how long one request may take, from the DNS lookup to the last byte.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._url, self._timeout = url, timeout_seconds

    @cached_property
    def connection(self) -> Connection:
        """How the webhook is reached."""
        return plan_connection(self._url)

    def send(self, content: bytes, headers: Mapping[str, str]) -> str:
        """Send one request, and return the body of an answer with status 2xx.

        Args:
            content: the body of the request.
            headers: are sent with this request, in addition to those of all.

        Raises:
            ReplyError: the answer has another status, or n8n is starting.
            NoReplyError: there is no answer.
            UnusableAnswer: the answer is too large.
        """
        import httpx

        try:
            return call_within(self._timeout + _GRACE_SECONDS, lambda: self._post(content, headers))
        except DeadlineError:
            self._client.close()  # its thread ends with the connection
            del self._client
            raise NoReplyError(Missing.LATE, "no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise _classify_error(error) from error

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        # Without the environment, because `plan_connection` has read and checked it.
        return httpx.Client(
            timeout=self._timeout,
            headers={
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",  # so that MAX_ANSWER_BYTES limits what is sent
                # Lessons are minutes apart: an open connection would have to be closed later.
                "Connection": "close",
            },
            trust_env=False,
            proxy=self.connection.proxy_address,
            verify=self.connection.verify,
        )

    def _post(self, content: bytes, headers: Mapping[str, str]) -> str:
        body = bytearray()
        with self._client.stream("POST", self._url, content=content, headers=headers) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise build_unusable_answer(
                        "it is longer than 1 MB", body[:1000].decode(errors="replace")
                    )
        text = body.decode("utf-8-sig", errors="replace")
        if not response.is_success:
            raise ReplyError(Reply(response.status_code, text, dict(response.headers)))
        if text.startswith(STARTING):
            raise ReplyError(Reply(503, text))
        return text


def _classify_error(error: Exception) -> NoReplyError:
    import httpx

    cause = str(error) or type(error).__name__
    plain = {
        Missing.INVALID_ADDRESS: (httpx.InvalidURL, UnicodeError, httpx.UnsupportedProtocol),
        Missing.LATE: (httpx.ReadTimeout, httpx.WriteTimeout),
    }
    for missing, types in plain.items():
        if isinstance(error, types):
            return NoReplyError(missing, cause)
    if isinstance(error, httpx.ConnectTimeout):
        return NoReplyError(Missing.NOT_CONNECTED, "no connection in time")
    if isinstance(error, httpx.ProxyError):
        # An HTTP proxy says 502 to 504, and a SOCKS proxy this, where the host does not answer.
        is_host = cause.startswith(("502", "503", "504")) or "could not connect" in cause
        return NoReplyError(Missing.NOT_CONNECTED if is_host else Missing.PROXY, cause)
    if isinstance(error, httpx.ConnectError):
        return NoReplyError(_classify_connect_error(error), cause)
    # Raised although no redirect is followed.
    is_redirect = isinstance(error, httpx.RemoteProtocolError) and "location header" in cause
    return NoReplyError(Missing.REDIRECT if is_redirect else Missing.BROKEN, cause)


def _classify_connect_error(error: BaseException) -> Missing:
    origin = find_origin(error)
    if isinstance(origin, ssl.SSLCertVerificationError):
        return Missing.CERTIFICATE
    if isinstance(origin, ssl.SSLError) and not isinstance(origin, ssl.SSLEOFError):
        return Missing.NO_TLS
    if isinstance(origin, socket.gaierror) and origin.errno in _NO_SUCH_HOST:
        return Missing.UNKNOWN_HOST
    return Missing.NOT_CONNECTED
