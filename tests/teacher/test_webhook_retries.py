"""What is tried again, for how long, and what a request costs that was sent more than once."""

from __future__ import annotations

import threading

import pytest

from teacher.errors import TeacherError, TeacherUnavailable, UnusableAnswer
from teacher.models import UNKNOWN_USAGE, Lesson, Usage
from teacher.prices import calculate_cost
from teacher.webhook import WebhookTeacher
from tests.teacher.loopback import Loopback, Reply, json_reply
from tests.teacher.samples import ADD, FAILURE, KNOWN, TEXT, make_instant_retries

BILL = {"model": "claude-sonnet-5-5", "usage": {"input_tokens": 500_000}, "workflow_version": 2}
PAID = calculate_cost("claude-sonnet-5-5", Usage(500_000))

GOOD = json_reply({**TEXT, **BILL})
REMEMBERED = json_reply({**TEXT, **BILL, "remembered": True})

CUT = Reply(body=ADD.encode(), cut=5)
STOPPED = json_reply({"message": "Error in workflow"}, 500)
NO_RUNNER = json_reply(
    {"error": "n8n's task runner did not answer: n8n is stopping", "kind": "try_again"}, 503
)
IN_PROGRESS = json_reply({"error": "in progress", "kind": "try_again"}, 503, retry_after="5")
NO_CREDENTIAL = Reply(500, b"No authentication data defined on node!")
NO_ROUTES = Reply(404, b"<pre>Cannot POST /webhook/x</pre>")
NOT_REGISTERED = json_reply({"code": 404, "message": "webhook x is not registered."}, 404)
NO_DATABASE = json_reply({"code": 503, "message": "Database is not ready!"}, 503)
NO_N8N = Reply(502, b"<title>502 Bad Gateway</title>")
GATEWAY_TIMEOUT = Reply(504, b"<title>504 Gateway Time-out</title>")
CLOUDFLARE_TIMEOUT = Reply(524, b"<title>524</title>")


def ask(*replies: Reply, tries: int = 20) -> tuple[Lesson | TeacherError, list[float], int]:
    """Return the lesson or the error, the waits, and the number of requests."""
    retries, waits = make_instant_retries(tries)
    with Loopback(*replies) as workflow:
        teacher = WebhookTeacher(f"{workflow.url}/webhook/x", retries=retries)
        try:
            result: Lesson | TeacherError = teacher.teach(FAILURE, KNOWN)
        except TeacherError as error:
            result = error
    assert len({asked.body for asked in workflow.asked}) == 1
    return result, waits, len(workflow.asked)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_temporary_failure_is_waited_out_under_one_key(status: int) -> None:
    lesson, waits, count = ask(Reply(status, headers={"retry-after": "40"}), GOOD)
    assert isinstance(lesson, Lesson)
    assert (waits, count) == ([40], 2)


@pytest.mark.parametrize(
    "replies",
    [
        (CUT,),
        (STOPPED,),
        (STOPPED, STOPPED),
        (NO_CREDENTIAL, NO_CREDENTIAL),
        (NO_CREDENTIAL, NO_ROUTES, NOT_REGISTERED),
        (STOPPED, NO_CREDENTIAL, NO_DATABASE),
        (NO_RUNNER, NO_ROUTES, NO_DATABASE, NOT_REGISTERED, IN_PROGRESS),
        (STOPPED, NO_ROUTES, NO_DATABASE, NO_ROUTES, NOT_REGISTERED, IN_PROGRESS),
        (NO_ROUTES, NOT_REGISTERED),
        (Reply(200, b"n8n is starting up. Please wait"), NOT_REGISTERED),
        (NO_N8N, NO_N8N, NOT_REGISTERED),
        (NO_N8N, Reply(404, b"404 page not found")),
        (CLOUDFLARE_TIMEOUT, IN_PROGRESS, IN_PROGRESS),
    ],
    ids=str,
)
def test_an_n8n_that_stops_and_starts_is_waited_for(replies: tuple[Reply, ...]) -> None:
    lesson, _, count = ask(*replies, GOOD)
    assert isinstance(lesson, Lesson)
    assert count == len(replies) + 1


@pytest.mark.parametrize(
    "reply",
    [
        NOT_REGISTERED,
        Reply(404, b"404 page not found"),
        Reply(401),
        Reply(403, b"Authorization data is wrong!"),
        Reply(526),
        json_reply({"code": 500, "message": "There was a problem executing the workflow"}, 500),
        json_reply({"error": "Credentials not found", "kind": "misconfigured"}, 502),
        json_reply({"error": "no evidence", "kind": "bad_request"}, 400),
        json_reply({"error": "not within 85 s", "kind": "timed_out"}, 504),
        json_reply({"error": "404", "kind": "unknown_model"}, 502),
        json_reply({"error": "limit", "kind": "refused"}, 429),
        json_reply({"error": "not JSON", "kind": "unusable_answer"}, 502),
    ],
    ids=lambda reply: str((reply.status, reply.body[:30])),
)
def test_what_cannot_pass_by_itself_is_not_tried_again(reply: Reply) -> None:
    error, waits, count = ask(reply)
    assert isinstance(error, TeacherError)
    assert (waits, count) == ([], 1)


