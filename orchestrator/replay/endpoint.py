"""Serve the replay model over HTTP: connections, paths, and replies that go wrong."""

import contextlib
import json
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.replay import wire
from orchestrator.replay.request import RecordedRequest
from orchestrator.replay.scenario import Fault, FaultKind, Reply

AnswerFunction = Callable[[Mapping[str, Any], str], tuple[RecordedRequest, Reply]]
"""Takes the JSON of a request and the client's user agent; returns the request and its reply."""

_POLL_SECONDS: Final = 0.1
"""Interval at which a waiting reply checks whether the client is still connected."""

_LOGIN_PAGE: Final = b"<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>"


class Endpoint(ThreadingHTTPServer):
    """The HTTP server; it can shut down while clients hold connections open."""

    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], answer: AnswerFunction) -> None:
        self.answer = answer
        self.ending = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def end(self) -> None:
        """Stop listening, close every connection, and wait for the threads."""
        self.ending.set()
        self.shutdown()
        # A thread may block in `recv` on a connection that a client keeps alive: server_close
        # would wait for it forever.
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- as typeshed has it
        """Serve a connection in its own thread, and track it until it is closed."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 -- as typeshed has it
        """Close a connection and stop tracking it."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- as typeshed has it
        """Report an error of a thread, unless the client disconnected, as faults make it do."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Endpoint
    protocol_version = "HTTP/1.1"
    server_version = "replay"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
        """Log nothing: `on_request` is how a server is observed."""

    def do_GET(self) -> None:
        """Send the list of models, or an empty object for any other path."""
        self._read_body()
        path = urlsplit(self.path).path
        self._send_json(200, wire.build_model_list() if path.endswith("/v1/models") else {})

    do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815 -- the base class dispatches by name

    def do_POST(self) -> None:
        """Send a message or a token count; any other path gets an empty object.

        Programs send more than a scenario is about, and must not fail because of it.
        """
        raw, path = self._read_body(), urlsplit(self.path).path
        if not path.endswith(("/v1/messages", "/v1/messages/count_tokens")):
            return self._send_json(200, {})
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return self._send_json(
                400, wire.build_error(400, "the body must be JSON with `messages`")
            )
        if path.endswith("/count_tokens"):
            return self._send_json(200, wire.build_token_count(body))
        request, reply = self.server.answer(body, self.headers.get("user-agent", ""))
        if self._wait_while_connected(reply.delay):
            self._send_reply(request, reply)
        return None

    def _send_reply(self, request: RecordedRequest, reply: Reply) -> None:
        whole, fault = wire.build_message(reply, request), reply.fault
        if fault is None:
            return self._send_message(request, whole)
        match fault.kind:
            case FaultKind.STATUS:
                self._send_status(fault)
            case FaultKind.HTML:
                self._send_body(200, "text/html; charset=utf-8", _LOGIN_PAGE)
            case FaultKind.MALFORMED:
                self._send_malformed(request)
            case FaultKind.HANG:
                self._wait_while_connected(fault.seconds)
                self.close_connection = True
            case FaultKind.STALL:
                self._stall_reply(request, whole, fault, goes_on=not reply.is_empty)
            case FaultKind.CUT:
                self._cut_reply(request, whole)
        return None

    def _send_message(self, request: RecordedRequest, whole: wire.Json) -> None:
        if not request.is_streaming:
            return self._send_json(200, whole)
        self._start_stream()
        self._send_chunk(b"".join(wire.build_events(whole)))
        return self._send_chunk(b"")

    def _send_status(self, fault: Fault) -> None:
        wait = fault.retry_after
        extra = {} if wait is None else {"retry-after": str(int(wait) if wait % 1 == 0 else wait)}
        self._send_json(fault.status, wire.build_error(fault.status, fault.message), extra)

    def _send_malformed(self, request: RecordedRequest) -> None:
        broken = b'{"type": "message", "content": [{"type": "te'
        if not request.is_streaming:
            return self._send_body(200, "application/json", broken)
        return self._send_body(
            200, "text/event-stream", b"event: message_start\ndata: " + broken + b"\n\n"
        )

    def _stall_reply(
        self, request: RecordedRequest, whole: wire.Json, fault: Fault, *, goes_on: bool
    ) -> None:
        """Begin, pause, and send the rest if there is one and the client is still connected."""
        events = wire.build_events(whole)
        text = json.dumps(whole).encode()
        if request.is_streaming:
            self._start_stream()
            self._send_chunk(events[0])
        else:
            self._send_headers(200, "application/json", {"content-length": str(len(text))})
        if not self._wait_while_connected(fault.seconds) or not goes_on:
            self.close_connection = True
        elif request.is_streaming:
            self._send_chunk(b"".join(events[1:]))
            self._send_chunk(b"")
        else:
            self.wfile.write(text)

    def _cut_reply(self, request: RecordedRequest, whole: wire.Json) -> None:
        events = wire.build_events(whole)
        text = json.dumps(whole).encode()
        if request.is_streaming:
            self._start_stream()
            self._send_chunk(b"".join(events[: len(events) // 2]))
        else:
            self._send_headers(200, "application/json", {"content-length": str(len(text))})
            self.wfile.write(text[: len(text) // 2])
        self.close_connection = True

    def _wait_while_connected(self, seconds: float | None) -> bool:
        """Wait, forever when `seconds` is None; return False when client or server is gone."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or (left := end - time.monotonic()) > 0:
            if self.server.ending.wait(_POLL_SECONDS if end is None else min(left, _POLL_SECONDS)):
                return False
            if self._is_client_gone():
                return False
        return True

    def _is_client_gone(self) -> bool:
        # A socket that is readable but holds no byte was closed by the other side.
        readable = select.select([self.connection], [], [], 0)[0]
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    # ---- HTTP ------------------------------------------------------------------------------

    def _read_body(self) -> bytes:
        try:
            length = int(self.headers.get("content-length") or 0)
        except ValueError:
            length = 0
        return self.rfile.read(length)

    def _send_json(
        self, status: int, value: wire.Json, headers: Mapping[str, str] | None = None
    ) -> None:
        self._send_body(status, "application/json", json.dumps(value).encode(), headers)

    def _send_body(
        self, status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self._send_headers(status, kind, {"content-length": str(len(body)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_headers(self, status: int, kind: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _start_stream(self) -> None:
        self._send_headers(
            200, "text/event-stream; charset=utf-8", {"transfer-encoding": "chunked"}
        )

    def _send_chunk(self, data: bytes) -> None:
        """Send one chunk; an empty one ends the stream."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
