"""Run the real Claude Code program, away from the user's home and settings."""

import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.platform import process

_QUIET = {
    "ANTHROPIC_API_KEY": "test",
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "API_TIMEOUT_MS": "20000",
    "CLAUDE_ENABLE_BYTE_WATCHDOG": "1",
    "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "10000",
}


@dataclass(frozen=True)
class ClaudeRun:
    """The outcome of the program: its last JSON line as `result`, and the streams."""

    completed: process.ProcessResult
    result: dict[str, Any]


def claude_binary() -> Path:
    """The program that comes in the claude-agent-sdk wheel."""
    spec = importlib.util.find_spec("claude_agent_sdk")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "_bundled" / "claude"


def claude_env(url: str, home: Path) -> dict[str, str]:
    """An environment in which the program talks to `url` only and gives up early."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC", "CLAUDE"))
    }
    return {**clean, **_QUIET, "HOME": str(home), "ANTHROPIC_BASE_URL": url}


def claude_command(prompt: str, *arguments: str) -> list[str]:
    """The argv of one headless run in acceptEdits mode that prints a JSON result."""
    base = ("--output-format", "json", "--permission-mode", "acceptEdits")
    return [str(claude_binary()), "-p", prompt, *base, *arguments]


def run_claude(
    url: str,
    prompt: str,
    cwd: Path,
    home: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    wall_clock: float = 90.0,
) -> ClaudeRun:
    """Run `claude -p PROMPT` in acceptEdits mode to its end.

    It is ended after `wall_clock` seconds; `env` is added to its environment.
    """
    completed = process.run(
        claude_command(prompt, *arguments),
        cwd=cwd,
        env=claude_env(url, home) | dict(env or {}),
        wall_clock=wall_clock,
    )
    try:
        result = json.loads(completed.stdout.decode().strip().rpartition("\n")[2])
    except ValueError:
        result = {}
    return ClaudeRun(completed, result)
