"""The webhook teacher against a web server on loopback."""

from __future__ import annotations

from dataclasses import replace

import pytest

from teacher.errors import TeacherMisconfigured, TeacherUnavailable, UnusableAnswer
from teacher.models import UNKNOWN_USAGE, Action, FailureType, Usage
from teacher.prices import calculate_cost
from teacher.webhook import MAX_ANSWER_BYTES, WebhookTeacher, build_request_body
from tests.teacher.loopback import Loopback, Reply, json_reply
from tests.teacher.samples import ADD, FAILURE, KNOWN, RULE, TEXT, make_instant_retries

GOOD = Reply(body=ADD.encode())


def test_the_request_is_the_published_one_with_additions() -> None:
    with Loopback(GOOD) as workflow:
        WebhookTeacher(f"{workflow.url}/webhook/t", token="t-1").teach(FAILURE, KNOWN)
        [asked] = workflow.asked
    body = asked.json
    key = body.pop("idempotency_key")
    assert len(str(key)) == 64
    assert body == {
        "version": 1,
        "failure_type": "test_failure",
        "task_description": "Make safe_divide safe",
        "context": "11 passed, 1 failed\n\nsecond attempt",
        "diff": "+    return 0",
        "error_logs": "assert 0 is None",
        "known_rules": [
            {"id": rule.id, "rule": rule.text.rule, "when": rule.text.when, "why": rule.text.why}
            for rule in KNOWN
        ],
    }
    assert asked.path == "/webhook/t"
    assert asked.headers["authorization"] == "Bearer t-1"
    assert asked.headers["content-type"] == "application/json"


def test_the_three_published_keys_are_answer_enough() -> None:
    with Loopback(json_reply(TEXT)) as workflow:
        assert WebhookTeacher(workflow.url).teach(FAILURE, ()).action is Action.ADD
        assert "authorization" not in workflow.asked[0].headers


def test_requests_to_this_machine_bypass_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name)  # what is left are proxies that nobody answers for
    with Loopback(GOOD) as workflow:
        for url in (workflow.url, workflow.url.replace("127.0.0.1", "localhost")):
            assert WebhookTeacher(url).teach(FAILURE, ()).action is Action.ADD
    with pytest.raises(TeacherUnavailable):
        WebhookTeacher("https://192.0.2.1", retries=make_instant_retries(tries=1)[0]).teach(
            FAILURE, ()
        )


def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N8N_WEBHOOK_TOKEN", "from-outside\n")
    with Loopback(GOOD) as workflow:
        WebhookTeacher(workflow.url).teach(FAILURE, ())
        assert workflow.asked[0].headers["authorization"] == "Bearer from-outside"


def test_the_token_may_go_in_a_header_of_its_own() -> None:
    with Loopback(GOOD) as workflow:
        WebhookTeacher(workflow.url, token="t-1", token_header="X-Teacher").teach(FAILURE, KNOWN)
        [asked] = workflow.asked
    assert asked.headers["x-teacher"] == "t-1"
    assert "authorization" not in asked.headers


def test_the_shipped_workflow_reports_what_was_billed() -> None:
    usage = {"input_tokens": 900_000, "output_tokens": 100_000, "cache_read_tokens": 7}
    reply = json_reply({**TEXT, "model": "claude-sonnet-5-5", "usage": usage})
    with Loopback(reply) as workflow:
        lesson = WebhookTeacher(workflow.url).teach(FAILURE, ())
    assert lesson.model == "claude-sonnet-5-5"
    assert lesson.usage.tokens == 1_000_007
    assert lesson.usage.cost_usd == calculate_cost("claude-sonnet-5-5", Usage(**usage)) > 0


@pytest.mark.parametrize("extra", [{"usage": None}, {"model": 7}, {}])
def test_an_answer_without_a_bill_costs_nothing(extra: dict[str, object]) -> None:
    with Loopback(json_reply({**TEXT, **extra})) as workflow:
        lesson = WebhookTeacher(workflow.url).teach(FAILURE, ())
    assert (lesson.usage, lesson.model) == (Usage(), "")


