"""`teacher test` with a webhook: what it says about the workflow, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.replay import Reply as Says
from orchestrator.services.workflow_check import describe_version
from teacher.strangers import Reception, Stranger
from teacher.workflow import WORKFLOW_VERSION
from tests.agents.claude import log_in
from tests.cli.conftest import Call, CommandResult
from tests.teacher.n8n_api import KEY, FakeN8n, make_workflow
from tests.teacher.samples import ADD, TEXT
from tests.teacher.test_local import scenario

if TYPE_CHECKING:
    from pathlib import Path

Try = Callable[..., CommandResult]


@pytest.fixture
def try_teacher(call: Call, project: Path, monkeypatch: pytest.MonkeyPatch) -> Try:
    """Run `teacher test` against an n8n."""
    monkeypatch.setenv("N8N_WEBHOOK_TOKEN", "hush")
    monkeypatch.setenv("ORCHESTRATOR_TEACHER_MODE", "webhook")

    def run(n8n: FakeN8n, *words: str) -> CommandResult:
        monkeypatch.setenv("ORCHESTRATOR_N8N_WEBHOOK_URL", n8n.webhook)
        return call("teacher", "test", *words, "--project-dir", project)

    return run


def flat(text: str) -> str:
    """Return a text without its line breaks."""
    return " ".join(text.split())


def test_without_a_key_it_says_how_to_look(try_teacher: Try) -> None:
    with FakeN8n(lesson=TEXT) as n8n:
        tried = try_teacher(n8n)
    assert (tried.code, tried.err, n8n.asked) == (0, "", [])
    assert "cannot look: N8N_API_KEY is not set. By hand: the tab Executions" in flat(tried.out)
    assert "Strangers refused: no token, `Bearer undefined`, `Bearer null`, `Bearer `" in tried.out
    assert "it names no version, so it is one of your own, or version 1" in flat(tried.out)
    assert tried.out.endswith("The teacher works.\n")


def test_lines_about_the_workflow_fit_80_columns(try_teacher: Try) -> None:
    with FakeN8n(lesson=TEXT) as n8n:
        tried = try_teacher(n8n)
    after = tried.out[tried.out.index("Workflow  ") :].splitlines()
    assert len(after) > 5
    assert max(map(len, after)) <= 80
    assert all(line[:10].strip() == "" or line[9] == " " for line in after[:-1])


def test_with_a_key_it_looks(try_teacher: Try, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N8N_API_KEY", KEY)
    with FakeN8n(lesson=TEXT) as n8n:
        assert "Saved     no: n8n drops the executions" in try_teacher(n8n).out
    with FakeN8n(lesson=TEXT, saved=[[7]], execution=8) as n8n:
        tried = try_teacher(n8n)
    assert (tried.code, tried.err) == (0, "")
    assert "Saved     YES: n8n has saved this test as execution 8, and saves" in tried.out
    assert "`Do not save`" in flat(tried.out)
    with FakeN8n([[make_workflow({})]], lesson=TEXT) as n8n:
        text = flat(try_teacher(n8n).out)
    assert "do not drop successful, failed, manual executions" in text


def test_the_key_is_printed_nowhere(try_teacher: Try, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in (KEY, "another-key-9fQ2vR"):
        monkeypatch.setenv("N8N_API_KEY", key)
        with FakeN8n(lesson={**TEXT, "reason": f"because of {key}"}) as n8n:
            tried = try_teacher(n8n)
        assert tried.code == 0
        assert key not in tried.output


def test_a_stranger_who_is_let_in_is_reported_loudly(try_teacher: Try) -> None:
    with FakeN8n(lesson=TEXT, passwords=("Bearer hush", "Bearer undefined")) as n8n:
        tried = try_teacher(n8n)
    assert tried.code == 2
    assert "Strangers LET IN: `Bearer undefined` (400): whoever sends that" in tried.out
    assert "The teacher works" not in tried.out
    assert "the webhook answers strangers, who send `Bearer undefined`" in tried.err
    assert "`orchestrator teacher workflow --credentials`" in tried.err
    assert len(n8n.bodies) == 1


def test_a_stranger_is_found_also_where_the_owner_is_refused(try_teacher: Try) -> None:
    """The variable is missing in n8n, so the owner's token is wrong."""
    with FakeN8n(passwords=("Bearer undefined",)) as n8n:
        tried = try_teacher(n8n)
    assert (tried.code, n8n.bodies) == (2, [])
    assert "LET IN: `Bearer undefined` (400)" in tried.out


