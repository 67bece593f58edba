"""Build the environment of Claude Code: variables, pinned settings, login, session ids."""

import contextlib
import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.platform.folders import SETTINGS, find_config_folder
from orchestrator.platform.git_variables import drop_repository_variables
from orchestrator.platform.secret_folders import create_secret_folder
from orchestrator.storage.location import RUN_VARIABLE

OFFICIAL_API: Final = "https://api.anthropic.com"

DEFAULTS: Final = {
    # The default of ten retries takes three minutes before an error is reported.
    "CLAUDE_CODE_MAX_RETRIES": "2",
    # Bounds the wait for the headers only (default: six minutes and more); a reply that stalls is
    # ended by the watchdog. CLAUDE_STREAM_IDLE_TIMEOUT_MS below five minutes is ignored.
    "API_TIMEOUT_MS": "120000",
    "CLAUDE_ENABLE_BYTE_WATCHDOG": "1",
    "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "60000",
    # A command over its timeout would move to the background, and the run would wait for it, for
    # more than 90 s; without background tasks it is killed.
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    # The agent's own notes would reach the next attempt without passing the rulebook. It may
    # write them in every permission mode.
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}
"""Default variables; the user's own environment takes precedence."""

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
"""Variables that a session sets for its commands. With them, a new one would act as part of it."""

_KEYS: Final = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
CLOUDS: Final = ("BEDROCK", "VERTEX", "FOUNDRY", "MANTLE", "ANTHROPIC_AWS", "GATEWAY")

_HELPERS: Final = (
    "apiKeyHelper",
    "awsAuthRefresh",
    "awsCredentialExport",
    "gcpAuthRefresh",
    "otelHeadersHelper",
)
"""Settings that name a program for credentials; an empty one runs nothing."""

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
    *(f"CLAUDE_CODE_USE_{cloud}" for cloud in CLOUDS),
)
"""Other variables that determine where requests go and with which key; an empty one counts as
not set."""

PROTECTED_NAMES: Final = frozenset({"ANTHROPIC_BASE_URL", *_PINNED_VARIABLES})
"""Variables that a project cannot set."""

HELPERS: Final = frozenset(_HELPERS)

CLAUDE_MD_OF_ADDED: Final = {"CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD": "1"}
"""Makes `--add-dir` load a folder's CLAUDE.md and rules, but none of its settings."""

_OWN_SESSION_PREFIX: Final = "0c4e57a1"
"""The prefix of the ids of sessions started here. Another session has it once in four billion."""


def build_child_environment(base: Mapping[str, str], workspace: Path) -> dict[str, str]:
    """Return the complete environment of Claude Code, from that of the project's commands."""
    inherited = {
        name: value
        for name, value in drop_repository_variables(base).items()
        if name not in _SESSION_VARIABLES and not name.startswith(_SESSION_PREFIXES)
    }
    required = {
        "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
        "CLAUDE_CODE_SDK_READS_SESSION_STATE": "1",  # it reports when it is idle
        "PWD": str(workspace),
    }
    return {**DEFAULTS, RUN_VARIABLE: "1", **inherited, **required}


def build_pinned_settings(
    env: Mapping[str, str],
    sandbox: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    *,
    uses_helpers: bool = True,
) -> str:
    """Return settings, as JSON for `--settings`, that pin where requests go and with which key.

    A project's `.claude/settings.json` may set environment variables, which override those of the
    process: a repository could have the user's key sent to an address of its choice, or the user's
    code to a foreign account. It may also name a program that returns the key. Headless, no dialog
    asks whether the project is trusted. Only `--settings` overrides the project's settings. The
    pinned value is that of the process, else that of the user's settings.

    Args:
        env: the complete environment of Claude Code.
        sandbox: Claude Code's own sandbox settings, from the user's configuration.
        extra: settings to add; none of those that are pinned.
        uses_helpers: whether the user's own programs for credentials run.
    """
    user = read_user_settings(env)
    values = {**user.get("env", {}), **env}
    pins = {name: values.get(name, "") for name in _PINNED_VARIABLES}
    address = values.get("ANTHROPIC_BASE_URL") or OFFICIAL_API
    settings: dict[str, Any] = {**(extra or {}), "env": {"ANTHROPIC_BASE_URL": address, **pins}}
    settings |= {name: user.get(name, "") if uses_helpers else "" for name in _HELPERS}
    return json.dumps(settings | ({"sandbox": dict(sandbox)} if sandbox else {}))


@contextlib.contextmanager
def write_settings_file(
    env: Mapping[str, str],
    sandbox: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    *,
    uses_helpers: bool = True,
) -> Iterator[Path]:
    """Write the pinned settings to a file that only this user can read, and yield its path.

    They hold a key, and a command line can be read by all users. The file's folder is private too,
    and is removed with all that is in it.
    """
    with create_secret_folder() as folder:
        path = folder / SETTINGS
        text = build_pinned_settings(env, sandbox, extra, uses_helpers=uses_helpers)
        path.write_text(text, encoding="utf-8")
        yield path


def create_session_id() -> str:
    """Return an id for a new session, a UUID that `is_own_session` recognises."""
    return _OWN_SESSION_PREFIX + str(uuid.uuid4())[len(_OWN_SESSION_PREFIX) :]


def is_own_session(transcript: Path) -> bool:
    """Return whether a transcript is of a session started here, or of a subagent in one.

    Such a session is judged by its run, so nothing is learned from its transcript. A `claude` that
    such a session starts has another id; its hooks are recognised by `RUN_VARIABLE`.
    """
    return any(
        part.startswith(_OWN_SESSION_PREFIX)
        for part in (transcript.stem, *transcript.parent.parts[-2:])
    )


def find_config_directory(env: Mapping[str, str]) -> Path:
    """Return the folder in which Claude Code stores login, settings and transcripts."""
    return Path(find_config_folder(env))


def merge_user_variables(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Claude Code sees: those of the user's settings, then its own."""
    return {**read_user_settings(env).get("env", {}), **env}


def read_user_settings(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the user's own settings.json; empty when missing or broken, as for Claude Code."""
    try:
        text = (find_config_directory(env) / SETTINGS).read_text(encoding="utf-8-sig")
        settings = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(settings, dict) or not isinstance(settings.get("env", {}), dict):
        return {}
    return settings
