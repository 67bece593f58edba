"""Find out who pays for Claude Code's work, in the order in which it chooses itself.

The order is that of its documentation (Authentication, "Authentication precedence"). That a key in
the environment comes before a login was observed with Claude Code 2.1.332.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.claude_environment import (
    CLOUDS,
    find_config_directory,
    read_user_settings,
)

_CREDENTIALS: Final = (
    ("ANTHROPIC_AUTH_TOKEN", "token"),
    ("ANTHROPIC_API_KEY", "API key"),
)
_HELPER: Final = "apiKeyHelper"
_OAUTH_TOKEN: Final = "CLAUDE_CODE_OAUTH_TOKEN"  # noqa: S105 -- the variable's name, not a token


def describe_payer(env: Mapping[str, str]) -> str:
    """Return who pays: the kind of credential, and in parentheses where it comes from."""
    return _find_credential(env) or _find_login(env) or "the login of Claude Code"


def describe_unused_login(env: Mapping[str, str]) -> str:
    """Return a line for a user whose subscription is not used because of a key; empty otherwise."""
    credential, login = _find_credential(env), _find_login(env)
    if not credential or not login:
        return ""
    advice = ""
    if "ANTHROPIC_API_KEY" in credential:
        advice = (
            "; to keep the subscription, unset ANTHROPIC_API_KEY and give the key to the teacher "
            "alone, as ORCHESTRATOR_TEACHER_API_KEY"
        )
    return f"the agent is paid by {credential}, not by your {login}{advice}"


def _find_credential(env: Mapping[str, str]) -> str:
    """Return the cloud account or key that comes before a login; empty if there is none."""
    settings = read_user_settings(env)
    values = {**settings.get("env", {}), **env}
    for cloud in CLOUDS:
        if values.get(variable := f"CLAUDE_CODE_USE_{cloud}"):
            return f"cloud account ({variable})"
    for variable, kind in _CREDENTIALS:
        if values.get(variable):
            return f"{kind} ({variable})"
    return f"API key ({_HELPER} in settings.json)" if settings.get(_HELPER) else ""


def _find_login(env: Mapping[str, str]) -> str:
    """Return the subscription that is logged in; empty if none is known.

    The login itself is in `.credentials.json`, or on macOS in the keychain, which is not asked
    because that may open a dialog; the account's name is in `.claude.json` on every platform.
    """
    values = {**read_user_settings(env).get("env", {}), **env}
    if values.get(_OAUTH_TOKEN):
        return f"subscription ({_OAUTH_TOKEN})"
    folder = find_config_directory(env)
    stored = _read_object(folder / ".credentials.json").get("claudeAiOauth")
    # Beside the default folder, or in the folder that the user has set.
    account = any(
        _read_object(each / ".claude.json").get("oauthAccount") for each in (folder, folder.parent)
    )
    return "subscription (the login of Claude Code)" if stored or account else ""


def _read_object(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
