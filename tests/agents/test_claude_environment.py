"""The environment of Claude Code, and where its requests go."""

import json
import uuid
from pathlib import Path

from orchestrator.agents.claude_environment import (
    DEFAULTS,
    HELPERS,
    OFFICIAL_API,
    PROTECTED_NAMES,
    build_child_environment,
    build_pinned_settings,
    create_session_id,
    is_own_session,
    write_settings_file,
)


def pins(env: dict[str, str]) -> dict[str, str]:
    settings = json.loads(build_pinned_settings(env))
    assert set(settings) == {"env", *HELPERS}
    return dict(settings["env"])


def test_defaults_give_way_to_the_users_own_environment(tmp_path: Path) -> None:
    env = build_child_environment({"API_TIMEOUT_MS": "5", "PATH": "/bin"}, tmp_path)
    assert env["API_TIMEOUT_MS"] == "5"
    assert env["PATH"] == "/bin"
    assert {name: env[name] for name in DEFAULTS if name != "API_TIMEOUT_MS"} == {
        name: value for name, value in DEFAULTS.items() if name != "API_TIMEOUT_MS"
    }


def test_variables_of_an_outer_session_are_removed_and_settings_stay(tmp_path: Path) -> None:
    marks = ["CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_MESSAGING_TOKEN", "CLAUDE_PID"]
    settings = {"CLAUDE_CODE_USE_BEDROCK": "1", "CLAUDE_CODE_OAUTH_TOKEN": "t",
                "CLAUDE_CONFIG_DIR": "/c", "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "9"}  # fmt: skip
    env = build_child_environment({**dict.fromkeys(marks, "outer"), **settings}, tmp_path)
    assert not env.keys() & set(marks)
    assert settings.items() <= env.items()


def test_the_address_is_the_processs_else_the_users_else_the_official_one(home: Path) -> None:
    env = {"HOME": str(home)}
    assert pins(env)["ANTHROPIC_BASE_URL"] == OFFICIAL_API
    settings = home / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text('{"env": {"ANTHROPIC_BASE_URL": "https://gate", "HTTPS_PROXY": "p"}}')
    assert pins(env)["ANTHROPIC_BASE_URL"] == "https://gate"
    assert pins(env)["HTTPS_PROXY"] == "p"
    ours = {**env, "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}
    assert pins(ours)["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:1"
    settings.write_text("{broken")
    assert pins(env)["ANTHROPIC_BASE_URL"] == OFFICIAL_API


def test_keys_and_helpers_are_the_users_own_or_nothing(home: Path) -> None:
    env = {"HOME": str(home), "ANTHROPIC_API_KEY": "mine"}
    assert pins(env).keys() == PROTECTED_NAMES
    assert (pins(env)["ANTHROPIC_API_KEY"], pins(env)["ANTHROPIC_AUTH_TOKEN"]) == ("mine", "")
    assert json.loads(build_pinned_settings(env))["apiKeyHelper"] == ""
    (home / ".claude").mkdir()
    (home / ".claude/settings.json").write_text('{"apiKeyHelper": "my-helper"}', encoding="utf-8")
    assert json.loads(build_pinned_settings(env))["apiKeyHelper"] == "my-helper"


def test_the_settings_file_is_for_this_user_alone_and_goes_away(home: Path) -> None:
    sandbox = {"enabled": True, "failIfUnavailable": True}
    with write_settings_file({"HOME": str(home)}, sandbox) as path:
        assert json.loads(path.read_text(encoding="utf-8"))["sandbox"] == sandbox
        assert path.parent.stat().st_mode & 0o077 == 0
    assert not path.parent.exists()


def test_own_sessions_are_recognised_by_their_transcripts() -> None:
    ours, foreign = create_session_id(), str(uuid.uuid4())
    assert str(uuid.UUID(ours)) == ours
    assert uuid.UUID(ours).version == 4
    folder = Path("/home/me/.claude/projects/-my-project")
    for name, own in ((ours, True), (foreign, False)):
        assert is_own_session(folder / f"{name}.jsonl") is own
        assert is_own_session(folder / name / "subagents" / "agent-a.jsonl") is own
