"""Send single small requests to an n8n, to find out how it is set up; nothing is tried again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from teacher.connection import plan_connection
from teacher.deadline import DeadlineError, call_within
from teacher.errors import TeacherError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

SECONDS: Final = 15.0
"""How long one request may take."""
_MAX_BYTES: Final = 32 * 1024 * 1024
"""Most bytes of an answer: a page of workflows is long if they are."""


class ProbeError(Exception):
    """There is no answer to a request; has the reason, without a secret."""


@dataclass(frozen=True)
class ProbeAnswer:
    """What was answered."""

    status: int
    text: str


class HttpProbe:
    """Sends requests to one address and others of the same host.

    Args:
        url: the address, which decides about the proxy and the certificates.
        seconds: how long one request may take.
    """

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        self._url, self._seconds = url, seconds

    def post(self, headers: Mapping[str, str], content: bytes) -> ProbeAnswer:
        """Send some bytes to the address. Raises ProbeError."""
        return self._send("POST", self._url, headers, content)

    def get(self, url: str, headers: Mapping[str, str]) -> ProbeAnswer:
        """Read another address of the same host. Raises ProbeError."""
        return self._send("GET", url, headers, b"")

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> ProbeAnswer:
        try:
            return call_within(
                self._seconds + 1, lambda: self._request(method, url, headers, content)
            )
        except DeadlineError:
            raise ProbeError(f"no answer within {self._seconds:g} s") from None

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> ProbeAnswer:
        body = bytearray()
        with self._open_client() as client:
            sent = {**headers, "Accept-Encoding": "identity", "Connection": "close"}
            with client.stream(method, url, headers=sent, content=content) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > _MAX_BYTES:
                        raise ProbeError("the answer is too long")
            return ProbeAnswer(response.status_code, body.decode("utf-8-sig", errors="replace"))

    @contextmanager
    def _open_client(self) -> Iterator[httpx.Client]:
        import httpx

        try:
            connection = plan_connection(self._url)
            with httpx.Client(
                timeout=self._seconds,
                trust_env=False,  # because `plan_connection` has read and checked it
                proxy=connection.proxy_address,
                verify=connection.verify,
            ) as client:
                yield client
        except TeacherError as error:
            raise ProbeError(error.message) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise ProbeError(str(error) or type(error).__name__) from None
