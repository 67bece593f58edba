"""The replay model: a Messages API on loopback whose words come from a scenario."""

import contextlib
import json
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.errors import InfrastructureError
from orchestrator.replay import wire
from orchestrator.replay.choosing import Chooser
from orchestrator.replay.request import RecordedRequest
from orchestrator.replay.scenario import Fault, FaultKind, Reply, Scenario, Speaker, fill

_HOST: Final = "127.0.0.1"
_LOOK_SECONDS: Final = 0.1
_PAGE: Final = b"<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>"

Watcher = Callable[[RecordedRequest], None]


class ReplayServer:
    """Serves a scenario while its `with` block runs.

    Args:
        scenario: what to answer.
        port: the port on 127.0.0.1; 0 takes a free one.
        variables: values for `${name}` in replies, besides those that a request gives.
        on_request: called with each request once its answer is chosen, from the thread that
            serves it.

    Raises:
        ScenarioError: a reply names a placeholder that nothing gives a value to.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        port: int = 0,
        variables: Mapping[str, str] | None = None,
        on_request: Watcher | None = None,
    ) -> None:
        scenario.check(variables or {})
        self._scenario, self._port = scenario, port
        self._variables = dict(variables or {})
        self._watch = on_request or (lambda _request: None)
        self._chooser = Chooser(scenario)
        self._lock = threading.Lock()
        self._requests: list[RecordedRequest] = []
        self._http: _Http | None = None

    def __enter__(self) -> "ReplayServer":
        try:
            self._http = _Http((_HOST, self._port), self)
        except (OSError, OverflowError) as error:
            raise InfrastructureError(
                f"the replay model cannot listen on {_HOST}:{self._port}: {error}",
                "choose another port",
            ) from None
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._http:
            self._http.end()
            self._http = None

    @property
    def url(self) -> str:
        """The base URL: what ANTHROPIC_BASE_URL is set to."""
        if self._http is None:
            raise RuntimeError("the replay server is not running; use it in a with block")
        return f"http://{_HOST}:{self._http.server_port}"

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The requests for messages so far, in order, side requests included."""
        with self._lock:
            return tuple(self._requests)

    @property
    def unanswered(self) -> tuple[RecordedRequest, ...]:
        """The requests that no answer fitted; `trouble` says why."""
        return tuple(request for request in self.requests if request.trouble)

    def answer(self, body: Mapping[str, Any], user_agent: str) -> tuple[RecordedRequest, Reply]:
        """Choose the reply to a request, and record both. Thread-safe."""
        request = RecordedRequest(body, user_agent=user_agent)
        answer = self._chooser.choose(request)
        label = trouble = ""
        if answer is not None:
            label = self._scenario.label(answer)
            try:
                reply = fill(answer.reply, self._variables | request.variables)
            except KeyError as missing:
                trouble = (
                    f"{self._scenario.source}: {label}: the request names no ${{{missing.args[0]}}}"
                )
        elif request.speaker is Speaker.SIDE:
            label, reply = "housekeeping", wire.housekeeping(request)
        else:
            trouble = self._chooser.explain(request)
        if trouble:
            reply = Reply(fault=Fault(FaultKind.STATUS, 400, trouble))
        with self._lock:
            number = len(self._requests) + 1
            request = replace(request, number=number, answer=label, trouble=trouble)
            self._requests.append(request)
        self._watch(request)
        return request, reply


