"""Servers on loopback: a webhook that answers as n8n may, and a relay that notes who pays."""

import contextlib
import gzip
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

from tests.corpus.reports.lab import LESSON

DRIP_SECONDS: Final = 0.5
"""Interval between two bytes of an answer that trickles."""


@dataclass(frozen=True)
class WebhookAnswer:
    """What a webhook answers to every request."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_dripping: bool = False
    """Whether it sends one byte now and then, and does not end."""


_CLOSE: Final = {"connection": "close"}
"""No connection outlasts its answer: a test may end as soon as it is there."""
_JSON: Final = {"content-type": "application/json"}
_LESSON_TEXT: Final = json.dumps(LESSON)
WEBHOOK_ANSWERS: Final[Mapping[str, WebhookAnswer]] = {
    # The webhook responds immediately.
    "started": WebhookAnswer(b'{"message":"Workflow was started"}', headers=_JSON),
    # It responds with all incoming items.
    "array": WebhookAnswer(f"[{_LESSON_TEXT}]".encode(), headers=_JSON),
    # The answer of an agent node.
    "output": WebhookAnswer(
        json.dumps({"output": f"```json\n{_LESSON_TEXT}\n```"}).encode(), headers=_JSON
    ),
    "empty": WebhookAnswer(headers=_JSON),
    "html": WebhookAnswer(
        b"<!DOCTYPE html><title>Sign in</title>", headers={"content-type": "text/html"}
    ),
    # An inactive workflow.
    "test": WebhookAnswer(
        b'{"code":404,"message":"The requested webhook \\"POST x\\" is not registered.",'
        b'"hint":"The workflow must be active"}',
        status=404,
        headers=_JSON,
    ),
    "redirect": WebhookAnswer(status=302, headers={"location": "/login"}),
    "slowheaders": WebhookAnswer(headers=_JSON, is_dripping=True),
    "gzip": WebhookAnswer(
        gzip.compress(_LESSON_TEXT.encode()), headers={**_JSON, "content-encoding": "gzip"}
    ),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: WebhookAnswer
    ending: threading.Event


class _WebhookHandler(BaseHTTPRequestHandler):
    """Answers every request alike."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
        """Log nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = self.server.answer
        length = 100_000 if answer.is_dripping else len(answer.body)
        self.send_response(answer.status)
        for name, value in {**answer.headers, "content-length": str(length), **_CLOSE}.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.is_dripping:
            self._drip()
        else:
            self.wfile.write(answer.body)

    do_GET = do_POST  # noqa: N815 -- the base class dispatches by name

    def _drip(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            while not self.server.ending.wait(DRIP_SECONDS):
                self.wfile.write(b" ")
                self.wfile.flush()


@contextmanager
def serve_webhook(answer: WebhookAnswer) -> Iterator[str]:
    """Serve a webhook on loopback; yields its address."""
    server = _Server(("127.0.0.1", 0), _WebhookHandler)
    server.answer, server.ending = answer, threading.Event()
    with _serve(server):
        yield f"http://127.0.0.1:{server.server_port}/webhook/x"
        server.ending.set()


@dataclass
class Relay:
    """Passes requests on to a model, and notes the credentials of those for a message."""

    target: str
    """The model's address."""
    url: str = ""
    credentials: dict[bool, set[str]] = field(default_factory=lambda: {True: set(), False: set()})
    """The keys that requests with tools (the agent's: True) and without came with."""


class _RelayServer(ThreadingHTTPServer):
    daemon_threads = True
    relay: Relay


class _RelayHandler(BaseHTTPRequestHandler):
    """Passes one request on; the answer is sent in one piece."""

    protocol_version = "HTTP/1.1"
    server: _RelayServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
        """Log nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self._note(body)
        target = urlsplit(self.server.relay.target)
        connection = http.client.HTTPConnection(target.netloc, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        self.send_response(answer.status)
        self.send_header("content-type", answer.headers.get("content-type", "application/json"))
        self.send_header("content-length", str(len(data)))
        for name, value in _CLOSE.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_POST  # noqa: N815 -- the base class dispatches by name

    def _note(self, body: bytes) -> None:
        if urlsplit(self.path).path.endswith("/v1/messages"):
            key = self.headers.get("authorization") or self.headers.get("x-api-key") or ""
            has_tools = bool(json.loads(body).get("tools"))
            self.server.relay.credentials[has_tools].add(key)


@contextmanager
def serve_relay(target: str) -> Iterator[Relay]:
    """Serve a relay to a model on loopback."""
    server = _RelayServer(("127.0.0.1", 0), _RelayHandler)
    server.relay = Relay(target, f"http://127.0.0.1:{server.server_port}")
    with _serve(server):
        yield server.relay


@contextmanager
def _serve(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