def test_a_workflow_that_always_fails_is_not_tried_for_long() -> None:
    error, _, count = ask(STOPPED)
    assert count == 3
    assert isinstance(error, TeacherUnavailable)
    assert error.usage == UNKNOWN_USAGE


def test_an_n8n_without_its_credential_is_not_tried_for_long_and_costs_nothing() -> None:
    error, _, count = ask(NO_CREDENTIAL)
    assert count == 5
    assert isinstance(error, TeacherUnavailable)
    assert error.usage == Usage()


# ---- money


def test_an_answer_from_the_memory_costs_nothing_again() -> None:
    lesson, _, _ = ask(REMEMBERED)
    assert isinstance(lesson, Lesson)
    assert (lesson.usage, lesson.model) == (Usage(), "claude-sonnet-5-5")


@pytest.mark.parametrize("first", [Reply(429), IN_PROGRESS, NO_DATABASE, Reply(503, b"no server")])
def test_an_answer_that_another_request_has_paid_for_costs_nothing(first: Reply) -> None:
    lesson, _, _ = ask(first, REMEMBERED)
    assert isinstance(lesson, Lesson)
    assert lesson.usage == Usage()


@pytest.mark.parametrize(
    "first", [CUT, STOPPED, NO_RUNNER, NO_N8N, GATEWAY_TIMEOUT, CLOUDFLARE_TIMEOUT]
)
def test_an_answer_to_a_request_of_this_call_that_got_lost_is_paid_for(first: Reply) -> None:
    lesson, _, _ = ask(first, IN_PROGRESS, REMEMBERED)
    assert isinstance(lesson, Lesson)
    assert lesson.usage.cost_usd == PAID > 0


@pytest.mark.parametrize(
    "first", [CUT, STOPPED, NO_RUNNER, NO_N8N, GATEWAY_TIMEOUT, CLOUDFLARE_TIMEOUT]
)
@pytest.mark.parametrize(
    "last",
    [
        Reply(403),
        json_reply({"error": "404", "kind": "unknown_model"}, 502),
        json_reply({"error": "not JSON", "kind": "unusable_answer", **BILL}, 502),
        Reply(body=b"no lesson"),
        Reply(body=b""),
    ],
    ids=lambda reply: str((reply.status, reply.body[:30])),
)
def test_the_bill_of_a_lost_request_is_unknown(first: Reply, last: Reply) -> None:
    error, _, _ = ask(first, last)
    assert isinstance(error, TeacherError)
    assert error.usage == UNKNOWN_USAGE


@pytest.mark.parametrize("last", [Reply(429), NO_DATABASE, NOT_REGISTERED, Reply(503)])
def test_a_request_that_did_not_reach_the_model_costs_nothing(last: Reply) -> None:
    error, _, _ = ask(last, tries=2)
    assert isinstance(error, TeacherUnavailable)
    assert error.usage == Usage()


def test_nobody_there_costs_nothing() -> None:
    retries, waits = make_instant_retries(3)
    with pytest.raises(TeacherUnavailable) as caught:
        WebhookTeacher("http://127.0.0.1:9/webhook/x", retries=retries).teach(FAILURE, ())
    assert (len(waits), caught.value.usage) == (2, Usage())


def test_a_server_that_is_too_slow_is_asked_once_and_may_have_cost() -> None:
    over = threading.Event()
    retries, waits = make_instant_retries()
    with Loopback(Reply(body=ADD.encode(), hold=over)) as workflow:
        with pytest.raises(TeacherUnavailable, match=r"did not answer within 0\.2 s") as caught:
            WebhookTeacher(workflow.url, 0.2, retries=retries).teach(FAILURE, ())
        over.set()
    assert "raise n8n.timeout" in caught.value.hint
    assert (waits, caught.value.usage) == ([], UNKNOWN_USAGE)


def test_an_unusable_answer_has_its_own_bill() -> None:
    reply = json_reply({"error": "not JSON", "kind": "unusable_answer", "answer": "x", **BILL}, 502)
    error, _, _ = ask(Reply(429), reply)
    assert isinstance(error, UnusableAnswer)
    assert error.usage.cost_usd == PAID
