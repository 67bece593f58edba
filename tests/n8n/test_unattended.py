"""n8n at night: it is stopped, Claude is slow, a credential is gone; and what is paid for twice."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.budget.ledger import Ledger
from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer, Reply
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import resolve_state_directory
from teacher.errors import TeacherUnavailable, UnusableAnswer
from teacher.retry import Retries
from teacher.webhook import WebhookTeacher
from tests.e2e.conftest import RIGHT_WITH_RULE, RULE, WRONG, World
from tests.n8n.certificates import serve_https
from tests.n8n.conftest import set_up
from tests.n8n.model import make_scenario
from tests.n8n.samples import new_failure
from tests.n8n.server import SHIPPED, TOKEN, N8n
from tests.n8n.test_loop import TAUGHT
from tests.teacher.samples import ADD, TEXT, make_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

REPORT = ("report-failure", "--failure-type", "scope_error", "--description")
AT_ONCE = 30.0
"""Seconds. What is tried again lasts four times as long."""
LESSON = TAUGHT.answers[0].reply


@pytest.fixture(scope="module")
def own_model() -> Iterator[ReplayServer]:
    with ReplayServer(make_scenario(ADD)) as model:
        yield model


@pytest.fixture(scope="module")
def server(own_model: ReplayServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[N8n]:
    """One n8n, which these tests stop, change and start again."""
    server = N8n(tmp_path_factory.mktemp("unattended"), own_model.url)
    server.import_workflows("prompt-learning-teacher")
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def running(server: N8n) -> N8n:
    """The same n8n with the shipped workflow and all that it needs."""
    if not server.is_running:
        server.start()
    return server


@pytest.fixture
def taught(world: World, server: N8n, monkeypatch: pytest.MonkeyPatch) -> World:
    return set_up(world, server.webhook, monkeypatch)


def report(project: Path, description: str) -> subprocess.CompletedProcess[str]:
    """Report a failure in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", *REPORT, description, "--project-dir", project],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def stop_in_mid_lesson(server: N8n, model: ReplayServer, work: Callable[[], Any]) -> Any:
    """Do the work, and stop n8n as `systemctl restart` does while Claude answers it."""
    with ThreadPoolExecutor(1) as pool:
        done: Future[Any] = pool.submit(work)
        while not model.requests:
            assert not done.done(), done.result()
            time.sleep(0.1)
        server.stop(grace_seconds=90)
        server.start()
        return done.result()


def test_n8n_is_stopped_in_the_middle_of_a_report(
    running: N8n, own_model: ReplayServer, taught: World
) -> None:
    own_model.play_scenario(make_scenario(Reply(json=LESSON.json, delay=8.0), LESSON))
    done = stop_in_mid_lesson(
        running, own_model, lambda: report(taught.project, "It changed what nobody asked for.")
    )
    assert done.returncode == 0, done
    assert taught.rulebook.count(RULE) == 1


@pytest.mark.n8n_long
def test_n8n_is_stopped_in_the_middle_of_a_run(
    running: N8n, own_model: ReplayServer, taught: World
) -> None:
    own_model.play_scenario(make_scenario(Reply(json=LESSON.json, delay=8.0), LESSON))
    result = stop_in_mid_lesson(running, own_model, lambda: taught.run(WRONG, RIGHT_WITH_RULE))
    assert result.outcome is RunOutcome.SOLVED, result
    assert len(result.attempts) == 2
    assert taught.rulebook.count(RULE) == 1


@pytest.mark.n8n_long
def test_a_slow_model_is_asked_once_and_has_more_time_if_told(
    running: N8n, own_model: ReplayServer
) -> None:
    """`n8n.timeout` is the only limit: the workflow follows it."""
    failure = new_failure()
    own_model.play_scenario(make_scenario(Reply(say=ADD, delay=14.0)))
    started = time.monotonic()
    with pytest.raises(TeacherUnavailable, match=r"in time|timed out") as caught:
        WebhookTeacher(running.webhook, 16.0, TOKEN).teach(failure, ())
    assert time.monotonic() - started < AT_ONCE
    assert "offline" not in f"{caught.value} {caught.value.hint}"
    assert "n8n.timeout" in caught.value.hint
    assert len(own_model.requests) == 1
    patient = WebhookTeacher(running.webhook, 90.0, TOKEN)
    assert patient.teach(failure, ()).text is not None
    assert len(own_model.requests) == 2


@pytest.mark.n8n_long
def test_an_unusable_answer_is_not_remembered(running: N8n, own_model: ReplayServer) -> None:
    failure = new_failure()
    teacher = WebhookTeacher(running.webhook, token=TOKEN)
    empty = make_answer(action="add", **{**TEXT, "rule": ""})
    too_long = make_answer(action="add", **{**TEXT, "rule": "Never. " * 200})
    own_model.play_scenario(make_scenario(empty, too_long, ADD))
    for _ in range(2):
        with pytest.raises(UnusableAnswer, match="rule"):
            teacher.teach(failure, ())
    assert teacher.teach(failure, ()).text is not None
    assert len(own_model.requests) == 3


