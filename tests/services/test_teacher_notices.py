"""Settings of the local teacher that a webhook teacher does not use are named, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.config import load_config
from orchestrator.events import Event, Notice
from orchestrator.services.teacher_notices import report_unused_settings

if TYPE_CHECKING:
    from pathlib import Path

WEBHOOK = "teacher: {mode: webhook"


def report(project: Path, text: str, **environment: str) -> list[str]:
    file = project / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    heard: list[Event] = []
    report_unused_settings(load_config(project, file, (), environment), heard.append)
    return [event.text for event in heard if isinstance(event, Notice)]


@pytest.mark.parametrize(
    "text",
    [
        WEBHOOK + "}",
        "teacher: {model: claude-opus-5-5, timeout: 9}",
        WEBHOOK + ", model: claude-sonnet-5-5, max_tokens: 1024}",
        WEBHOOK + "}\nfailure_prompts: {other: other_system}",
    ],
    ids=["none", "local", "defaults", "default prompt"],
)
def test_no_notice_without_a_setting_that_has_no_effect(text: str, project: Path) -> None:
    assert report(project, text) == []


def test_each_is_named_with_its_origin(project: Path) -> None:
    [notice] = report(
        project,
        f"{WEBHOOK},\n model: claude-opus-5-5}}\nfailure_prompts:\n  other: mine.md\n",
        ORCHESTRATOR_TEACHER_MAX_TOKENS="99",
    )
    assert notice == (
        "without effect, because teacher.mode is `webhook`: teacher.model (mine.yaml:2), "
        "teacher.max_tokens (environment ORCHESTRATOR_TEACHER_MAX_TOKENS), "
        "failure_prompts.other (mine.yaml:4); the workflow in n8n has its own model, max_tokens "
        "and prompts, and `orchestrator teacher workflow --update EXPORT` puts yours into it"
    )


def test_the_time_limit_has_another_name(project: Path) -> None:
    [notice] = report(project, f"{WEBHOOK}, timeout: 9}}")
    assert notice == (
        "without effect, because teacher.mode is `webhook`: teacher.timeout (mine.yaml:1); the "
        "webhook's time limit is n8n.timeout"
    )


@pytest.mark.parametrize(
    ("text", "user"),
    [
        (f"{WEBHOOK}, fallback: local, model: claude-opus-5-5}}", "the fallback"),
        (
            f"{WEBHOOK}, model: claude-opus-5-5}}\nlearning: {{second_look: true}}",
            "the second look",
        ),
    ],
)
def test_the_webhook_does_not_use_what_another_request_does(
    text: str, user: str, project: Path
) -> None:
    [notice] = report(project, text)
    assert notice == (
        f"only for {user}, because teacher.mode is `webhook`: teacher.model (mine.yaml:1); the "
        "workflow in n8n has its own model, max_tokens and prompts, and `orchestrator teacher "
        "workflow --update EXPORT` puts yours into it"
    )


def test_what_the_second_look_uses_is_named_apart(project: Path) -> None:
    [notice] = report(
        project,
        f"{WEBHOOK}, model: claude-opus-5-5}}\nlearning: {{second_look: true}}\n"
        "failure_prompts: {other: mine.md}\n",
    )
    assert "webhook`: failure_prompts.other (mine.yaml:3); " in notice
    assert notice.endswith("; only the second look uses teacher.model")