def test_a_webhook_without_any_token(try_teacher: Try) -> None:
    class Open(tuple[str, ...]):
        def __contains__(self, _: object) -> bool:
            return True

    with FakeN8n(lesson=TEXT, passwords=Open()) as n8n:
        tried = try_teacher(n8n)
    assert tried.code == 2
    assert "LET IN: no token (400)" in tried.out
    assert "set Authentication of the node Webhook to `Header Auth`" in tried.err


def test_what_a_refusal_says_is_not_buried(try_teacher: Try) -> None:
    with FakeN8n(passwords=()) as n8n:
        tried = try_teacher(n8n)
    assert tried.code == 3
    assert "403" in tried.err
    assert "Strangers" not in tried.out


def test_the_sample_is_always_the_same_and_fresh_asks_again(try_teacher: Try) -> None:
    with FakeN8n(lesson=TEXT) as n8n:
        for words in ((), (), ("--fresh",)):
            assert try_teacher(n8n, *words).code == 0
    keys = [each["idempotency_key"] for each in n8n.bodies]
    assert len(set(keys)) == 1
    assert [each.get("fresh") for each in n8n.bodies] == [None, None, True]


def test_an_answer_from_the_memory_is_named(try_teacher: Try) -> None:
    answer = {**TEXT, "remembered": True, "workflow_version": WORKFLOW_VERSION}
    with FakeN8n(lesson=answer) as n8n:
        tried = try_teacher(n8n)
    assert "Memory    answered from the workflow's memory; --fresh asks the model" in tried.out
    assert f"Workflow  version {WORKFLOW_VERSION}, the current one" in tried.out


def test_a_local_teacher_has_no_memory(
    call: Call, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ReplayServer(scenario(Says(say=ADD))) as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")
        plain = call("teacher", "test", "--project-dir", project)
        fresh = call("teacher", "test", "--fresh", "--project-dir", project)
    assert (plain.code, fresh.code) == (0, 0)
    assert "Fresh     without effect: only a workflow has a memory" in fresh.out
    assert "Fresh" not in plain.out
    for word in ("Workflow", "Saved", "Strangers"):
        assert word not in fresh.out


def test_a_login_is_enough(
    call: Call, project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(home)
    with ReplayServer(scenario(Says(json=json.loads(ADD)))) as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        done = call("teacher", "test", "--project-dir", project)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        "Teacher   claude-sonnet-5-5 through Claude Code, paid by: subscription (the login of "
    )
    assert f"Rule: {TEXT['rule']}" in done.out


@pytest.mark.parametrize("login", [True, False])
def test_a_401_gets_no_advice_to_wait(
    login: bool, call: Call, project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if login:
        log_in(home)
        advice = "claude auth login`"
    else:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a-wrong-key")
        advice = "the API does not accept this key: correct ANTHROPIC_API_KEY"
    with ReplayServer(parse_scenario("answers: [{reply: {fault: 401}}]")) as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        done = call("teacher", "test", "--project-dir", project)
    assert done.code == 3
    assert "(401)" in done.err
    assert advice in done.err
    assert "wait" not in done.err
    assert "network" not in done.err


@pytest.mark.parametrize(
    ("version", "part"),
    [
        (None, "names no version"),
        (1, "this program has version 2. To update it without losing edits"),
        (WORKFLOW_VERSION, "the current one"),
        (WORKFLOW_VERSION + 1, "update it"),
    ],
)
def test_what_a_version_means(version: int | None, part: str) -> None:
    assert part in describe_version(version)


def test_a_stranger_has_a_status_or_a_cause() -> None:
    assert Stranger("no token", Reception.UNCLEAR).status == 0
