"""What an outcome finds outside of its project: a server on loopback that is slow, busy or gone."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

SLOW_SECONDS: Final = 2.0
"""How long `/slow` takes. Cases wait for a second at most."""


@dataclass(frozen=True)
class Page:
    """An answer of the server."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


_OK: Final = Page(200, b"ok")
_PAGES: Final = {
    "/ok": _OK,
    "/401": Page(401, b"no"),
    "/403": Page(403, b"API rate limit exceeded"),
    "/429": Page(429, b"slow down", {"Retry-After": "0"}),
    "/500": Page(500, b"oops"),
    "/502": Page(502, b"bad gateway"),
    "/503": Page(503, b"down"),
}


class _Handler(BaseHTTPRequestHandler):
    """Serves `_PAGES`; `POST /world` changes the world, `/reset` drops the connection."""

    protocol_version = "HTTP/1.1"
    timeout = 10.0  # no client that stays connected keeps the server from its end
    server: "_Server"

    def do_GET(self) -> None:
        if self.path == "/reset":
            self._reset()
            return
        if self.path == "/slow":
            time.sleep(SLOW_SECONDS)
        self._send(_PAGES.get(self.path, _OK))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/world":
            self.server.change_world()
            self._send(Page(200, b""))
            return
        self._send(_PAGES.get(self.path, Page(404, b"")))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name of the base
        """Print nothing."""

    def _send(self, page: Page) -> None:
        self.send_response(page.status)
        for name, value in {"content-length": str(len(page.body)), **page.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # a client that did not wait
            self.wfile.write(page.body)

    def _reset(self) -> None:
        """Close so that the client meets a reset instead of an end."""
        at_once = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.close_connection = True
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # the end waits for them: no connection outlives the case

    def __init__(self, change_world: Callable[[], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.change_world = change_world

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about a client that went away."""


@contextlib.contextmanager
def serve_outside(change_world: Callable[[], None]) -> Iterator[int]:
    """Serve while the block runs, and yield the port."""
    with _Server(change_world) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
