"""Who is asked: the API with a key, or Claude Code with its login; and what to do without both."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from orchestrator.config import Config
from orchestrator.services.teacher_choice import OwnTeacher, TeacherMode, build_own_teacher
from teacher.errors import NoKey, TeacherMisconfigured, TeacherUnavailable
from tests.agents.claude import log_in
from tests.agents.test_preflight import program

if TYPE_CHECKING:
    from pathlib import Path

KEY = {"ANTHROPIC_API_KEY": "k"}
OWN = {"ORCHESTRATOR_TEACHER_API_KEY": "o"}
OFFICIAL = {"ANTHROPIC_BASE_URL": "https://api.anthropic.com"}
API, PROGRAM = "claude-sonnet-5-5 through the API", "claude-sonnet-5-5 through Claude Code"
LOGIN = "subscription (the login of Claude Code)"


def build(mode: TeacherMode, env: dict[str, str]) -> OwnTeacher:
    return build_own_teacher(mode, Config(), {**os.environ, **env}, lambda _event: None)


@pytest.mark.parametrize(
    ("mode", "env", "name", "payer"),
    [
        (TeacherMode.AUTO, {}, PROGRAM, LOGIN),
        (TeacherMode.AUTO, KEY, API, "API key (ANTHROPIC_API_KEY)"),
        (TeacherMode.AUTO, {**KEY, **OWN}, API, "API key (ORCHESTRATOR_TEACHER_API_KEY)"),
        (TeacherMode.CLAUDE, {**KEY, **OWN, **OFFICIAL}, PROGRAM, LOGIN),
        (TeacherMode.LOCAL, KEY, API, "API key (ANTHROPIC_API_KEY)"),
    ],
)
def test_with_a_login(
    mode: TeacherMode, env: dict[str, str], name: str, payer: str, home: Path
) -> None:
    log_in(home)
    built = build(mode, env)
    assert (built.name, built.payer) == (name, payer)


def test_a_token_in_the_environment_is_a_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(home)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "t")
    built = build(TeacherMode.AUTO, {})
    assert (built.name, built.payer) == (API, "token (ANTHROPIC_AUTH_TOKEN)")


def test_claude_code_without_a_login_uses_the_key_that_it_has() -> None:
    assert build(TeacherMode.CLAUDE, KEY).payer == "API key (ANTHROPIC_API_KEY)"


@pytest.mark.parametrize(
    ("mode", "message", "way"),
    [
        (
            TeacherMode.AUTO,
            "the teacher has no API key, and Claude Code has no login",
            "; or set ORCHESTRATOR_TEACHER_API_KEY, a key",
        ),
        (
            TeacherMode.CLAUDE,
            "Claude Code has no login",
            "; or set teacher.mode to local and ORCHESTRATOR_TEACHER_API_KEY, a key",
        ),
    ],
)
def test_without_a_login_both_ways_are_named(mode: TeacherMode, message: str, way: str) -> None:
    with pytest.raises(NoKey) as caught:
        build(mode, OWN if mode is TeacherMode.CLAUDE else {})
    assert caught.value.message == message
    assert "/claude auth login`: a subscription is enough" in caught.value.hint
    assert way in caught.value.hint


def test_without_a_key_the_api_is_not_asked(home: Path) -> None:
    log_in(home)
    with pytest.raises(NoKey) as caught:
        build(TeacherMode.LOCAL, {})
    assert "set teacher.mode to claude, which uses your login" in caught.value.hint


def test_a_program_that_is_too_old_is_named_with_both_ways(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(home)
    program(tmp_path, "echo 2.0.1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(
        TeacherUnavailable, match=r"no API key, and .* is Claude Code 2\.0\.1"
    ) as caught:
        build(TeacherMode.AUTO, {})
    assert "run `claude update`; or set ORCHESTRATOR_TEACHER_API_KEY" in caught.value.hint


def test_a_key_that_cannot_be_sent_is_not_passed_over_in_silence(home: Path) -> None:
    log_in(home)
    with pytest.raises(TeacherMisconfigured, match="ANTHROPIC_API_KEY contains"):
        build(TeacherMode.AUTO, {"ANTHROPIC_API_KEY": "Bearer k"})
