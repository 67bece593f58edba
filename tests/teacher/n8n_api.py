"""A web server on loopback that plays n8n's public API and one webhook."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "n8n_api_key_Qm7xLw2vRt9"
PATH = "prompt-learning-teacher"
DROPPED = {
    "saveDataSuccessExecution": "none",
    "saveDataErrorExecution": "none",
    "saveManualExecutions": False,
}


def make_workflow(settings: dict[str, Any] | None = None, path: str = PATH) -> dict[str, Any]:
    node = {"name": "Webhook", "type": "n8n-nodes-base.webhook", "parameters": {"path": path}}
    settings = DROPPED if settings is None else settings
    return {"id": f"id-of-{path}", "nodes": [node], "settings": settings, "activeVersion": None}


@dataclass
class FakeN8n:
    """Lists workflows page by page, and the executions of the lists one after the other."""

    workflows: list[list[dict[str, Any]]] = field(default_factory=lambda: [[make_workflow()]])
    saved: list[list[int]] = field(default_factory=lambda: [[]])
    """The ended executions, for each request for them; the last list again and again."""
    running: list[list[int]] = field(default_factory=lambda: [[]])
    status: int = 200
    body: bytes | None = None
    prefix: str = ""
    lesson: dict[str, Any] = field(default_factory=dict)
    """What the webhook answers to the token."""
    passwords: tuple[str, ...] = ("Bearer hush",)
    """What the webhook accepts in the header `Authorization`."""
    execution: int | None = None
    """The number of the execution that is saved when the webhook has answered."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> FakeN8n:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, body = outer.status, outer.body
                if self.headers.get("x-n8n-api-key") != KEY:
                    status, body = 401, b'{"message":"unauthorized"}'
                elif body is None:
                    body = json.dumps(outer._answer(self.path)).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                entered = self.headers.get("authorization") in outer.passwords
                status, said = (200, json.dumps(outer.lesson)) if body else (400, "no evidence")
                if not entered:
                    status, said = 403, "Authorization data is wrong!"
                elif body:
                    outer.bodies.append(body)
                    if outer.execution is not None:
                        outer.saved = [[outer.execution]]
                self.send_response(status)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said.encode())

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # so that server_close waits for open connections
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def webhook(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{self.prefix}/webhook/{PATH}"

    def _answer(self, path: str) -> dict[str, Any]:
        url = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == f"{self.prefix}/api/v1/workflows":
            page = int(query.get("cursor", "0"))
            cursor = str(page + 1) if page + 1 < len(self.workflows) else None
            return {"data": self.workflows[page], "nextCursor": cursor}
        assert url.path == f"{self.prefix}/api/v1/executions"
        assert query["workflowId"] == f"id-of-{PATH}"
        lists = self.running if query.get("status") == "running" else self.saved
        numbers = lists.pop(0) if len(lists) > 1 else lists[0]
        return {"data": [{"id": str(number)} for number in numbers], "nextCursor": None}
