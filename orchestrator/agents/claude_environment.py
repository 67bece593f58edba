"""What Claude Code finds around it: its environment, its login, its API address."""

import contextlib
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.platform.folders import SETTINGS, find_config_folder
from orchestrator.storage.location import RUN_VARIABLE

OFFICIAL_API: Final = "https://api.anthropic.com"

DEFAULTS: Final = {
    # Errors are told within minutes: the program's own ten retries take three.
    "CLAUDE_CODE_MAX_RETRIES": "2",
    "API_TIMEOUT_MS": "120000",
    "CLAUDE_ENABLE_BYTE_WATCHDOG": "1",
    "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "60000",
    # A command over its timeout would move to the background, and the run would wait for it.
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    # What the agent notes for itself would reach the next attempt past the rulebook.
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}
"""Defaults for the program's environment; the user's own environment goes before them."""

_SESSION_PREFIXES: Final = ("CLAUDE_CODE_SESSION_", "CLAUDE_CODE_MESSAGING_", "CLAUDE_PLUGIN_")
_SESSION_VARIABLES: Final = frozenset(
    {
        "AI_AGENT",
        "CLAUDECODE",
        "CLAUDE_AGENT_SDK_VERSION",
        "CLAUDE_CODE_CHILD_NOTES_DIR",
        "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_EXECPATH",
        "CLAUDE_CODE_SSE_PORT",
        "CLAUDE_CODE_TOOL_USE_ID",
        "CLAUDE_EFFORT",
        "CLAUDE_ENV_FILE",
        "CLAUDE_PID",
        "CLAUDE_PROJECT_DIR",
    }
)
"""What a session sets for its own commands: ours would take itself for a part of that one."""

_KEYS: Final = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
_CLOUDS: Final = ("BEDROCK", "VERTEX", "FOUNDRY", "MANTLE", "ANTHROPIC_AWS", "GATEWAY")

_HELPERS: Final = (
    "apiKeyHelper",
    "awsAuthRefresh",
    "awsCredentialExport",
    "gcpAuthRefresh",
    "otelHeadersHelper",
)
"""Settings that name a program which gives, or gets, credentials; an empty one runs nothing."""