@pytest.mark.n8n_long
def test_an_answer_from_memory_costs_nothing(
    running: N8n, own_model: ReplayServer, taught: World
) -> None:
    own_model.play_scenario(make_scenario(LESSON))
    description = f"It forgot {time.time_ns()} things."
    spent = []
    for _ in range(2):
        assert report(taught.project, description).returncode == 0
        with open_database(resolve_state_directory()) as database:
            spent.append(Ledger(database).sum_spending())
        # The rules are part of the question.
        (taught.project / "CLAUDE.md").unlink()
    assert len(own_model.requests) == 1
    assert spent[0] > 0
    assert spent[1] == spent[0]


@pytest.mark.n8n_long
def test_fresh_asks_again_and_replaces_the_answer(running: N8n, own_model: ReplayServer) -> None:
    failure = new_failure()
    other = make_answer(action="add", **{**TEXT, "why": "It is another answer."})
    own_model.play_scenario(make_scenario(ADD, other))
    plain = WebhookTeacher(running.webhook, token=TOKEN)
    fresh = WebhookTeacher(running.webhook, token=TOKEN, fresh=True)
    first, second = plain.ask(failure, ()), fresh.ask(failure, ())
    assert (first.remembered, second.remembered) == (False, False)
    assert second.lesson.text != first.lesson.text
    third = plain.ask(failure, ())
    assert (third.remembered, third.lesson.text) == (True, second.lesson.text)
    assert third.lesson.usage.cost_usd == 0
    assert len(own_model.requests) == 2


@pytest.mark.n8n_long
def test_an_edited_model_or_prompt_is_asked_anew(
    running: N8n, own_model: ReplayServer, tmp_path: Path
) -> None:
    failure = new_failure()
    teacher = WebhookTeacher(running.webhook, token=TOKEN)
    own_model.play_scenario(make_scenario(ADD))
    teacher.teach(failure, ())
    for name, value in (
        ("model", "claude-haiku-4-5"),
        (f"prompt_{failure.type}", "Look at the queue first."),
    ):
        running.stop()
        import_edited(running, tmp_path, {name: value})
        running.start()
        teacher.teach(failure, ())
        assert value in json.dumps(own_model.requests[-1].body)
    assert len(own_model.requests) == 3
    running.stop()
    running.import_workflows("prompt-learning-teacher")


def import_edited(server: N8n, folder: Path, settings: dict[str, object]) -> None:
    """Import and publish the shipped workflow with other values in its node Settings."""
    workflow = json.loads((SHIPPED / "prompt-learning-teacher.json").read_text(encoding="utf-8"))
    [node] = [each for each in workflow["nodes"] if each["name"] == "Settings"]
    assignments = {each["name"]: each for each in node["parameters"]["assignments"]["assignments"]}
    for name, value in settings.items():
        assignments[name]["value"] = value
    path = folder / "edited.json"
    path.write_text(json.dumps(workflow), encoding="utf-8")
    server.command("import:workflow", f"--input={path}")
    server.command("publish:workflow", f"--id={workflow['id']}")


def require_misconfigured_at_once(server: N8n, *words: str) -> None:
    started = time.monotonic()
    with pytest.raises(TeacherUnavailable) as caught:
        WebhookTeacher(server.webhook, token=TOKEN).teach(new_failure(), ())
    assert "Anthropic credential or the node Settings" in caught.value.hint, str(caught.value)
    assert any(word in str(caught.value) for word in words), str(caught.value)
    assert time.monotonic() - started < AT_ONCE


@pytest.mark.n8n_long
def test_a_certificate_that_is_not_trusted_is_not_tried_again(server: N8n, tmp_path: Path) -> None:
    server.stop()
    with serve_https(tmp_path) as url:
        server.more = {"ANTHROPIC_BASE_URL": url}
        try:
            server.start()
            require_misconfigured_at_once(server, "certificate")
        finally:
            server.stop()
            server.more = {}


@pytest.mark.n8n_long
def test_a_credential_that_was_deleted_is_not_tried_again(
    server: N8n, own_model: ReplayServer
) -> None:
    own_model.play_scenario(make_scenario(ADD))
    server.stop()
    with sqlite3.connect(server.database) as database:
        database.execute("DELETE FROM credentials_entity WHERE id = 'promptLearnClaud'")
    database.close()
    try:
        server.start()
        require_misconfigured_at_once(server, "redential")
    finally:
        server.stop()
        server.import_workflows("prompt-learning-teacher")
    assert own_model.requests == ()


@pytest.mark.n8n_long
def test_an_n8n_that_is_gone_is_given_up_in_time(server: N8n) -> None:
    server.stop()
    started = time.monotonic()
    teacher = WebhookTeacher(server.webhook, token=TOKEN, retries=Retries(seconds=3.0))
    with pytest.raises(TeacherUnavailable, match="was not reached"):
        teacher.teach(new_failure(), ())
    assert time.monotonic() - started < AT_ONCE
