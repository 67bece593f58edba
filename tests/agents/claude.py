"""The real Claude Code program, from the SDK's wheel, against the replay model."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.agents.claude_code import ClaudeCodeAgent
from orchestrator.agents.claude_program import find_bundled_program
from orchestrator.agents.claude_question import ClaudeQuestions
from orchestrator.replay import ReplayServer, Scenario, parse_scenario

SMALL = {"input": 100, "output": 50}
"""The usage of each reply of the scripted model."""


def say(text: str, **more: object) -> dict[str, Any]:
    return {"say": text, "usage": SMALL, **more}


def use(tool: str, **given: object) -> dict[str, Any]:
    return {"tools": [{"name": tool, "input": given}], "usage": SMALL}


def steps(*replies: Mapping[str, Any]) -> Scenario:
    """A scenario with one reply for each step."""
    return answers({"steps": list(replies)})


def answers(*items: Mapping[str, Any]) -> Scenario:
    return parse_scenario(json.dumps({"answers": list(items)}))


def fault(fault: object) -> Scenario:
    return answers({"reply": {"fault": fault}})


@contextlib.contextmanager
def claude(
    scenario: Scenario,
    env: Mapping[str, str] | None = None,
    *,
    allowed_tools: Sequence[str] = (),
    model: str | None = None,
    skip_permissions: bool = False,
    refuse: Callable[[Path], str | None] | None = None,
    list_untrusted: Callable[[Path], Sequence[str]] | None = None,
) -> Iterator[tuple[ClaudeCodeAgent, ReplayServer]]:
    """An agent whose model is scripted."""
    program = find_bundled_program()
    assert program, "the SDK's wheel has no program for this platform"
    with ReplayServer(scenario) as replay:
        environment = {
            **os.environ,
            "ANTHROPIC_BASE_URL": replay.url,
            "ANTHROPIC_API_KEY": "sk-not-a-key",
            "CLAUDE_CODE_MAX_RETRIES": "1",
            **(env or {}),
        }
        agent = ClaudeCodeAgent(
            environment=environment,
            model=model,
            allowed_tools=allowed_tools,
            skip_permissions=skip_permissions,
            program=program,
            refuse=refuse,
            list_untrusted=list_untrusted,
        )
        yield agent, replay


def write(workspace: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def log_in(home: Path) -> None:
    """Store a login in a home, such as a person with a subscription has; no server knows it."""
    login = {
        "accessToken": "sk-ant-oat01-not-a-token",
        "refreshToken": "sk-ant-ort01-not-a-token",
        "expiresAt": 4102444800000,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
    write(home, {".claude/.credentials.json": json.dumps({"claudeAiOauth": login})})


def ask_with(url: str, env: Mapping[str, str] | None = None) -> ClaudeQuestions:
    """The real program, as it is asked single questions, whose model is at an address."""
    program = find_bundled_program()
    assert program, "the SDK's wheel has no program for this platform"
    more = {"ANTHROPIC_BASE_URL": url, "CLAUDE_CODE_MAX_RETRIES": "0"}
    return ClaudeQuestions({**os.environ, **more, **(env or {})}, program)