@pytest.mark.parametrize(
    "usage",
    [
        *("much", [], True, 7, float("nan")),
        *({"input_tokens": bad} for bad in (-1, "12", True, 1.5, 1e308, 10**15, float("inf"))),
        {"input_tokens": 900, "output_tokens": -(10**30)},
        {"input_tokens": 900, "output_tokens": 10**9},
        {"cache_read_tokens": 2**62},
    ],
)
@pytest.mark.parametrize("name", ["claude-sonnet-5-5", "nobody-knows"])
def test_an_impossible_bill_is_none_that_counts(usage: object, name: str) -> None:
    with Loopback(json_reply({**TEXT, "model": name, "usage": usage})) as workflow:
        lesson = WebhookTeacher(workflow.url).teach(FAILURE, ())
    assert lesson.text == RULE
    assert lesson.usage == UNKNOWN_USAGE


def test_a_number_of_a_thousand_digits_costs_no_lesson() -> None:
    digits = '{"rule": "R", "when": "W", "why": "Y", "usage": {"input_tokens": N}}'.replace(
        "N", "9" * 5000
    )
    with Loopback(Reply(body=digits.encode())) as workflow:
        assert WebhookTeacher(workflow.url).teach(FAILURE, ()).usage == UNKNOWN_USAGE


def test_words_that_are_no_lesson_come_back_with_their_bill() -> None:
    cause = {
        "error": "it is not JSON",
        "kind": "unusable_answer",
        "answer": "I would rather talk.",
        "model": "claude-sonnet-5-5",
        "usage": {"input_tokens": 500_000},
    }
    retries, waits = make_instant_retries()
    with Loopback(json_reply(cause, 502)) as workflow, pytest.raises(UnusableAnswer) as caught:
        WebhookTeacher(workflow.url, retries=retries).teach(FAILURE, ())
    assert "I would rather talk." in str(caught.value)
    assert caught.value.usage.cost_usd == calculate_cost("claude-sonnet-5-5", Usage(500_000)) > 0
    assert waits == []


def test_a_workflow_that_says_so_is_not_asked_again() -> None:
    retries, waits = make_instant_retries()
    cause = {"error": "Claude answered 401: invalid x-api-key", "kind": "misconfigured"}
    with Loopback(json_reply(cause, 502)) as workflow, pytest.raises(TeacherUnavailable) as caught:
        WebhookTeacher(workflow.url, retries=retries).teach(FAILURE, ())
    assert "invalid x-api-key" in caught.value.message
    assert "Anthropic credential" in caught.value.hint
    assert waits == []


def test_equal_requests_have_equal_keys_and_others_do_not() -> None:
    def key(**changes: object) -> object:
        failure = replace(FAILURE, **changes)  # type: ignore[arg-type]
        return build_request_body(failure, KNOWN)["idempotency_key"]

    keys = [
        key(),
        key(logs="other"),
        key(diff="other"),
        key(task="other"),
        key(type=FailureType.OTHER),
        build_request_body(FAILURE, KNOWN[:1])["idempotency_key"],
    ]
    assert key() == keys[0]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_passing_trouble_is_waited_out_under_one_key(status: int) -> None:
    retries, waits = make_instant_retries()
    with Loopback(Reply(status, headers={"retry-after": "40"}), GOOD) as workflow:
        WebhookTeacher(workflow.url, retries=retries).teach(FAILURE, KNOWN)
        first, second = workflow.asked
    assert first.body == second.body
    assert waits == [40]


