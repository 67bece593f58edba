"""Runs the real Claude Code program for tests, away from the user's home and settings."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator import process

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
    """What the program left: its last JSON line as `result`, and the streams."""

    completed: process.Completed
    result: dict[str, Any]


def claude_binary() -> Path:
    """The program that comes in the claude-agent-sdk wheel."""
    import claude_agent_sdk

    return Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"


def claude_env(url: str, home: Path, **more: str) -> dict[str, str]:
    """An environment in which the program talks to `url` only and gives up early."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC", "CLAUDE"))
    }
    return {**clean, **_QUIET, "HOME": str(home), "ANTHROPIC_BASE_URL": url, **more}


def run_claude(
    url: str, prompt: str, cwd: Path, home: Path, *arguments: str, **more: str
) -> ClaudeRun:
    """Run `claude -p PROMPT` in acceptEdits mode to its end; `more` goes to its environment."""
    base = ("--output-format", "json", "--permission-mode", "acceptEdits")
    completed = process.run(
        [str(claude_binary()), "-p", prompt, *base, *arguments],
        cwd=cwd,
        env=claude_env(url, home, **more),
        wall_clock=90.0,
    )
    try:
        result = json.loads(completed.stdout.decode().strip().rpartition("\n")[2])
    except ValueError:
        result = {}
    return ClaudeRun(completed, result)
