"""The signed token: a new one for each request, and never the secret."""

from __future__ import annotations

import base64
import json

import pytest

from teacher.errors import TeacherMisconfigured
from teacher.web_token import sign_web_token
from teacher.webhook import WebhookTeacher
from tests.teacher.loopback import Loopback, Reply
from tests.teacher.samples import ADD, FAILURE, make_instant_retries

SECRET = "a-long-random-token-\u00e4"

GOOD = Reply(body=ADD.encode())


def read_claims(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(value, dict)
    return value


def test_a_token_is_valid_for_five_minutes_and_never_the_same() -> None:
    first, second = (read_claims(sign_web_token(SECRET, 1000.9)) for _ in range(2))
    assert (first.pop("iat"), first.pop("exp")) == (1000, 1300)
    assert first != {"jti": second["jti"]}


def test_each_request_is_signed_anew_and_never_has_the_token() -> None:
    retries, _ = make_instant_retries()
    with Loopback(Reply(503), GOOD) as workflow:
        teacher = WebhookTeacher(
            workflow.url, token="a-secret", token_header="X-Mine", auth="jwt", retries=retries
        )
        teacher.teach(FAILURE, ())
        first, second = workflow.asked
    for asked in (first, second):
        scheme, _, token = asked.headers["authorization"].partition(" ")
        assert (scheme, token.count(".")) == ("Bearer", 2)
        assert "x-mine" not in asked.headers
        assert "a-secret" not in f"{asked.headers} {asked.body!r}"
    assert first.headers["authorization"] != second.headers["authorization"]


def test_without_a_token_nothing_can_be_signed() -> None:
    with pytest.raises(TeacherMisconfigured, match=r"N8N_WEBHOOK_TOKEN.* is not set"):
        WebhookTeacher("http://127.0.0.1/x", token="", auth="jwt").preflight()
