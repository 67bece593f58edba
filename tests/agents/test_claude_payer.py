"""Who pays for the agent, in the order in which Claude Code chooses."""

import json
from pathlib import Path

import pytest

from orchestrator.agents.claude_payer import (
    choose_login,
    describe_payer,
    describe_unused_login,
    has_credential,
    suggest_login,
)

KEY = {"ANTHROPIC_API_KEY": "k"}


@pytest.fixture
def login(tmp_path: Path) -> Path:
    """A home whose Claude Code is logged in."""
    folder = tmp_path / ".claude"
    folder.mkdir()
    stored = {"claudeAiOauth": {"accessToken": "secret", "subscriptionType": "max"}}
    (folder / ".credentials.json").write_text(json.dumps(stored), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("env", "payer"),
    [
        ({}, "subscription (the login of Claude Code)"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "t"}, "subscription (CLAUDE_CODE_OAUTH_TOKEN)"),
        (KEY, "API key (ANTHROPIC_API_KEY)"),
        ({**KEY, "ANTHROPIC_AUTH_TOKEN": "t"}, "token (ANTHROPIC_AUTH_TOKEN)"),
        ({**KEY, "CLAUDE_CODE_USE_BEDROCK": "1"}, "cloud account (CLAUDE_CODE_USE_BEDROCK)"),
        ({**KEY, "CLAUDE_CODE_USE_VERTEX": "1"}, "cloud account (CLAUDE_CODE_USE_VERTEX)"),
        ({"ORCHESTRATOR_TEACHER_API_KEY": "k"}, "subscription (the login of Claude Code)"),
    ],
)
def test_who_pays_is_named(login: Path, env: dict[str, str], payer: str) -> None:
    env = {"HOME": str(login), **env}
    assert describe_payer(env) == payer
    notice = describe_unused_login(env)
    assert bool(notice) == (not payer.startswith("subscription"))
    if "ANTHROPIC_API_KEY" in payer:
        assert "as ORCHESTRATOR_TEACHER_API_KEY" in notice
    assert "secret" not in notice


def test_a_key_in_the_users_settings_counts(login: Path) -> None:
    settings = login / ".claude" / "settings.json"
    settings.write_text(json.dumps({"env": KEY}), encoding="utf-8")
    assert describe_payer({"HOME": str(login)}) == "API key (ANTHROPIC_API_KEY)"
    settings.write_text(json.dumps({"apiKeyHelper": "/bin/key"}), encoding="utf-8")
    assert describe_payer({"HOME": str(login)}) == "API key (apiKeyHelper in settings.json)"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"oauthAccount": {}}', "[" * 100_000])
def test_without_a_login_there_is_no_notice(tmp_path: Path, text: str) -> None:
    (tmp_path / ".claude").mkdir()
    for path in (tmp_path / ".claude.json", tmp_path / ".claude" / ".credentials.json"):
        path.write_text(text, encoding="utf-8")
    assert describe_unused_login({"HOME": str(tmp_path), **KEY}) == ""


def test_a_login_in_the_keychain_is_known_by_its_account(tmp_path: Path) -> None:
    account = {"oauthAccount": {"emailAddress": "me@example.org"}}
    (tmp_path / ".claude.json").write_text(json.dumps(account), encoding="utf-8")
    assert describe_payer({"HOME": str(tmp_path)}).startswith("subscription")
    notice = describe_unused_login({"HOME": str(tmp_path), **KEY})
    assert "not by your subscription" in notice
    assert "me@example.org" not in notice


LOGIN = "subscription (the login of Claude Code)"
GATEWAY = {"ANTHROPIC_AUTH_TOKEN": "t", "ANTHROPIC_BASE_URL": "https://gateway.example"}


@pytest.mark.parametrize(
    ("env", "payer"),
    [
        ({}, LOGIN),
        (KEY, LOGIN),
        ({"ANTHROPIC_AUTH_TOKEN": "t"}, LOGIN),
        ({**KEY, "CLAUDE_CODE_OAUTH_TOKEN": "t"}, "subscription (CLAUDE_CODE_OAUTH_TOKEN)"),
        ({**KEY, "CLAUDE_CODE_USE_BEDROCK": "1"}, "cloud account (CLAUDE_CODE_USE_BEDROCK)"),
        (GATEWAY, "token (ANTHROPIC_AUTH_TOKEN)"),
    ],
)
def test_the_login_is_chosen_before_a_key_of_the_user(
    login: Path, env: dict[str, str], payer: str
) -> None:
    given = {"HOME": str(login), **env}
    chosen = choose_login(given)
    assert chosen.payer == payer
    assert chosen.uses_login == payer.startswith("subscription")
    keys = {name: chosen.variables.get(name) for name in KEY.keys() | GATEWAY.keys()}
    assert chosen.uses_login == (keys["ANTHROPIC_API_KEY"] == keys["ANTHROPIC_AUTH_TOKEN"] == "")
    assert keys["ANTHROPIC_BASE_URL"] == env.get("ANTHROPIC_BASE_URL")


def test_without_a_login_a_key_stays(tmp_path: Path) -> None:
    given = {"HOME": str(tmp_path), **KEY}
    chosen = choose_login(given)
    assert (chosen.variables, chosen.uses_login) == (given, False)
    assert chosen.payer == "API key (ANTHROPIC_API_KEY)"
    assert has_credential(given)
    assert not has_credential({"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("env", "advice"),
    [
        ({}, "log in again: `claude auth login`"),
        (KEY, "correct the API key (ANTHROPIC_API_KEY), or remove it and log in: `claude auth "),
        ({"CLAUDE_CODE_USE_VERTEX": "1"}, "check the cloud account (CLAUDE_CODE_USE_VERTEX)"),
    ],
)
def test_what_is_not_accepted_is_named(login: Path, env: dict[str, str], advice: str) -> None:
    assert suggest_login({"HOME": str(login), **env}, "claude auth login").startswith(advice)
    without = suggest_login({"HOME": "/nowhere"}, "claude auth login")
    assert without == "log in: `claude auth login`, or set ANTHROPIC_API_KEY"
