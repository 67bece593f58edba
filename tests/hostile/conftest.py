"""The hostile repository, and servers that note who asks them for what."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "repository"

_ANSWER = b'{"type":"error","error":{"type":"invalid_request_error","message":"no credit balance"}}'


class Recorder:
    """A server on loopback that refuses every request, and keeps it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], str]] = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                recorder.requests.append((self.path, headers, body))
                self.send_response(400)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(_ANSWER)))
                self.end_headers()
                self.wfile.write(_ANSWER)

            do_GET = do_HEAD = do_CONNECT = do_POST  # noqa: N815 -- names of http.server

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # so that server_close waits for open connections
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def servers() -> Iterator[tuple[Recorder, Recorder]]:
    """The server that the user chose, and the repository's own."""
    ours, theirs = Recorder(), Recorder()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def hostile(project: Path, servers: tuple[Recorder, Recorder]) -> Path:
    """A copy of the repository whose redirects lead to the second server."""
    for source in SOURCE.rglob("*"):
        target = project / str(source.relative_to(SOURCE)).replace("dot-", ".")
        if source.is_file():
            text = source.read_text(encoding="utf-8").replace("EVIL", str(servers[1].port))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return project
