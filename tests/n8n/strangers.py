"""Requests of somebody who has no token, to the webhook and to the MCP server."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tests.n8n.server import N8n

GUESSES: Final = (
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer undefined",
    "Bearer null",
    "Bearer [object Object]",
    "undefined",
    "null",
    "[undefined]",
)
"""What a missing variable may become as the value of the header; None sends no header."""

_FAILURE: Final = {"diff": "+ return 0", "task_description": "x"}
_INITIALIZE: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-03-26",
        "capabilities": {},
        "clientInfo": {"name": "stranger", "version": "1"},
    },
}


class Reply(NamedTuple):
    """An answer, headers included."""

    status: int
    text: str


def ask_webhook(n8n: N8n, authorization: str | None, body: object = _FAILURE) -> Reply:
    """Ask for a lesson with this header."""
    return _post(n8n, "webhook/prompt-learning-teacher", body, authorization)


def ask_mcp(n8n: N8n, authorization: str | None) -> Reply:
    """Open a session of the MCP server with this header."""
    return _post(n8n, "mcp/prompt-learning-teacher-mcp", _INITIALIZE, authorization)


def _post(n8n: N8n, path: str, body: object, authorization: str | None) -> Reply:
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    if authorization is not None:
        headers["authorization"] = authorization
    # Not httpx: it sends no value that ends with a space.
    with closing(HTTPConnection("127.0.0.1", n8n.port, timeout=120)) as connection:
        connection.request("POST", f"/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        return Reply(answer.status, f"{answer.headers}{answer.read().decode()}")
