"""Every answer without a lesson is one clear line, with a hint that helps if it is followed.

The answers of n8n were recorded from n8n 2.39.10.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from teacher.errors import TeacherError, TeacherMisconfigured, TeacherUnavailable, UnusableAnswer
from teacher.models import UNKNOWN_USAGE, Usage
from teacher.prices import calculate_cost
from teacher.webhook import WebhookTeacher
from tests.teacher.loopback import Loopback, Reply, json_reply
from tests.teacher.samples import FAILURE, make_instant_retries

TRACE = "ResponseError: x\n    at parseBody (/usr/lib/node_modules/n8n/src/a.ts:110:1)"


def express(path: str) -> Reply:
    page = f"<!DOCTYPE html>\n<html><head><title>Error</title></head>\n<body>\n<pre>{path}</pre>"
    return Reply(404, page.encode(), {"content-type": "text/html"})


def page(status: int, title: str) -> Reply:
    text = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body></html>"
    return Reply(status, text.encode(), {"content-type": "text/html"})


def of_n8n(code: int, message: str, **more: object) -> Reply:
    return json_reply({"code": code, "message": message, **more, "stacktrace": TRACE}, code)


NOT_REGISTERED = of_n8n(
    404,
    'The requested webhook "POST x" is not registered.',
    hint="The workflow must be active ... using the toggle in the top-right of the editor.",
)
TEST_URL = of_n8n(404, 'The requested webhook "x" is not registered.', hint="Click the button")
WRONG_METHOD = of_n8n(
    404,
    "This webhook is not registered for POST requests. Did you mean to make a GET request?",
)
UNPARSED = of_n8n(422, "Failed to parse request body", hint="Expected a property name")
NO_DATABASE = of_n8n(503, "Database is not ready!")
NOT_RUN = of_n8n(500, "There was a problem executing the workflow")

CASES = {
    # the token
    "wrong token": (
        Reply(403, b"Authorization data is wrong!"),
        "/webhook/x",
        "refused the token (403)",
        "set N8N_WEBHOOK_TOKEN to the token alone: in n8n, the node Webhook has a Header Auth "
        "credential with the name Authorization and, as value, `Bearer `, followed by the token",
    ),
    "JWT Auth": (
        Reply(403, b"jwt malformed"),
        "/webhook/x",
        "refused the token",
        "set n8n.auth: jwt and set N8N_WEBHOOK_TOKEN to the Secret of the node Webhook's JWT Auth",
    ),
    "IP address": (
        Reply(403, b"IP is not allowed to access the webhook!"),
        "/webhook/x",
        "refused the address of this machine",
        "IP(s) Allowlist",
    ),
    "403 of a proxy": (page(403, "403 Forbidden"), "/webhook/x", "in front of it", "let the"),
    "401 of a proxy": (page(401, "Sign in"), "/webhook/x", "in front of it", "without a login"),
    "password of a proxy": (
        Reply(401, b"", {"www-authenticate": 'Basic realm="x"'}),
        "/webhook/x",
        "in front of it",
        "set n8n.webhook_url to https://USER:PASSWORD@... and",
    ),
    "Basic Auth": (
        Reply(401, b"Authorization is required!"),
        "/webhook/x",
        "requires a user and a password",
        "choose Header Auth in the node Webhook",
    ),
    "n8n without the token": (
        Reply(500, b"No authentication data defined on node!"),
        "/webhook/x",
        "cannot read its token",
        "set N8N_WEBHOOK_TOKEN and N8N_BLOCK_ENV_ACCESS_IN_NODE=false where n8n starts, or choose "
        "the credential in the node Webhook",
    ),
    # the address
    "not published": (NOT_REGISTERED, "/webhook/x", "has no active workflow", "publish"),
    "Test URL": (TEST_URL, "/webhook-test/x", "is the Test URL", "Production URL"),
    "wrong method": (WRONG_METHOD, "/webhook/x", "not for POST", "set HTTP Method of the node"),
    "editor": (
        express("Cannot POST /workflow/promptLearnTeach"),
        "/workflow/promptLearnTeach",
        "is the address of n8n's editor",
        "set n8n.webhook_url to the Production URL",
    ),
    "root": (express("Cannot POST /"), "/", "is not a webhook of n8n", "Production URL"),
    "prefix": (express("Cannot POST /n8n/webhook/x"), "/n8n/webhook/x", "is not a webhook", "URL"),
    "nginx": (page(404, "404 Not Found"), "/webhook/x", "is not a webhook of n8n", "Production"),
    "nginx, a file": (page(405, "405 Not Allowed"), "/", "is not a webhook of n8n", "Production"),
    "gateway": (json_reply({"message": "no Route matched"}, 404), "/x", "is not a webhook", "URL"),
    "other server": (json_reply({"code": "x", "message": "y"}, 400), "/x", "is not a", "URL"),
    "http to https": (
        page(400, "400 The plain HTTP request was sent to HTTPS port"),
        "/webhook/x",
        "expects https",
        "the same address with https",
    ),
    # the workflow
    "failed": (
        json_reply({"message": "Error in workflow"}, 500),
        "/webhook/x",
        "failed inside the workflow (500)",
        "n8n was stopping, or its task runner was not there",
    ),
    "not run": (NOT_RUN, "/webhook/x", "could not run the workflow", "open the workflow"),
    "unparsed": (UNPARSED, "/webhook/x", "could not parse", "`orchestrator teacher workflow`"),
    "too large": (page(413, "413 Too Large"), "/webhook/x", "this size", "N8N_PAYLOAD_SIZE_MAX"),
    "another workflow": (json_reply({"error": "model: 529"}, 502), "/x", "model: 529", "state of"),
    "bad request": (
        json_reply({"error": "there is no failure_type x", "kind": "bad_request"}, 400),
        "/webhook/x",
        "there is no failure_type x",
        "orchestrator teacher workflow",
    ),
    "credential": (
        json_reply({"error": "Credentials not found", "kind": "misconfigured"}, 502),
        "/webhook/x",
        "could not ask the model (502); it said: Credentials not found",
        "correct the Anthropic credential or the node Settings",
    ),
    "no credit": (json_reply({"error": "e", "kind": "refused"}, 429), "/x", "(429)", "the credit"),
    "later": (json_reply({"error": "529", "kind": "try_again"}, 502), "/x", "answer from", "later"),
    # what is in front of it
    "starting": (NO_DATABASE, "/webhook/x", "n8n is starting", "try again when n8n has started"),
    "no routes": (express("Cannot POST /webhook/x"), "/webhook/x", "n8n is starting", "try again"),
    "no database": (Reply(200, b"n8n is starting up. Please wait"), "/x", "is starting", "again"),
    "nginx waits": (
        page(504, "504 Gateway Time-out"),
        "/webhook/x",
        "was given up by a proxy in front of it",
        "raise the proxy's timeout above n8n.timeout (now 90 s), or set n8n.timeout below",
    ),
    "Cloudflare": (page(524, "n8n.example | 524: A timeout occurred"), "/x", "by a proxy", "raise"),
    "no n8n": (page(502, "502 Bad Gateway"), "/x", "was not reached by the proxy", "start n8n"),
    "Traefik": (Reply(503, b"no available server\n"), "/x", "by the proxy in front", "start n8n"),
    "Caddy": (Reply(502), "/x", "was not reached by the proxy", "start n8n"),
    "526": (page(526, "526: Invalid SSL certificate"), "/x", "has a certificate", "renew"),
    "any 500": (page(500, "Oops"), "/x", "failed (500); it said: Oops", "the log of the server"),
    "too many": (Reply(429), "/x", "too many requests", "wait, then try again"),
    "teapot": (Reply(418, b"teapot"), "/x", "it said: teapot", "what answers at this address"),
    # elsewhere
    "moved": (
        Reply(308, headers={"location": "https://n8n.example/webhook/x"}),
        "/webhook/x",
        "redirects to https://n8n.example/webhook/x",
        "set n8n.webhook_url to https://n8n.example/webhook/x",
    ),
    "login": (
        Reply(302, headers={"location": "https://sso.example/auth?next=hush"}),
        "/webhook/x",
        "redirects to https://sso.example/auth?***, a login page",
        "without a login",
    ),
    "local login": (Reply(303, headers={"location": "/signin"}), "/x", "a login page", "without"),
    "elsewhere": (Reply(301, headers={"location": "/home"}), "/x", "/home", "Production URL"),
    "malformed": (
        Reply(302, headers={"location": "http://[::1/"}),
        "/x",
        "redirects to an address that cannot be parsed",
        "Production URL",
    ),
    "nowhere": (Reply(302), "/x", "redirects to itself", "Production URL"),
}


@pytest.mark.parametrize(("reply", "path", "message", "hint"), CASES.values(), ids=CASES)
def test_each_answer_is_one_clear_line_with_a_hint(
    reply: Reply, path: str, message: str, hint: str
) -> None:
    retries, _ = make_instant_retries(tries=3)
    with Loopback(reply) as workflow:
        teacher = WebhookTeacher(f"{workflow.url}{path}", token="t", retries=retries)
        with pytest.raises(TeacherUnavailable) as caught:
            teacher.teach(FAILURE, ())
    assert message in caught.value.message
    assert hint in caught.value.hint
    line = str(caught.value)
    assert "\n" not in line
    assert not any(text in line for text in ("hush", "node_modules", "<html", "resume"))


def test_a_refusal_without_a_token_says_that_one_is_required() -> None:
    with (
        Loopback(Reply(403, b"Authorization data is wrong!")) as workflow,
        pytest.raises(TeacherUnavailable, match="requires a token"),
    ):
        WebhookTeacher(workflow.url).teach(FAILURE, ())
    assert len(workflow.asked) == 1


def test_a_header_of_its_own_has_the_token_alone() -> None:
    refused = Reply(403, b"Authorization data is wrong!")
    with Loopback(refused) as workflow, pytest.raises(TeacherUnavailable) as caught:
        WebhookTeacher(workflow.url, token="t", token_header="X-Mine").teach(FAILURE, ())
    assert "the name X-Mine and, as value, the token alone" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            b"invalid signature",
            "set N8N_WEBHOOK_TOKEN to the Secret of the node Webhook's JWT Auth",
        ),
        (b"invalid algorithm", "with Key Type Passphrase and Algorithm HS256"),
        (b"Authorization data is wrong!", "JWT Auth credential"),
        (b"jwt expired", "set the clocks of both machines"),
    ],
)
def test_a_signed_request_that_is_refused(said: bytes, hint: str) -> None:
    with Loopback(Reply(403, said)) as workflow:
        teacher = WebhookTeacher(workflow.url, token="t", auth="jwt")
        with pytest.raises(TeacherUnavailable) as caught:
            teacher.teach(FAILURE, ())
    assert hint in caught.value.hint
    assert "n8n.auth" not in caught.value.hint


def test_a_user_and_password_in_the_address_are_sent_and_named_when_they_are_refused() -> None:
    refused = Reply(401, b"Authentication data is wrong!")
    with Loopback(refused) as workflow:
        teacher = WebhookTeacher(workflow.url.replace("//", "//me:hush@"), token="t")
        with pytest.raises(TeacherUnavailable) as caught:
            teacher.teach(FAILURE, ())
    assert workflow.asked[0].headers["authorization"] == "Basic bWU6aHVzaA=="
    assert "refused the user and password (401)" in caught.value.message
    assert "n8n.webhook_url" in caught.value.hint
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("it is not JSON", "another model or prompt in the workflow's node Settings"),
        ("needs an active rule as `target`, not 'refused'", "another model or prompt"),
        ('it was cut off; raise max_tokens in the node "Settings"', "raise max_tokens in the"),
        ("the model refused to answer", "report the failure yourself"),
    ],
)
def test_words_that_are_no_lesson_come_back_with_their_bill(error: str, hint: str) -> None:
    cause = {
        "error": error,
        "kind": "unusable_answer",
        "answer": "I would rather talk.",
        "model": "claude-sonnet-5-5",
        "usage": {"input_tokens": 500_000},
    }
    retries, waits = make_instant_retries()
    with Loopback(json_reply(cause, 502)) as workflow, pytest.raises(UnusableAnswer) as caught:
        WebhookTeacher(workflow.url, retries=retries).teach(FAILURE, ())
    assert "I would rather talk." in str(caught.value)
    assert hint in caught.value.hint
    assert "teacher.model" not in caught.value.hint
    assert caught.value.usage.cost_usd == calculate_cost("claude-sonnet-5-5", Usage(500_000)) > 0
    assert waits == []


def test_a_model_that_the_api_does_not_know_is_a_wrong_setting_of_the_workflow() -> None:
    cause = {"error": "Claude answered 404: model: claude-9", "kind": "unknown_model"}
    with Loopback(json_reply(cause, 502)) as workflow, pytest.raises(TeacherMisconfigured) as error:
        WebhookTeacher(workflow.url).teach(FAILURE, ())
    assert "claude-9" in error.value.message
    assert "set model in the workflow's node Settings to one of claude-" in error.value.hint
    assert error.value.usage == Usage()


def test_a_model_that_is_too_slow_is_asked_once_and_may_have_cost() -> None:
    cause = {"error": "Claude did not answer within 85 s", "kind": "timed_out"}
    retries, waits = make_instant_retries()
    with Loopback(json_reply(cause, 504)) as workflow, pytest.raises(TeacherUnavailable) as caught:
        WebhookTeacher(workflow.url, retries=retries).teach(FAILURE, ())
    assert "in time (504); it said: Claude did not answer within 85 s" in caught.value.message
    assert "raise n8n.timeout (now 90 s)" in caught.value.hint
    assert (len(workflow.asked), waits, caught.value.usage) == (1, [], UNKNOWN_USAGE)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"error": "e", "usage": 7, "model": []}', "\0"])
@pytest.mark.parametrize("status", [400, 404, 500, 502])
def test_no_text_is_a_bug(status: int, text: str) -> None:
    reply = Reply(status, text.encode())
    with Loopback(reply) as workflow, pytest.raises(TeacherError):
        WebhookTeacher(workflow.url, retries=make_instant_retries(1)[0]).teach(FAILURE, ())


def test_the_error_of_another_workflow_may_be_any_json() -> None:
    reply = replace(json_reply({"error": {"code": 7}}, 502), headers={})
    with Loopback(reply) as workflow, pytest.raises(TeacherUnavailable) as caught:
        WebhookTeacher(workflow.url, retries=make_instant_retries(1)[0]).teach(FAILURE, ())
    assert json.dumps({"error": {"code": 7}}) in caught.value.message
