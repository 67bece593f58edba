"""The MCP variant: the teacher as a tool of a plain client and of the real Claude Code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

from orchestrator.replay import parse_scenario
from tests.n8n.model import make_failing_reply, make_scenario
from tests.n8n.server import TOKEN, N8n
from tests.replay.claude import run_claude
from tests.teacher.samples import ADD, TEXT

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.replay import ReplayServer

ARGUMENTS = {
    "failure_type": "planning_error",
    "task_description": "Add an importer",
    "context": "A second importer was written beside the one that is there",
    "diff": "",
    "error_logs": "",
}


class Client:
    """A minimal MCP client over streamable HTTP."""

    def __init__(self, n8n: N8n) -> None:
        self._url = f"{n8n.url}/mcp/prompt-learning-teacher-mcp"
        self._headers = {
            "authorization": f"Bearer {TOKEN}",
            "accept": "application/json, text/event-stream",
        }
        params = {
            "protocolVersion": "2025-03-26",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        self.server = self.call("initialize", **params)["serverInfo"]
        self._post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, method: str, **params: object) -> dict[str, Any]:
        answer = self._post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        data = [line[5:] for line in answer.splitlines() if line.startswith("data:")]
        result = json.loads(data[0] if data else answer)["result"]
        assert isinstance(result, dict)
        return result

    def _post(self, message: dict[str, object]) -> str:
        answer = httpx.post(self._url, json=message, headers=self._headers, timeout=60)
        assert answer.is_success, answer.text
        if session := answer.headers.get("mcp-session-id"):
            self._headers["mcp-session-id"] = session
        return answer.text


def test_the_tool_teaches(n8n: N8n, model: ReplayServer) -> None:
    model.play_scenario(make_scenario(ADD))
    client = Client(n8n)
    [tool] = client.call("tools/list")["tools"]
    assert tool["name"] == "teach"
    assert set(tool["inputSchema"]["properties"]) == set(ARGUMENTS)
    result = client.call("tools/call", name="teach", arguments=ARGUMENTS)
    said = json.dumps(result["content"])
    assert all(json.dumps(part)[1:-1] in said.replace("\\", "") for part in TEXT.values())
    [asked] = model.requests
    assert ARGUMENTS["context"] in asked.text
    assert "This failure: the plan was wrong" in asked.text


def test_the_tool_reports_why_it_cannot_teach(n8n: N8n, model: ReplayServer) -> None:
    client = Client(n8n)
    model.play_scenario(make_scenario(make_failing_reply(529)))
    result = client.call("tools/call", name="teach", arguments=ARGUMENTS)
    assert "Claude answered 529" in json.dumps(result["content"])
    result = client.call("tools/call", name="teach", arguments={**ARGUMENTS, "context": ""})
    assert "bad request" in json.dumps(result["content"])
    assert len(model.requests) == 1


def test_a_stranger_is_turned_away(n8n: N8n) -> None:
    answer = httpx.post(f"{n8n.url}/mcp/prompt-learning-teacher-mcp", json={}, timeout=60)
    assert answer.status_code == 403


def test_claude_code_uses_it(
    n8n: N8n, model: ReplayServer, project: Path, home: Path, tmp_path: Path
) -> None:
    server = {
        "type": "http",
        "url": f"{n8n.url}/mcp/prompt-learning-teacher-mcp",
        "headers": {"Authorization": f"Bearer {TOKEN}"},
    }
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"teacher": server}}), encoding="utf-8")
    call = {"name": "mcp__teacher__teach", "input": ARGUMENTS}
    model.play_scenario(
        parse_scenario(
            "answers:\n"
            f"  - when: {{speaker: teacher}}\n    reply: {{json: {ADD}}}\n"
            f"  - when: {{speaker: agent, step: 0}}\n    reply: {{tools: [{json.dumps(call)}]}}\n"
            f"  - when: {{speaker: agent, last_contains: '{TEXT['rule'][:30]}'}}\n"
            "    reply: {say: I have learned.}\n"
        )
    )
    done = run_claude(
        model.url,
        "Ask the teacher.",
        project,
        home,
        "--mcp-config",
        str(config),
        "--strict-mcp-config",
        "--allowedTools",
        "mcp__teacher__teach",
        env={"ENABLE_TOOL_SEARCH": "false"},
    )
    assert done.result.get("result") == "I have learned.", (done, model.requests)
