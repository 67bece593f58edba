"""Who pays for the agent, in the order in which Claude Code chooses."""

import json
import sys
from pathlib import Path

import pytest

from orchestrator.agents.claude_payer import (
    can_authenticate,
    choose_login,
    describe_payer,
    describe_unused_login,
    suggest_login,
)
from orchestrator.agents.claude_program import find_bundled_program
from orchestrator.platform.process import capture

KEY = {"ANTHROPIC_API_KEY": "k"}
LOGIN = "subscription (the login of Claude Code)"


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


def test_a_login_in_the_keychain_is_known_by_its_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {"oauthAccount": {"emailAddress": "me@example.org"}}
    (tmp_path / ".claude.json").write_text(json.dumps(account), encoding="utf-8")
    assert describe_unused_login({"HOME": str(tmp_path), **KEY}) == ""  # elsewhere: logged out
    monkeypatch.setattr(sys, "platform", "darwin")
    assert describe_payer({"HOME": str(tmp_path)}) == "login of Claude Code (in the keychain)"
    notice = describe_unused_login({"HOME": str(tmp_path), **KEY})
    assert "not by your login of Claude Code" in notice
    assert "me@example.org" not in notice


OAUTH = {"claudeAiOauth": {"accessToken": "x", "scopes": ["user:inference"]}}
CONSOLE = "API key (the Console login of Claude Code)"


@pytest.mark.skipif(sys.platform == "darwin", reason="there, a login is in the keychain")
@pytest.mark.parametrize(
    ("env", "files", "payer"),
    [
        ({"ANTHROPIC_API_KEY": "k"}, {}, "API key (ANTHROPIC_API_KEY)"),
        ({"ANTHROPIC_AUTH_TOKEN": "k"}, {}, "token (ANTHROPIC_AUTH_TOKEN)"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "k"}, {}, "subscription (CLAUDE_CODE_OAUTH_TOKEN)"),
        ({"CLAUDE_CODE_USE_VERTEX": "1"}, {}, "cloud account (CLAUDE_CODE_USE_VERTEX)"),
        (
            {},
            {".claude/settings.json": {"apiKeyHelper": "get-key"}},
            "API key (apiKeyHelper in settings.json)",
        ),
        ({}, {".claude/settings.json": {"env": KEY}}, "API key (ANTHROPIC_API_KEY)"),
        (
            {},
            {".claude/.credentials.json": OAUTH},
            LOGIN,
        ),
        ({}, {".claude.json": {"primaryApiKey": "k"}}, CONSOLE),
        (
            {"CLAUDE_CONFIG_DIR": "other"},
            {"other/.claude.json": {"primaryApiKey": "k"}},
            CONSOLE,
        ),
        (
            {"CLAUDE_CONFIG_DIR": "other"},
            {"other/.credentials.json": OAUTH},
            LOGIN,
        ),
        ({"ANTHROPIC_API_KEY": ""}, {}, ""),
        ({}, {".claude.json": {"oauthAccount": {"emailAddress": "a@b.c"}}}, ""),
        ({}, {".claude/.credentials.json": {"mcpOAuth": {"x": {"accessToken": "x"}}}}, ""),
        ({}, {".claude/.claude.json": {"primaryApiKey": "k"}}, ""),
        ({"CLAUDE_CONFIG_DIR": "other"}, {".claude.json": {"primaryApiKey": "k"}}, ""),
        ({"CLAUDE_CONFIG_DIR": "other"}, {".claude/.credentials.json": OAUTH}, ""),
    ],
)  # fmt: skip
def test_each_way_to_log_in_is_known_as_the_program_knows_it(
    env: dict[str, str],
    files: dict[str, object],
    payer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **env}
    for name, value in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
    assert can_authenticate(env, Path("/nowhere/claude")) is bool(payer)
    assert describe_payer(env) == payer or not payer
    program = find_bundled_program()
    assert program
    folder = {"CLAUDE_CONFIG_DIR": str(tmp_path / "other")} if "CLAUDE_CONFIG_DIR" in env else {}
    done = capture(
        [str(program), "auth", "status", "--json"], cwd=tmp_path, env={**env, **folder}, timeout=60
    )
    assert json.loads(done.stdout)["loggedIn"] is bool(payer)


ADDRESS = {"ANTHROPIC_BASE_URL": "https://gateway.example"}
GATEWAY = {"ANTHROPIC_AUTH_TOKEN": "t", **ADDRESS}


@pytest.mark.parametrize(
    ("env", "payer"),
    [
        ({}, LOGIN),
        (KEY, LOGIN),
        ({"ANTHROPIC_AUTH_TOKEN": "t"}, LOGIN),
        ({**KEY, "CLAUDE_CODE_OAUTH_TOKEN": "t"}, "subscription (CLAUDE_CODE_OAUTH_TOKEN)"),
        ({**KEY, "CLAUDE_CODE_USE_BEDROCK": "1"}, "cloud account (CLAUDE_CODE_USE_BEDROCK)"),
        (GATEWAY, "token (ANTHROPIC_AUTH_TOKEN)"),
        ({**KEY, **ADDRESS}, "API key (ANTHROPIC_API_KEY)"),
        (ADDRESS, LOGIN),
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


@pytest.mark.parametrize(
    "settings", [{"env": {**KEY, **ADDRESS}}, {"env": ADDRESS, "apiKeyHelper": "get-key"}]
)
def test_a_login_is_not_sent_to_a_gateway_that_has_a_key(
    login: Path, settings: dict[str, object]
) -> None:
    (login / ".claude" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    given = {"HOME": str(login)}
    chosen = choose_login(given)
    assert (chosen.variables, chosen.uses_login) == (given, False)
    assert chosen.payer.startswith("API key")


def test_without_a_login_a_key_stays(tmp_path: Path) -> None:
    given = {"HOME": str(tmp_path), **KEY}
    chosen = choose_login(given)
    assert (chosen.variables, chosen.uses_login) == (given, False)
    assert chosen.payer == "API key (ANTHROPIC_API_KEY)"


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
