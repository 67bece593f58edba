"""The shipped workflow in a real n8n: what it asks, what it remembers, how it refuses."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from orchestrator.replay import Fault, FaultKind, Reply
from teacher.errors import TeacherMisconfigured, TeacherUnavailable
from teacher.local import LocalTeacher
from teacher.models import Action, FailureType, Usage
from teacher.retry import Retries
from teacher.webhook import WebhookTeacher, build_request_body
from teacher.workflow import WORKFLOW_VERSION
from tests.n8n.model import make_failing_reply, make_scenario
from tests.n8n.samples import new_failure
from tests.n8n.server import TOKEN, N8n
from tests.teacher.samples import ADD, KNOWN, NONE, RULE, TEXT, make_answer

if TYPE_CHECKING:
    from orchestrator.replay import ReplayServer
    from teacher.models import Failure

ONCE = Retries(tries=1)
HEADERS = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("type_", [FailureType.TEST_FAILURE, FailureType.CONFIG_ERROR])
def test_it_asks_what_the_local_teacher_asks(
    teacher: WebhookTeacher, model: ReplayServer, type_: FailureType
) -> None:
    failure = replace(new_failure(), type=type_)
    model.play_scenario(make_scenario(ADD))
    there = teacher.teach(failure, KNOWN)
    here = LocalTeacher(api_key="key", base_url=model.url).teach(failure, KNOWN)
    assert replace(there, usage=Usage()) == replace(here, usage=Usage())
    assert there.usage.cost_usd == pytest.approx(here.usage.cost_usd, rel=0.05)
    by_webhook, by_local = (dict(request.body) for request in model.requests)
    texts = []
    for body in (by_webhook, by_local):
        [message] = body.pop("messages")
        content = re.sub("<<[0-9a-f]{16} ", "<<MARK ", str(message["content"]))
        texts.append(content)
    assert by_webhook == by_local
    assert texts[0] == texts[1]


def test_a_question_that_comes_again_costs_nothing_again(
    teacher: WebhookTeacher, model: ReplayServer
) -> None:
    failure = new_failure()
    model.play_scenario(make_scenario(ADD))
    paid = teacher.teach(failure, KNOWN)
    again = teacher.teach(failure, KNOWN)
    assert (again, again.usage) == (replace(paid, usage=Usage()), Usage())
    assert len(model.requests) == 1
    teacher.teach(failure, KNOWN[:1])
    assert len(model.requests) == 2


def test_a_question_whose_answer_was_lost_on_the_way_is_asked_once(
    n8n: N8n, teacher: WebhookTeacher, model: ReplayServer
) -> None:
    failure = new_failure()
    model.play_scenario(make_scenario(Reply(say=ADD, delay=4.0)))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            n8n.webhook, json=build_request_body(failure, KNOWN), headers=HEADERS, timeout=1.5
        )
    assert teacher.teach(failure, KNOWN).text == RULE
    assert len(model.requests) == 1


def test_equal_questions_at_one_moment_are_asked_once(
    teacher: WebhookTeacher, model: ReplayServer
) -> None:
    failure = new_failure()
    model.play_scenario(make_scenario(Reply(say=ADD, delay=2.0)))
    with ThreadPoolExecutor(4) as pool:
        lessons = list(pool.map(lambda _: teacher.teach(failure, KNOWN), range(4)))
    assert {lesson.text for lesson in lessons} == {RULE}
    assert len(model.requests) == 1


@pytest.mark.parametrize("status", [500, 529, 429])
def test_an_error_of_the_model_is_reported_and_not_remembered(
    n8n: N8n, model: ReplayServer, status: int
) -> None:
    failure = new_failure()
    model.play_scenario(make_scenario(make_failing_reply(status), ADD))
    once = WebhookTeacher(n8n.webhook, token=TOKEN, retries=ONCE)
    with pytest.raises(TeacherUnavailable, match=f"Claude answered {status}"):
        once.teach(failure, KNOWN)
    assert once.teach(failure, KNOWN).text == RULE


def test_a_temporary_error_of_the_model_is_retried(
    teacher: WebhookTeacher, model: ReplayServer
) -> None:
    model.play_scenario(make_scenario(make_failing_reply(529), make_failing_reply(500), ADD))
    assert teacher.teach(new_failure(), KNOWN).text == RULE
    assert len(model.requests) == 3


def ask(n8n: N8n, failure: Failure, **more: object) -> httpx.Response:
    """Send the request as the client does, with some keys changed."""
    body = {**build_request_body(failure, KNOWN), **more}
    return httpx.post(n8n.webhook, json=body, headers=HEADERS, timeout=100)


def test_a_fresh_request_replaces_the_stored_answer(n8n: N8n, model: ReplayServer) -> None:
    failure = new_failure()
    model.play_scenario(make_scenario(ADD, NONE))
    first = ask(n8n, failure).json()
    assert first["workflow_version"] == WORKFLOW_VERSION
    assert "remembered" not in first
    assert ask(n8n, failure).json() == {**first, "remembered": True}
    fresh = ask(n8n, failure, fresh=True).json()
    assert (fresh["action"], "remembered" in fresh) == ("none", False)
    for _ in range(2):
        assert ask(n8n, failure).json() == {**fresh, "remembered": True}
    assert len(model.requests) == 2


def test_a_fresh_request_that_fails_leaves_the_stored_answer(n8n: N8n, model: ReplayServer) -> None:
    failure = new_failure()
    model.play_scenario(make_scenario(ADD, make_failing_reply(529)))
    first = ask(n8n, failure).json()
    assert ask(n8n, failure, fresh=True).json()["kind"] == "try_again"
    assert ask(n8n, failure).json() == {**first, "remembered": True}


@pytest.mark.parametrize("words", ["No JSON.", make_answer(action="add", **{**TEXT, "rule": " "})])
def test_an_unusable_answer_is_not_remembered(n8n: N8n, model: ReplayServer, words: str) -> None:
    failure = new_failure()
    model.play_scenario(make_scenario(words, ADD))
    answer = ask(n8n, failure)
    assert (answer.status_code, answer.json()["kind"]) == (502, "unusable_answer")
    assert answer.json()["workflow_version"] == WORKFLOW_VERSION
    assert ask(n8n, failure).json()["action"] == "add"


def test_claude_has_less_time_than_the_caller_waits(n8n: N8n, model: ReplayServer) -> None:
    failure = new_failure()
    model.play_scenario(make_scenario(Reply(say=ADD, delay=8.0), ADD))
    answer = ask(n8n, failure, timeout_seconds=8)
    assert answer.status_code == 504
    assert answer.json()["kind"] == "timed_out"
    assert "did not answer within" in answer.json()["error"]
    assert ask(n8n, failure).json()["action"] == "add"


def test_a_model_that_does_not_exist_is_reported(n8n: N8n, model: ReplayServer) -> None:
    model.play_scenario(make_scenario(make_failing_reply(404)))
    answer = ask(n8n, new_failure())
    assert (answer.status_code, answer.json()["kind"]) == (502, "unknown_model")


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_model_that_refuses_is_asked_once(
    teacher: WebhookTeacher, model: ReplayServer, status: int
) -> None:
    model.play_scenario(make_scenario(make_failing_reply(status)))
    with pytest.raises(TeacherUnavailable, match=f"Claude answered {status}") as caught:
        teacher.teach(new_failure(), KNOWN)
    assert "Anthropic credential" in caught.value.hint
    assert len(model.requests) == 1


def test_a_model_that_does_not_exist_is_a_wrong_setting(
    teacher: WebhookTeacher, model: ReplayServer
) -> None:
    model.play_scenario(make_scenario(make_failing_reply(404)))
    with pytest.raises(TeacherMisconfigured, match="Claude answered 404") as caught:
        teacher.teach(new_failure(), KNOWN)
    assert "set model in the workflow's node Settings" in caught.value.hint
    assert len(model.requests) == 1


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.MALFORMED])
def test_a_server_that_is_not_the_api_is_reported(
    n8n: N8n, model: ReplayServer, kind: FaultKind
) -> None:
    model.play_scenario(make_scenario(Reply(fault=Fault(kind))))
    once = WebhookTeacher(n8n.webhook, token=TOKEN, retries=ONCE)
    with pytest.raises(TeacherUnavailable, match=r"\(502\).*(not the Messages API|not reached)"):
        once.teach(new_failure(), KNOWN)


@pytest.mark.parametrize(
    ("token", "said"), [("wrong", "refused the token"), ("", "requires a token")]
)
def test_a_wrong_token(n8n: N8n, model: ReplayServer, token: str, said: str) -> None:
    model.play_scenario(make_scenario(ADD))
    with pytest.raises(TeacherUnavailable, match=said) as caught:
        WebhookTeacher(n8n.webhook, token=token).teach(new_failure(), ())
    assert "N8N_WEBHOOK_TOKEN" in caught.value.hint
    assert model.requests == ()


def test_a_path_without_workflow(n8n: N8n) -> None:
    with pytest.raises(TeacherUnavailable, match="no active workflow") as caught:
        WebhookTeacher(f"{n8n.webhook}-2", token=TOKEN).teach(new_failure(), ())
    assert "publish the workflow" in caught.value.hint


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([1], "not a JSON object"),
        ({"task_description": "x"}, "evidence"),
        ({"diff": "x", "failure_type": "bad_luck"}, "no failure_type bad_luck"),
    ],
)
def test_a_bad_request_is_reported_and_asks_nobody(
    n8n: N8n, model: ReplayServer, body: object, error: str
) -> None:
    model.play_scenario(make_scenario(ADD))
    answer = httpx.post(n8n.webhook, json=body, headers=HEADERS, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["kind"] == "bad_request"
    assert error in answer.json()["error"]
    assert model.requests == ()


def test_fifty_failures_at_once(teacher: WebhookTeacher, model: ReplayServer) -> None:
    model.play_scenario(make_scenario(ADD))
    failures = [new_failure() for _ in range(50)]
    with ThreadPoolExecutor(50) as pool:
        lessons = list(pool.map(lambda failure: teacher.teach(failure, KNOWN), failures))
    assert [lesson.text for lesson in lessons] == [RULE] * 50
    asked = "".join(request.text for request in model.requests)
    assert all(f"({failure.context.rpartition('(')[2]}" in asked for failure in failures)
    assert len(model.requests) == 50


def test_five_megabytes_of_diff(teacher: WebhookTeacher, model: ReplayServer) -> None:
    model.play_scenario(make_scenario(ADD))
    diff = "".join(f"+line {number} of a generated file\n" for number in range(160_000))
    assert len(diff) > 5_000_000
    assert teacher.teach(replace(new_failure(), diff=diff), KNOWN).action is Action.ADD
    [request] = model.requests
    assert diff.strip() in request.text
