"""A web server on loopback that answers from a list and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType


@dataclass(frozen=True)
class Reply:
    """What the server says.

    `cut` closes the connection after that many bytes of the body, `hold` is waited for first.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    hold: threading.Event | None = None


def json_reply(value: object, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"content-type": "application/json", **named})


@dataclass(frozen=True)
class ReceivedRequest:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for open connections

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._open, self._changed = 0, threading.Condition()
        super().__init__(("127.0.0.1", 0), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def wait_until_idle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0)


class Loopback:
    """Gives its replies in order, the last one again and again; with `tls`, by https."""

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.replies = deque(replies)
        self.asked: list[ReceivedRequest] = []

    def __enter__(self) -> Loopback:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): text for name, text in self.headers.items()}
                outer.asked.append(ReceivedRequest(self.path, headers, body))
                reply = outer.replies.popleft() if len(outer.replies) > 1 else outer.replies[0]
                if reply.hold:
                    reply.hold.wait(60)
                self.send_response(reply.status)
                for name, text in reply.headers.items():
                    self.send_header(name, text)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body[: reply.cut])

        self._server = _Server(Handler)
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_until_idle(self) -> None:
        """Wait until the server has closed every connection: a client has its answer earlier."""
        self._server.wait_until_idle()

    @property
    def url(self) -> str:
        return f"http{'s' * bool(self._tls)}://127.0.0.1:{self._server.server_port}"
