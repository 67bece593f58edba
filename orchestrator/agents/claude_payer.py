"""Find out who pays for Claude Code's work, in the order in which it chooses itself.

The order is that of its documentation (Authentication, "Authentication precedence"). That a key in
the environment comes before a login was observed with Claude Code 2.1.332.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.claude_environment import (
    CLOUDS,
    OFFICIAL_API,
    build_child_environment,
    find_config_directory,
    merge_user_variables,
    read_user_settings,
)
from orchestrator.platform.folders import CONFIG_VARIABLE
from orchestrator.platform.process import capture

SCRIPTED_KEY: Final = "no-key-the-model-is-scripted"
"""The API key of a run whose model is scripted, so that nobody pays."""
NOBODY: Final = "nobody, because the model is scripted"

_TOKEN: Final = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 -- the variable's name, not a token
_CREDENTIALS: Final = (
    (_TOKEN, "token"),
    ("ANTHROPIC_API_KEY", "API key"),
)
_HELPER: Final = "apiKeyHelper"
_STATUS_SECONDS: Final = 30.0
_OAUTH_TOKEN: Final = "CLAUDE_CODE_OAUTH_TOKEN"  # noqa: S105 -- the variable's name, not a token


def describe_payer(env: Mapping[str, str]) -> str:
    """Return who pays: the kind of credential, and in parentheses where it comes from."""
    return _find_credential(env) or _find_login(env) or "the login of Claude Code"


@dataclass(frozen=True)
class LoginChoice:
    """How Claude Code is to be asked with the user's login.

    Args:
        variables: the environment, in which keys that come before the login are empty.
        uses_login: whether keys were removed in favour of a login.
        payer: who pays, as `describe_payer` names it.
    """

    variables: Mapping[str, str]
    uses_login: bool
    payer: str


def choose_login(env: Mapping[str, str]) -> LoginChoice:
    """Return the environment in which Claude Code uses the user's login and not a key.

    Without a known login, everything stays as it is for the agent. So it does with a cloud account,
    and with a key for another address than Anthropic's: a login must not be sent there.
    """
    login = _find_login(env)
    values = merge_user_variables(env)
    address = values.get("ANTHROPIC_BASE_URL") or OFFICIAL_API
    has_gateway = address != OFFICIAL_API and bool(_find_credential(env))
    if not login or has_gateway or _find_cloud(values):
        return LoginChoice(env, uses_login=False, payer=describe_payer(env))
    # Empty, and not removed: the user's settings may have the same variable.
    emptied = {variable: "" for variable, _ in _CREDENTIALS}
    return LoginChoice({**env, **emptied}, uses_login=True, payer=login)


def can_authenticate(env: Mapping[str, str], program: Path) -> bool:
    """Return whether Claude Code has anything to authenticate with. Costs nothing.

    Args:
        env: the environment of Claude Code.
        program: its program, which is asked if nothing is found: only it may look into a keychain,
            and it knows ways that are not known here.
    """
    return bool(_find_credential(env) or _find_login(env)) or _reports_login(program, env)


def suggest_login(env: Mapping[str, str], command: str) -> str:
    """Return what to do when the API does not accept what Claude Code authenticates with.

    Args:
        env: the environment of Claude Code.
        command: the command with which a person logs in.
    """
    credential = _find_credential(env)
    if not credential:
        if _find_login(env):
            return f"log in again: `{command}`"
        return f"log in: `{command}`, or set ANTHROPIC_API_KEY"
    if _find_cloud(merge_user_variables(env)):
        return f"check the {credential}"
    return f"correct the {credential}, or remove it and log in: `{command}`"


def describe_unused_login(env: Mapping[str, str]) -> str:
    """Return a line for a user whose login is not used because of a key; empty otherwise."""
    credential, login = _find_credential(env), _find_login(env)
    if not credential or not login:
        return ""
    advice = ""
    if "ANTHROPIC_API_KEY" in credential:
        advice = (
            "; to use that, unset ANTHROPIC_API_KEY: the teacher uses the login too, "
            "unless you give it the key alone, as ORCHESTRATOR_TEACHER_API_KEY"
        )
    return f"the agent is paid by {credential}, not by your {login}{advice}"


def _find_credential(env: Mapping[str, str]) -> str:
    """Return the cloud account or key that comes before a login; empty if there is none."""
    values = merge_user_variables(env)
    if values.get("ANTHROPIC_API_KEY") == SCRIPTED_KEY:
        return NOBODY
    if cloud := _find_cloud(values):
        return f"cloud account ({cloud})"
    for variable, kind in _CREDENTIALS:
        if values.get(variable):
            return f"{kind} ({variable})"
    return f"API key ({_HELPER} in settings.json)" if read_user_settings(env).get(_HELPER) else ""


def _find_cloud(values: Mapping[str, str]) -> str:
    """Return the variable that selects a cloud account; empty if none does."""
    names = (f"CLAUDE_CODE_USE_{cloud}" for cloud in CLOUDS)
    return next((name for name in names if values.get(name)), "")


def _find_login(env: Mapping[str, str]) -> str:
    """Return the login of a subscription or of the Console; empty if none is known.

    A subscription's login is in `.credentials.json`, and the key that a login to the Console has
    created in `.claude.json`. On macOS both are in the keychain, which is not asked because that
    may open a dialog; there the account's name in `.claude.json` shows that there is one. Elsewhere
    an account without them is logged out (`claude auth status` of 2.1.332).
    """
    values = merge_user_variables(env)
    if values.get(_OAUTH_TOKEN):
        return f"subscription ({_OAUTH_TOKEN})"
    folder = find_config_directory(env)
    stored = _read_object(folder / ".credentials.json").get("claudeAiOauth")
    if isinstance(stored, dict) and stored.get("accessToken"):
        return "subscription (the login of Claude Code)"
    # In the folder that the user has set, or beside the default one.
    state = _read_object((folder if env.get(CONFIG_VARIABLE) else folder.parent) / ".claude.json")
    if state.get("primaryApiKey"):
        return "API key (the Console login of Claude Code)"
    is_in_keychain = sys.platform == "darwin" and bool(state.get("oauthAccount"))
    return "login of Claude Code (in the keychain)" if is_in_keychain else ""


def _reports_login(program: Path, env: Mapping[str, str]) -> bool:
    """Return whether the program says that it is logged in."""
    try:
        # Elsewhere than in the project, whose settings may name programs.
        with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
            variables = build_child_environment(env, Path(folder))
            if sys.platform != "darwin":
                # It writes into its configuration folder at each start. The login that may be there
                # is known without it; only the name of one in a keychain depends on the folder.
                variables[CONFIG_VARIABLE] = folder
            done = capture(
                [str(program), "auth", "status", "--json"],
                cwd=Path(folder),
                env=variables,
                timeout=_STATUS_SECONDS,
            )
        status = json.loads(done.stdout)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(status, dict) and status.get("loggedIn") is True


def _read_object(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
