"""Send one request of the real Claude Code to a server on this machine, and read what is in it.

The request costs nothing and goes nowhere else: its address is pinned in `--settings`, which
precede a project's own, and every key is replaced by one that is none. No hook and no MCP server
is started, and no transcript is written: none of them decides which instructions are loaded.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.agents import claude_environment
from orchestrator.agents.claude_code import ClaudeCodeAgent
from orchestrator.models import AgentLimits
from orchestrator.platform.folders import CONFIG_VARIABLE
from orchestrator.platform.process import run
from orchestrator.platform.watchdog import EndReason
from orchestrator.replay import Answer, ReplayServer, Reply, Scenario
from orchestrator.replay.request import RecordedRequest, collapse_whitespace
from orchestrator.services.doctor.config_copy import copy_config_folder

SECONDS: Final = 45.0
"""The time limit for one request; it takes one or two seconds on an idle machine."""

_PROMPT: Final = "Reply with the word ok."
_KEY: Final = "no-key-of-yours"
_ARGUMENTS: Final = ("--strict-mcp-config", "--no-session-persistence")
_QUIET: Final = {"disableAllHooks": True}
_UNREACHABLE: Final = "http://127.0.0.1:9"
_OFFLINE: Final = {
    # A marketplace of plugins in settings is fetched at each start: with git, or through a proxy.
    "GIT_ALLOW_PROTOCOL": "none",
    **dict.fromkeys(("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"), _UNREACHABLE),
    **dict.fromkeys(("all_proxy", "https_proxy", "http_proxy"), _UNREACHABLE),
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}
"""Variables with which a program reaches this machine only."""
_SCENARIO: Final = Scenario((Answer(Reply(say="ok")),), "the probe of the doctor")
_HEADER: Final = "Contents of "


@dataclass(frozen=True)
class Probe:
    """What a request of Claude Code contained."""

    text: str
    """All text of the request, each run of white space as one space; empty without a request."""
    problem: str = ""
    """Why there was no request."""

    def contains(self, text: str) -> bool:
        """Return whether a text was in the request, whatever its white space."""
        return collapse_whitespace(text) in self.text

    def loads_file(self, path: Path) -> bool:
        """Return whether the content of a file was in the request, by its path."""
        return f"{_HEADER}{path} " in self.text or f"{_HEADER}{path}:" in self.text

    @property
    def loads_instructions(self) -> bool:
        """Whether any file of instructions was in the request."""
        return _HEADER in self.text


def probe_agent(agent: ClaudeCodeAgent, environment: Mapping[str, str], folder: Path) -> Probe:
    """Return what a run's request contains: with the very options of the agent.

    Args:
        agent: the agent of a run.
        environment: the environment of the project's own programs.
        folder: where the agent works.
    """
    with _open_model(environment, folder) as (model, env, settings):
        probe = agent.build_probe(env, settings, _ARGUMENTS)
        limits = AgentLimits(max_turns=1, wall_clock_seconds=SECONDS)
        result = probe.run(_PROMPT, folder, limits, lambda _event: None)
        return _build_probe(model.requests, result.message)


def probe_program(
    program: Path, environment: Mapping[str, str], folder: Path, mentions: Sequence[str] = ()
) -> Probe:
    """Return what the request of the user's own `claude` in a folder contains.

    Args:
        program: Claude Code.
        environment: the user's environment.
        folder: where it is started.
        mentions: files that the prompt mentions, so that rules for them are loaded.
    """
    with _open_model(environment, folder) as (model, env, settings):
        child_env = claude_environment.build_child_environment(env, folder)
        prompt = " ".join((_PROMPT, *(f"@{each}" for each in mentions)))
        argv = [str(program), "-p", prompt, "--output-format", "json", "--max-turns", "1"]
        with claude_environment.write_settings_file(child_env, None, settings) as file:
            argv += ["--settings", str(file), *_ARGUMENTS]
            done = run(argv, cwd=folder, env=child_env, wall_clock=SECONDS)
        problem = done.text.strip()[-300:]
        if done.ended_by is not EndReason.ITSELF:
            problem = f"it did not end within {SECONDS:g} s"
        return _build_probe(model.requests, problem)


@contextmanager
def _open_model(
    environment: Mapping[str, str], folder: Path
) -> Iterator[tuple[ReplayServer, dict[str, str], dict[str, Any]]]:
    """Yield a server, the environment of a program that asks it, and its additional settings."""
    with ReplayServer(_SCENARIO) as model, copy_config_folder(environment, folder) as copy:
        env = {
            **environment,
            # What the user's settings say about keys, clouds and proxies is overruled too.
            **dict.fromkeys(claude_environment.PROTECTED_NAMES, ""),
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": _KEY,
            CONFIG_VARIABLE: str(copy.folder),
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "API_TIMEOUT_MS": str(int(SECONDS * 1000)),
            **_OFFLINE,
            "TMPDIR": str(copy.folder),  # it leaves folders there
            # `git status`, which the program asks for, would refresh the user's index.
            "GIT_OPTIONAL_LOCKS": "0",
        }
        yield model, env, {**_QUIET, **copy.settings}


def _build_probe(requests: Sequence[RecordedRequest], problem: str) -> Probe:
    if not requests:
        return Probe("", _read_problem(problem) or "it sent no request")
    return Probe(" ".join(request.flat_text for request in requests))


def _read_problem(text: str) -> str:
    """Return the message in the JSON result of the program, or the text itself."""
    try:
        result = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return str(result.get("result", text)) if isinstance(result, dict) else text