def test_a_connection_that_breaks_is_tried_again() -> None:
    retries, waits = make_instant_retries()
    with Loopback(Reply(body=ADD.encode(), cut=5), GOOD) as workflow:
        WebhookTeacher(workflow.url, retries=retries).teach(FAILURE, KNOWN)
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("reply", "message", "hint"),
    [
        (Reply(403, b"Authorization data is wrong!"), "refused the token", "N8N_WEBHOOK_TOKEN"),
        (Reply(401, b"no"), "refused the token", "N8N_WEBHOOK_TOKEN"),
        (json_reply({"message": "not registered"}, 404), "no active workflow", "publish"),
        (json_reply({"message": "stack"}, 422), "could not parse", "N8N_SETUP.md"),
        (json_reply({"message": "Error in workflow"}, 500), "failed inside", "failed executions"),
        (json_reply({"error": "model: 529"}, 502), "model: 529", "credential"),
        (Reply(413), "request of this size", "N8N_PAYLOAD_SIZE_MAX"),
        (Reply(301, headers={"location": "https://x.example/y"}), "x.example/y", "final address"),
        (Reply(418, b"teapot"), "teapot", "see what it said"),
    ],
    ids=lambda value: value.status if isinstance(value, Reply) else "",
)
def test_each_status_is_one_clear_line_with_a_hint(reply: Reply, message: str, hint: str) -> None:
    with Loopback(reply) as workflow:
        teacher = WebhookTeacher(workflow.url, token="t", retries=make_instant_retries(tries=2)[0])
        with pytest.raises(TeacherUnavailable) as caught:
            teacher.teach(FAILURE, ())
    assert message in caught.value.message
    assert f"({reply.status})" in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_refusal_without_a_token_says_that_one_is_wanted() -> None:
    with (
        Loopback(Reply(403)) as workflow,
        pytest.raises(TeacherUnavailable, match="requires a token"),
    ):
        WebhookTeacher(workflow.url).teach(FAILURE, ())
    assert len(workflow.asked) == 1


def test_nobody_there_is_one_clear_line_without_the_secrets_of_the_url() -> None:
    retries, waits = make_instant_retries(tries=3)
    teacher = WebhookTeacher("http://me:hush@127.0.0.1:9/hook?key=hush", retries=retries)
    with pytest.raises(TeacherUnavailable, match=r"http://127\.0\.0\.1:9/hook was not") as caught:
        teacher.teach(FAILURE, ())
    assert "hush" not in str(caught.value)
    assert len(waits) == 2


def test_n8n_that_starts_again_is_waited_for_until_its_webhooks_are_there() -> None:
    retries, waits = make_instant_retries()
    starting = json_reply({"message": "not registered"}, 404)
    with Loopback(Reply(body=ADD.encode(), cut=5), starting, GOOD) as workflow:
        WebhookTeacher(workflow.url, retries=retries).teach(FAILURE, KNOWN)
    assert len(waits) == 2
    with Loopback(starting) as workflow, pytest.raises(TeacherUnavailable, match="no active"):
        WebhookTeacher(workflow.url, retries=retries).teach(FAILURE, KNOWN)
    assert len(waits) == 2


def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    large = Reply(body=b" " * (MAX_ANSWER_BYTES + 1))
    with Loopback(large) as workflow, pytest.raises(UnusableAnswer, match="longer than 1 MB"):
        WebhookTeacher(workflow.url).teach(FAILURE, ())


def test_nesting_without_end_is_an_unusable_answer() -> None:
    with Loopback(Reply(body=b"[" * 500_000)) as workflow, pytest.raises(UnusableAnswer):
        WebhookTeacher(workflow.url).teach(FAILURE, ())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not a url",
        "ftp://127.0.0.1/x",
        "https://",
        "https://[::1",
        "http://n8n.example.org/webhook/x",
        "http://127.0.0.1.example.org/x",
    ],
)
def test_an_address_that_may_not_be_used_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(TeacherMisconfigured, match=r"n8n\.webhook_url") as caught:
        WebhookTeacher(url).preflight()
    assert caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "https://n8n.example.org/webhook/x",
        "http://127.0.0.1:5678/x",
        "http://localhost/x",
        "http://[::1]:1/x",
    ],
)
def test_https_and_this_machine_are_fine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "n8n.example.org")
    WebhookTeacher(url).preflight()


def test_http_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "n8n.example.org")
    WebhookTeacher("http://n8n.example.org/webhook/x", allow_http=True).preflight()


def test_a_token_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(TeacherMisconfigured, match="N8N_WEBHOOK_TOKEN"):
        WebhookTeacher("http://127.0.0.1/x", token="a b").preflight()
