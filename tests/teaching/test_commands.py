"""`teach`, `teacher test` and `teacher workflow`, with a webhook on loopback."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.cli.main import main
from orchestrator.replay import ReplayServer
from orchestrator.replay import Reply as Says
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.teaching.pending import Pending
from teacher.models import Action, Lesson, RuleText
from tests.teacher.loopback import Loopback, Reply, json_reply
from tests.teacher.samples import ADD, FAILURE, TEXT
from tests.teacher.test_local import scenario
from tests.trusting import trust_project

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
REPORT = ["report-failure", "--failure-type", "scope_error", "--description", "Too much was done"]


@pytest.fixture
def command(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in the project; gives exit code, output and errors."""
    monkeypatch.setenv("N8N_WEBHOOK_TOKEN", "hush")

    def run(*words: str, url: str = "", **settings: str) -> tuple[int, str, str]:
        monkeypatch.setenv("ORCHESTRATOR_TEACHER_MODE", "webhook" if url else "local")
        monkeypatch.setenv("ORCHESTRATOR_N8N_WEBHOOK_URL", url)
        monkeypatch.setenv("ORCHESTRATOR_N8N_RETRY_FOR", "0")
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["orchestrator", *words, "--project-dir", str(project)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_a_report_that_met_nobody_waits_and_is_taught_later(
    command: Callable[..., tuple[int, str, str]], project: Path
) -> None:
    code, _, error = command(*REPORT, url="http://127.0.0.1:9/webhook/x")
    assert code == 3
    assert "was not reached" in error
    assert "kept for `orchestrator teach --pending`" in error
    code, output, _ = command("teach", "--list")
    assert (code, "scope_error: Too much was done" in output) == (0, True)
    assert not (project / "CLAUDE.md").exists()
    with Loopback(Reply(body=ADD.encode())) as workflow:
        code, output, _ = command("teach", "--pending", url=workflow.url)
        assert workflow.asked[0].json["failure_type"] == "scope_error"
    assert (code, "failures taught: 1; rules changed: 1" in output) == (0, True)
    assert TEXT["rule"] in (project / "CLAUDE.md").read_text(encoding="utf-8")
    assert command("teach", "--pending") == (0, "no failures are queued\n", "")


def test_an_answer_that_was_paid_for_is_written_without_a_teacher(
    command: Callable[..., tuple[int, str, str]], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    pending = Pending(project, resolve_state_directory())
    lesson = Lesson(Action.ADD, "because", RuleText(**TEXT))
    pending.record_failure(FAILURE, "the disk was full", lesson)
    pending.record_failure(replace(FAILURE, logs="another"), "nobody was there")
    code, _, error = command("teach", "--pending")
    assert (code, "the teacher has no API key" in error) == (3, True)
    assert TEXT["rule"] in (project / "CLAUDE.md").read_text(encoding="utf-8")
    [left] = pending.list_failures()
    assert left.failure.logs == "another"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_secret_that_a_server_answers_with_is_printed(
    command: Callable[..., tuple[int, str, str]], form: tuple[str, ...]
) -> None:
    secret = "tQ7-vx2Lr9-wKq4"
    with (
        Loopback(json_reply({"message": f"not connected: {secret}"}, 500)) as workflow,
        ReplayServer(scenario(Says(say=ADD))) as model,
    ):
        code, output, error = command(
            *(*REPORT, *form),
            url=workflow.url,
            ORCHESTRATOR_TEACHER_FALLBACK="local",
            ANTHROPIC_API_KEY="key",
            ANTHROPIC_BASE_URL=model.url,
            SHOP_TOKEN=secret,
        )
    assert code == 0, error
    assert "asking the local teacher instead" in output
    assert "redacted" in output
    assert secret not in output + error


@pytest.mark.parametrize("words", [REPORT, ["teach", "--pending"], ["teacher", "test"]])
def test_a_webhook_that_the_projects_own_file_names_is_trusted_first(
    words: list[str],
    command: Callable[..., tuple[int, str, str]],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(*REPORT, url="http://127.0.0.1:9/x")
    with Loopback(Reply(body=ADD.encode()), Reply(403)) as workflow:
        (project / "orchestrator.yaml").write_text(
            f"tests: {{guard: flag}}\nteacher: {{mode: webhook}}\nn8n:\n"
            f"  webhook_url: {workflow.url}\n",
            encoding="utf-8",
        )
        for name in ("TEACHER_MODE", "N8N_WEBHOOK_URL", "N8N_RETRY_FOR"):
            monkeypatch.delenv(f"ORCHESTRATOR_{name}")
        with pytest.raises(SystemExit) as refused:
            main([*words, "--project-dir", str(project)])
        assert (refused.value.code, workflow.asked) == (2, [])
        asked = capsys.readouterr().err
        assert f'  n8n.webhook_url: "{workflow.url}" (orchestrator.yaml:4)' in asked
        assert f"run `orchestrator trust --project-dir {project}`" in asked
        trust_project(project)
        with pytest.raises(SystemExit) as ended:
            main([*words, "--project-dir", str(project)])
        output = capsys.readouterr().out
        assert ended.value.code == 0
        assert len([each for each in workflow.asked if each.body != b"{}"]) == 1
    first = output.index(f'!   n8n.webhook_url: "{workflow.url}" (orchestrator.yaml:4)')
    assert first < output.index(TEXT["rule"])
    assert "tests.guard" not in output


def test_what_the_teacher_still_cannot_take_waits_on(
    command: Callable[..., tuple[int, str, str]],
) -> None:
    command(*REPORT, url="http://127.0.0.1:9/x")
    code, _, error = command("teach", "--pending", url="http://127.0.0.1:9/x")
    assert (code, "was not reached" in error) == (3, True)
    assert "Too much" in command("teach", "--list")[1]


def test_an_answer_that_is_no_lesson_ends_the_wait(
    command: Callable[..., tuple[int, str, str]],
) -> None:
    command(*REPORT, url="http://127.0.0.1:9/x")
    with Loopback(Reply(body=b"I would rather talk.")) as workflow:
        code, output, _ = command("teach", "--pending", url=workflow.url)
    assert (code, "I would rather talk." in output) == (0, True)
    assert command("teach", "--list")[1] == "no failures are queued\n"


def test_teach_wants_to_know_what(command: Callable[..., tuple[int, str, str]]) -> None:
    code, _, error = command("teach")
    assert (code, "--pending" in error) == (2, True)


def test_a_trial_shows_request_answer_and_latency(
    command: Callable[..., tuple[int, str, str]], project: Path
) -> None:
    with Loopback(json_reply(TEXT), Reply(403)) as workflow:
        code, output, _ = command("teacher", "test", url=workflow.url)
    assert code == 0
    for part in (workflow.asked[0].path, "error_logs", "Latency", TEXT["rule"], "teacher works"):
        assert part in output
    assert "hush" not in output
    assert not (project / "CLAUDE.md").exists()


@pytest.mark.parametrize("words", [REPORT, ["teacher", "test"]], ids=" ".join)
def test_a_lesson_of_a_model_without_a_known_price_says_how_it_is_counted(
    command: Callable[..., tuple[int, str, str]], words: list[str]
) -> None:
    bill = {"model": "own-model-7", "usage": {"input_tokens": 1000}}
    with Loopback(json_reply({**TEXT, **bill}), Reply(403)) as workflow:
        code, output, _ = command(*words, url=workflow.url)
    said = " ".join(output.split())
    assert (code, "the price of own-model-7 is not known; it is counted like" in said) == (0, True)


def test_a_trial_shows_what_is_wrong_at_once(
    command: Callable[..., tuple[int, str, str]],
) -> None:
    with Loopback(Reply(403, b"Authorization data is wrong!")) as workflow:
        code, output, error = command("teacher", "test", url=workflow.url)
        assert len([each for each in workflow.asked if each.body != b"{}"]) == 1
    assert (code, "Latency" in output) == (3, True)
    assert "Strangers" not in output
    assert "set N8N_WEBHOOK_TOKEN" in error
    code, output, error = command("teacher", "test", url="http://n8n.example.org/webhook/x")
    assert (code, "unencrypted" in error) == (2, True)
    code, output, error = command("teacher", "test")
    assert (code, "ANTHROPIC_API_KEY" in error) == (3, True)


def test_the_printed_workflows_are_the_shipped_ones(
    command: Callable[..., tuple[int, str, str]],
) -> None:
    for flags, file in (
        ((), "prompt-learning-teacher.json"),
        (("--mcp",), "prompt-learning-teacher-mcp.json"),
        (("--credentials",), "credentials.json"),
    ):
        text = (ROOT / "n8n" / file).read_text(encoding="utf-8")
        assert command("teacher", "workflow", *flags) == (0, text, "")
    changed = command("teacher", "workflow", ORCHESTRATOR_TEACHER_MODEL="claude-haiku-5-5")[1]
    assert '"value": "claude-haiku-5-5"' in changed
