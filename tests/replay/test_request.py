"""Requests are read for what conditions ask, and conditions are checked."""

from typing import Any

import pytest

from orchestrator.replay import (
    RecordedRequest,
    Speaker,
    When,
)
from orchestrator.replay.choosing import find_mismatches


def _turn(role: str, *blocks: object) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def _conversation(agent: str = "claude-cli/2.1") -> RecordedRequest:
    def use(identity: str) -> dict[str, Any]:
        command = {"command": "pytest -q"}
        return {"type": "tool_use", "id": identity, "name": "Bash", "input": command}

    result = {"type": "tool_result", "tool_use_id": "1", "content": "1 failed"}
    nested = {**result, "content": [{"type": "text", "text": "2\n  failed"}]}
    environment = "# Environment\n - Primary working directory: /a b/c \n - Platform: linux"
    return RecordedRequest(
        {
            "model": "claude-opus-5-5",
            "system": [{"type": "text", "text": "You are an agent."}],
            "tools": [{"name": "Bash"}],
            "messages": [
                _turn("user", {"type": "text", "text": "Primary working directory: /no\nrepair"}),
                {"role": "system", "content": environment},
                _turn("assistant", {"type": "text", "text": "I look."}, use("1"), use("2")),
                _turn("user", result),
                _turn("assistant", {"type": "text", "text": "Hm."}),
                _turn("assistant", use("3")),
                _turn("user", nested),
                {"role": "system", "content": "a reminder"},
            ],
        },
        user_agent=agent,
    )


def test_the_parts_of_a_request() -> None:
    request = _conversation()
    assert (request.step, request.cwd, request.tools) == (2, "/a b/c", ("Bash",))
    assert request.speaker is Speaker.AGENT
    assert request.last_text == "2\n  failed"
    for part in ("You are an agent.", "repair", "pytest -q", "1 failed", "a reminder"):
        assert part in request.text


@pytest.mark.parametrize(
    ("body", "agent", "speaker"),
    [
        ({"tools": [{"name": "Bash"}]}, "claude-cli/2.1", Speaker.AGENT),
        ({"tools": [{"name": "Bash"}]}, "Anthropic/Python 2", Speaker.AGENT),
        ({"tools": []}, "claude-cli/2.1", Speaker.SIDE),
        ({"max_tokens": 1}, "n8n", Speaker.SIDE),
        ({"max_tokens": 2}, "n8n", Speaker.TEACHER),
    ],
)
def test_speaker(body: dict[str, Any], agent: str, speaker: Speaker) -> None:
    assert RecordedRequest(body, user_agent=agent).speaker is speaker


@pytest.mark.parametrize(
    ("when", "reasons"),
    [
        (When(), []),
        (When(speaker=Speaker.AGENT, step=2, model="claude-o*"), []),
        (When(contains=("1 failed", "2 failed"), last_contains=("2  failed",)), []),
        (When(lacks=("3 failed",)), []),
        (When(speaker=Speaker.TEACHER), ["speaker is agent, not teacher"]),
        (When(step=0), ["step is 2, not 0"]),
        (When(model="*haiku*"), ["model is claude-opus-5-5, not *haiku*"]),
        (When(contains=("3 failed", "repair")), ['"3 failed" is missing']),
        (When(lacks=("repair",)), ['"repair" is there']),
        (When(last_contains=("1 failed",)), ['"1 failed" is not in the last message']),
    ],
)
def test_conditions(when: When, reasons: list[str]) -> None:
    assert find_mismatches(when, _conversation()) == reasons