class _Http(ThreadingHTTPServer):
    """The HTTP server, which can end while clients still hold connections."""

    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], replay: ReplayServer) -> None:
        self.replay = replay
        self.ending = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def end(self) -> None:
        """Stop listening, end every connection, and wait for the threads."""
        self.ending.set()
        self.shutdown()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- as typeshed has it
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 -- as typeshed has it
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- as typeshed has it
        # A client that goes away in the middle is what faults are for, not an error.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Http
    protocol_version = "HTTP/1.1"
    server_version = "replay"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
        """Say nothing: `on_request` is how a server is watched."""

    def do_GET(self) -> None:
        """Lists of models; anything else that a client looks at gets an empty object."""
        self._body()
        path = urlsplit(self.path).path
        self._json(200, wire.models() if path.endswith("/v1/models") else {})

    do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815 -- the base's way

    def do_POST(self) -> None:
        """Messages, token counts, and harmless answers to whatever else is sent."""
        raw, path = self._body(), urlsplit(self.path).path
        if not path.endswith(("/v1/messages", "/v1/messages/count_tokens")):
            return self._json(200, {})
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return self._json(400, wire.error(400, "the body must be JSON with `messages`"))
        if path.endswith("/count_tokens"):
            return self._json(200, wire.token_count(body))
        request, reply = self.server.replay.answer(body, self.headers.get("user-agent", ""))
        if self._wait(reply.delay):
            self._reply(request, reply)
        return None

    def _reply(self, request: RecordedRequest, reply: Reply) -> None:
        whole, fault = wire.message(reply, request), reply.fault
        if fault is None:
            return self._whole(request, whole)
        match fault.kind:
            case FaultKind.STATUS:
                self._status(fault)
            case FaultKind.HTML:
                self._send(200, "text/html; charset=utf-8", _PAGE)
            case FaultKind.MALFORMED:
                self._malformed(request)
            case FaultKind.HANG:
                self._wait(fault.seconds)
                self.close_connection = True
            case FaultKind.STALL:
                self._stall(request, whole, fault, goes_on=not reply.empty)
            case FaultKind.CUT:
                self._cut(request, whole)
        return None

    def _whole(self, request: RecordedRequest, whole: wire.Json) -> None:
        if not request.streaming:
            return self._json(200, whole)
        self._begin_stream()
        self._chunk(b"".join(wire.events(whole)))
        return self._chunk(b"")

    def _status(self, fault: Fault) -> None:
        wait = fault.retry_after
        extra = {} if wait is None else {"retry-after": str(int(wait) if wait % 1 == 0 else wait)}
        self._json(fault.status, wire.error(fault.status, fault.message), extra)

    def _malformed(self, request: RecordedRequest) -> None:
        broken = b'{"type": "message", "content": [{"type": "te'
        if not request.streaming:
            return self._send(200, "application/json", broken)
        return self._send(
            200, "text/event-stream", b"event: message_start\ndata: " + broken + b"\n\n"
        )

    def _stall(
        self, request: RecordedRequest, whole: wire.Json, fault: Fault, *, goes_on: bool
    ) -> None:
        """Begin, fall silent, and go on with the rest if there is one and anybody still listens."""
        events = wire.events(whole)
        text = json.dumps(whole).encode()
        if request.streaming:
            self._begin_stream()
            self._chunk(events[0])
        else:
            self._begin(200, "application/json", {"content-length": str(len(text))})
        if not self._wait(fault.seconds) or not goes_on:
            self.close_connection = True
        elif request.streaming:
            self._chunk(b"".join(events[1:]))
            self._chunk(b"")
        else:
            self.wfile.write(text)

    def _cut(self, request: RecordedRequest, whole: wire.Json) -> None:
        events = wire.events(whole)
        text = json.dumps(whole).encode()
        if request.streaming:
            self._begin_stream()
            self._chunk(b"".join(events[: len(events) // 2]))
        else:
            self._begin(200, "application/json", {"content-length": str(len(text))})
            self.wfile.write(text[: len(text) // 2])
        self.close_connection = True

    def _wait(self, seconds: float | None) -> bool:
        """Wait, for ever when `seconds` is None; False when the client or the server is gone."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or (left := end - time.monotonic()) > 0:
            if self.server.ending.wait(_LOOK_SECONDS if end is None else min(left, _LOOK_SECONDS)):
                return False
            if self._client_gone():
                return False
        return True

    def _client_gone(self) -> bool:
        readable = select.select([self.connection], [], [], 0)[0]
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    # ---- HTTP ------------------------------------------------------------------------------

    def _body(self) -> bytes:
        try:
            length = int(self.headers.get("content-length") or 0)
        except ValueError:
            length = 0
        return self.rfile.read(length)

    def _json(
        self, status: int, value: wire.Json, headers: Mapping[str, str] | None = None
    ) -> None:
        self._send(status, "application/json", json.dumps(value).encode(), headers)

    def _send(
        self, status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self._begin(status, kind, {"content-length": str(len(body)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _begin(self, status: int, kind: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _begin_stream(self) -> None:
        self._begin(200, "text/event-stream; charset=utf-8", {"transfer-encoding": "chunked"})

    def _chunk(self, data: bytes) -> None:
        """One chunk; an empty one ends the stream."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
