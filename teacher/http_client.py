"""Send one HTTP request within a time, and classify what happens to it; nothing is tried again.

The only module that imports httpx: its errors become `NoReplyError` here, which says what a retry
and a bill depend on.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from teacher.connection import Connection, find_origin, plan_connection
from teacher.deadline import DeadlineError, call_within

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

_GRACE_SECONDS: Final = 1.0
"""Added to the timeout for the whole call, so that the timeouts of its steps are seen first."""

_NO_SUCH_HOST: Final = tuple(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)
)


@dataclass(frozen=True)
class Reply:
    """What was answered."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


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


class TooLargeError(Exception):
    """An answer is longer than it may be."""

    def __init__(self, beginning: str) -> None:
        super().__init__("the answer is too long")
        self.beginning = beginning


class HttpClient:
    """Sends requests to one address, and to others of the same host.

    Args:
        url: the address, which decides about the proxy and the certificates.
        timeout_seconds: how long one request may take, from the DNS lookup to the last byte.
        max_bytes: how long an answer may be.
    """

    def __init__(self, url: str, timeout_seconds: float, max_bytes: int) -> None:
        self._url, self._timeout, self._max_bytes = url, timeout_seconds, max_bytes

    @cached_property
    def connection(self) -> Connection:
        """How the address is reached.

        Raises:
            TeacherError: it cannot be, by what the environment says.
        """
        return plan_connection(self._url)

    def post(self, content: bytes, headers: Mapping[str, str]) -> Reply:
        """Send JSON to the address.

        Raises:
            NoReplyError: there is no answer.
            TooLargeError: the answer is too long.
            TeacherError: as for `connection`.
        """
        headers = {"Content-Type": "application/json", **headers}
        return self._send_in_time("POST", self._url, headers, content)

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Read another address of the same host. Raises what `post` raises."""
        return self._send_in_time("GET", url, headers, b"")

    def _send_in_time(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Reply:
        import httpx

        try:
            return call_within(
                self._timeout + _GRACE_SECONDS, lambda: self._send(method, url, headers, content)
            )
        except DeadlineError:
            self._client.close()  # its thread ends with the connection
            del self._client
            raise NoReplyError(Missing.LATE, f"no answer within {self._timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise _classify_error(error) from error

    def _send(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        body = bytearray()
        with self._client.stream(method, url, headers=headers, content=content) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > self._max_bytes:
                    raise TooLargeError(body[:1000].decode(errors="replace"))
        text = body.decode("utf-8-sig", errors="replace")
        return Reply(response.status_code, text, dict(response.headers))

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        # Without the environment, because `plan_connection` has read and checked it.
        return httpx.Client(
            timeout=self._timeout,
            headers={
                "Accept-Encoding": "identity",  # so that `max_bytes` limits what is sent
                # Lessons are minutes apart: an open connection would have to be closed later.
                "Connection": "close",
            },
            trust_env=False,
            proxy=self.connection.proxy_address,
            verify=self.connection.verify,
        )


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