_PINNED_VARIABLES: Final = (
    *_KEYS,
    "ANTHROPIC_FOUNDRY_API_KEY",
    "AWS_BEARER_TOKEN_BEDROCK",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_UNIX_SOCKET",
    "ANTHROPIC_FOUNDRY_BASE_URL",
    "ANTHROPIC_BEDROCK_MANTLE_BASE_URL",
    "ANTHROPIC_AWS_BASE_URL",
    "ANTHROPIC_GOOGLE_CLOUD_BASE_URL",
    "CLAUDE_CODE_API_BASE_URL",
    "CLAUDE_CODE_CUSTOM_OAUTH_URL",
    "CLAUDE_CODE_ENABLE_TELEMETRY",
    *(f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT" for kind in ("", "LOGS_", "METRICS_", "TRACES_")),
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "all_proxy",
    "https_proxy",
    "http_proxy",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "ANTHROPIC_BEDROCK_BASE_URL",
    "ANTHROPIC_VERTEX_BASE_URL",
    *(f"CLAUDE_CODE_USE_{cloud}" for cloud in _CLOUDS),
)
"""Other variables that say where requests go, and with which key; an empty one counts as not
set."""

PROTECTED_NAMES: Final = frozenset({"ANTHROPIC_BASE_URL", *_PINNED_VARIABLES})
"""Variables, and `HELPERS` settings, that no project decides."""

HELPERS: Final = frozenset(_HELPERS)

CLAUDE_MD_OF_ADDED: Final = {"CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD": "1"}
"""Lets `--add-dir` load a folder's CLAUDE.md and rules, and none of its settings."""

_OWN_SESSION_PREFIX: Final = "0c4e57a1"
"""How the ids of our own sessions begin. A foreign one does by chance once in four billion."""


def build_child_environment(base: Mapping[str, str], workspace: Path) -> dict[str, str]:
    """The program's whole environment, from the one that the project's commands run in."""
    kept = {
        name: value
        for name, value in base.items()
        if name not in _SESSION_VARIABLES and not name.startswith(_SESSION_PREFIXES)
    }
    ours = {
        "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
        "CLAUDE_CODE_SDK_READS_SESSION_STATE": "1",  # `claude_session` waits for its end
        "PWD": str(workspace),
    }
    return {**DEFAULTS, RUN_VARIABLE: "1", **kept, **ours}


def build_pinned_settings(env: Mapping[str, str], sandbox: Mapping[str, Any] | None = None) -> str:
    """Settings, as JSON for `--settings`, that say where requests go and with which key.

    A project's `.claude/settings.json` may set environment variables, and they go before those of
    the process: a repository could have the user's key sent to an address of its choice, or the
    user's code to somebody else's account. It may also name a program that gives the key. Only
    `--settings` goes before the project's. What is pinned is the process's own value, else that
    of the user's settings.

    Args:
        env: the program's whole environment.
        sandbox: Claude Code's own sandbox settings, as the user configured them for us.
    """
    user = _read_user_settings(env)
    ours = {**user.get("env", {}), **env}
    pins = {name: ours.get(name, "") for name in _PINNED_VARIABLES}
    address = ours.get("ANTHROPIC_BASE_URL") or OFFICIAL_API
    settings: dict[str, Any] = {"env": {"ANTHROPIC_BASE_URL": address, **pins}}
    settings |= {name: user.get(name, "") for name in _HELPERS}
    return json.dumps(settings | ({"sandbox": dict(sandbox)} if sandbox else {}))


@contextlib.contextmanager
def write_settings_file(
    env: Mapping[str, str], sandbox: Mapping[str, Any] | None
) -> Iterator[Path]:
    """The pinned settings in a file that only this user can read: a key is among them, and a
    command line is seen by all users.
    """  # noqa: D205 -- one thought
    # In memory where there is such a place: after `kill -9` nobody takes the file away.
    memory = Path("/dev/shm")  # noqa: S108 -- mkdtemp makes a private folder in it
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="orchestrator-", dir=place) as folder:
        path = Path(folder) / SETTINGS
        path.write_text(build_pinned_settings(env, sandbox), encoding="utf-8")
        yield path


def create_session_id() -> str:
    """An id for a session of ours, a UUID that `is_own_session` knows again."""
    return _OWN_SESSION_PREFIX + str(uuid.uuid4())[len(_OWN_SESSION_PREFIX) :]


def is_own_session(transcript: Path) -> bool:
    """Whether a transcript is of a session that we started, or of a subagent in one.

    What such a session did is judged by its run, so nothing is learned from its transcript. A
    `claude` that such a session starts in turn is not known by this; its hooks see `RUN_VARIABLE`.
    """
    return any(
        part.startswith(_OWN_SESSION_PREFIX)
        for part in (transcript.stem, *transcript.parent.parts[-2:])
    )


def find_config_directory(env: Mapping[str, str]) -> Path:
    """Where Claude Code keeps login, settings and transcripts."""
    return Path(find_config_folder(env))


def can_authenticate(env: Mapping[str, str]) -> bool:
    """Whether there is anything that Claude Code could authenticate with.

    False is certain, except on macOS, where a login is in the keychain and this is always True.
    """
    settings = _read_user_settings(env)
    everywhere = {**settings.get("env", {}), **env}
    return (
        any(everywhere.get(name) for name in _KEYS)
        or any(everywhere.get(f"CLAUDE_CODE_USE_{cloud}") for cloud in _CLOUDS)
        or "apiKeyHelper" in settings
        or (find_config_directory(env) / ".credentials.json").is_file()
        or sys.platform == "darwin"
    )


def _read_user_settings(env: Mapping[str, str]) -> dict[str, Any]:
    """The user's own settings.json; empty when it is absent or broken, as for Claude Code."""
    try:
        text = (find_config_directory(env) / SETTINGS).read_text(encoding="utf-8-sig")
        settings = json.loads(text)
    except (OSError, ValueError):
        return {}
    if not isinstance(settings, dict) or not isinstance(settings.get("env", {}), dict):
        return {}
    return settings
