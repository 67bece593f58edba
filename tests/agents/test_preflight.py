"""An unusable Claude Code is reported before a run, in one line with a hint."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.agents.claude_code import ClaudeCodeAgent
from orchestrator.agents.claude_program import find_bundled_program, find_program, read_version
from orchestrator.errors import InfrastructureError, UsageError


def program(folder: Path, script: str) -> Path:
    path = folder / "claude"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_claude_on_the_path_goes_before_the_one_in_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program() == find_bundled_program()
    own = program(tmp_path, "exit 0")
    assert find_program() == own


def test_the_program_in_the_wheel_has_a_version() -> None:
    bundled = find_bundled_program()
    assert bundled
    agent = ClaudeCodeAgent(environment={"ANTHROPIC_API_KEY": "k"}, program=bundled)
    assert read_version(bundled) in agent.preflight()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo '2.0.1 (Claude Code)'", "2.1.248 or newer is needed"),
        ("echo 'I am another claude'", "I am another claude"),
        ("echo broken >&2; exit 1", "broken"),
    ],
)
def test_an_unusable_program(script: str, words: str, tmp_path: Path) -> None:
    agent = ClaudeCodeAgent(
        environment={"ANTHROPIC_API_KEY": "k"}, program=program(tmp_path, script)
    )
    with pytest.raises(InfrastructureError, match=words) as caught:
        agent.preflight()
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "script",
    [
        "echo '2.1.329 (Claude Code)'",
        "echo 'Now using node v20.11.1 (npm v10.2.4)'; echo '2.1.329 (Claude Code)'",
        "echo '2.1.329 (Claude Code)'; echo 'Update available: 2.2.0'",
        "echo 'asdf 0.14.0'; echo '2.1.329'",
        "echo 'nvm 1.2.3' >&2; echo '2.1.329 (Claude Code)' >&2",
        "printf '\\033[32mv2.1.329\\033[0m (Claude Code)\\n'",
        "printf 'loading ... '; echo '2.1.329 (Claude Code)'",
        "echo '2.1.329 (Claude Code)'; [ -t 1 ] && echo hello",
        "[ -d \"$HOME\" ] && echo '2.1.329 (Claude Code)'",
    ],
)
def test_a_wrapper_may_print_lines_of_its_own(script: str, tmp_path: Path, home: Path) -> None:
    assert read_version(program(tmp_path, script)) == "2.1.329"


def test_the_program_gets_the_environment_of_the_agent_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """The teacher's own key is in this process's environment, and in no child's."""
    monkeypatch.setenv("ORCHESTRATOR_TEACHER_API_KEY", "secret")
    script = "[ -z \"$ORCHESTRATOR_TEACHER_API_KEY\" ] && echo '2.1.329 (Claude Code)'"
    given = {"HOME": str(home), "PATH": os.environ["PATH"], "ANTHROPIC_API_KEY": "key"}
    agent = ClaudeCodeAgent(environment=given, program=program(tmp_path, script))
    assert "2.1.329" in agent.preflight()


def test_a_program_that_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "claude").write_text("not executable", encoding="utf-8")
    for path in (tmp_path / "claude", tmp_path / "missing"):
        with pytest.raises(InfrastructureError, match="cannot be run"):
            ClaudeCodeAgent(program=path).preflight()


@pytest.mark.skipif(sys.platform == "darwin", reason="there, a login is in the keychain")
def test_no_login_and_no_key(tmp_path: Path, home: Path) -> None:
    agent = ClaudeCodeAgent(
        environment={"HOME": str(home)}, program=program(tmp_path, "echo 2.1.329")
    )
    with pytest.raises(InfrastructureError, match="ANTHROPIC_API_KEY"):
        agent.preflight()


def test_skipping_permissions_as_root_needs_a_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = program(tmp_path, "echo 2.1.329")
    env = {"ANTHROPIC_API_KEY": "k"}
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def agent(**more: str) -> ClaudeCodeAgent:
        return ClaudeCodeAgent(environment={**env, **more}, skip_permissions=True, program=own)

    for value in ("", "yes"):
        with pytest.raises(UsageError, match="IS_SANDBOX=1"):
            agent(IS_SANDBOX=value).preflight()
    assert agent(IS_SANDBOX="1").preflight()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert agent().preflight()


def test_driving_claude_code_takes_neither_its_sdk_nor_an_event_loop() -> None:
    code = (
        "import sys\n"
        "import orchestrator.agents.claude_code, orchestrator.agents.command\n"
        "heavy = ('claude_agent_sdk', 'mcp', 'pydantic', 'asyncio', 'anyio')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.stdout.split() == ["[]"]
