"""Whoever has no token: what is sent, and what counts as let in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from teacher.strangers import Reception, send_strangers
from tests.teacher.loopback import Loopback, Reply, json_reply

REFUSED = Reply(403, b"Authorization data is wrong!")
ERROR = {"error": "bad request: there is no evidence", "kind": "bad_request"}


def receive(*replies: Reply, header: str = "Authorization") -> list[tuple[str, str]]:
    with Loopback(*replies) as workflow:
        found = send_strangers(f"{workflow.url}/webhook/x", header)
    return [(each.sent, str(each.reception)) for each in found]


def test_strangers_send_what_a_missing_variable_would_make_of_a_token() -> None:
    with Loopback(REFUSED) as workflow:
        found = send_strangers(f"{workflow.url}/webhook/x", "Authorization")
    sent = [request.headers.get("authorization") for request in workflow.asked]
    assert sent == [None, "Bearer undefined", "Bearer null", "Bearer"]
    assert {request.body for request in workflow.asked} == {b"{}"}
    assert {request.path for request in workflow.asked} == {"/webhook/x"}
    assert [each.reception for each in found] == [Reception.REFUSED] * 4
    assert {each.status for each in found} == {403}


def test_another_header_has_no_scheme() -> None:
    with Loopback(REFUSED) as workflow:
        send_strangers(workflow.url, "X-Token")
    assert [each.headers.get("x-token") for each in workflow.asked] == [
        *(None, "undefined", "null", ""),
    ]
    assert not any("authorization" in each.headers for each in workflow.asked)


def test_where_requests_are_signed_a_stranger_signs_with_a_missing_token() -> None:
    with Loopback(REFUSED) as workflow:
        found = send_strangers(workflow.url, "Authorization", signed=True)
    assert [each.sent for each in found][3:5] == ["signed with `undefined`", "signed with `null`"]
    signed = workflow.asked[3].headers["authorization"].removeprefix("Bearer ")
    head, _, signature = signed.rpartition(".")
    expected = hmac.new(b"undefined", head.encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64encode(expected).rstrip(b"=").decode() == signature


def test_nothing_secret_of_the_address_is_sent() -> None:
    with Loopback(REFUSED) as workflow:
        url = workflow.url.replace("//", "//user:password@") + "/webhook/x?token=secret"
        send_strangers(url, "Authorization")
    assert workflow.asked[0].path == "/webhook/x"
    assert "authorization" not in workflow.asked[0].headers


def test_one_who_is_let_in_with_a_known_password() -> None:
    assert receive(REFUSED, json_reply(ERROR, 400), REFUSED) == [
        ("no token", "refused"),
        ("`Bearer undefined`", "let in"),
        ("`Bearer null`", "refused"),
        ("`Bearer `", "refused"),
    ]


def test_a_webhook_that_looks_at_no_token_is_asked_once() -> None:
    assert receive(json_reply({})) == [("no token", "let in")]


@pytest.mark.parametrize(
    ("reply", "reception"),
    [
        (Reply(401), "refused"),
        (Reply(302, headers={"location": "https://login.example.org/"}), "refused"),
        (json_reply({"message": "No authentication data defined on node!"}, 500), "refused"),
        (Reply(204), "let in"),
        (json_reply(ERROR, 400), "let in"),
        (
            json_reply({"error": "the same request is in progress", "kind": "try_again"}, 503),
            "let in",
        ),
        (json_reply({"message": "Error in workflow"}, 500), "let in"),
        (json_reply({"message": "diff is missing"}, 422), "let in"),
        (Reply(200, b"n8n is starting up. Please wait"), "unclear"),
        (Reply(200, b"<!DOCTYPE html><title>Log in</title>"), "unclear"),
        (Reply(400, b"<html><title>The plain HTTP request was sent to HTTPS port"), "unclear"),
        (Reply(400, b"Client sent an HTTP request to an HTTPS server."), "unclear"),
        (json_reply({"error": "no upstream"}, 503), "unclear"),
        (Reply(502, b"<html>Bad Gateway</html>"), "unclear"),
        (Reply(404, b"Cannot POST /x"), "unclear"),
        (Reply(500, b"[" * 100_000), "unclear"),
        (json_reply(["error", "kind"], 503), "unclear"),
    ],
)
def test_what_counts_as_let_in(reply: Reply, reception: str) -> None:
    assert receive(reply)[0] == ("no token", reception)


def test_a_server_that_does_not_answer_is_asked_once() -> None:
    [found] = send_strangers("http://127.0.0.1:9/webhook/x", "Authorization")
    assert (found.reception, found.status) == (Reception.UNCLEAR, 0)
    assert "refused" in found.cause.lower()


def test_a_cut_answer_is_unclear() -> None:
    body = json.dumps(ERROR).encode()
    assert receive(Reply(400, body, cut=3))[0] == ("no token", "unclear")
