"""The webhook teacher against a web server on loopback."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from teacher.errors import TeacherMisconfigured, TeacherUnavailable, UnusableAnswer
from teacher.models import UNKNOWN_USAGE, Action, FailureType, KnownRule, RuleText, Usage
from teacher.prices import calculate_cost
from teacher.webhook import WebhookTeacher, build_request_body
from teacher.webhook_client import MAX_ANSWER_BYTES
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
    assert body.pop("timeout_seconds") == 90
    assert body == {
        "version": 1,
        "failure_type": "test_failure",
        "task_description": "Make safe_divide safe",
        "context": "11 passed, 1 failed\n\nsecond attempt",
        "diff": "+    return 0",
        "error_logs": "assert 0 is None",
        "known_rules": [
            {"id": rule.id, "rule": rule.text.rule, "when": rule.text.when, "why": rule.text.why}
            | ({"note": rule.note} if rule.note else {})
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


def test_of_a_models_name_no_more_is_kept_than_a_name_needs() -> None:
    with Loopback(json_reply({**TEXT, "model": "m" * 500_000})) as workflow:
        lesson = WebhookTeacher(workflow.url).teach(FAILURE, ())
    assert lesson.model == "m" * 200


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


@pytest.mark.parametrize("fresh", [True, False])
def test_how_it_is_asked_does_not_change_the_key(fresh: bool) -> None:
    with Loopback(GOOD) as workflow:
        WebhookTeacher(workflow.url, 33, fresh=fresh).teach(FAILURE, KNOWN)
        [asked] = workflow.asked
    body = asked.json
    assert (body["timeout_seconds"], body.get("fresh")) == (33, fresh or None)
    assert body["idempotency_key"] == build_request_body(FAILURE, KNOWN)["idempotency_key"]


def test_what_utf_8_cannot_encode_is_replaced_before_it_is_sent() -> None:
    odd = "caf\udce9 \ud83d\ude00 \U0001f600"
    rule = KnownRule("r-\udcff", RuleText(odd, odd, odd), odd)
    failure = replace(FAILURE, diff=odd, logs=odd, task=odd, context=odd, summary=odd)
    with Loopback(GOOD) as workflow:
        WebhookTeacher(workflow.url).teach(failure, (rule,))
        [asked] = workflow.asked
    text = json.dumps(asked.json, ensure_ascii=False)
    assert text.encode()  # no lone surrogate is left
    assert text.count("caf? ?? \U0001f600") == 9
    assert asked.json["diff"] == odd.encode("utf-8", "replace").decode()


def test_an_answer_says_which_workflow_gave_it() -> None:
    with Loopback(json_reply({**TEXT, "workflow_version": 2})) as workflow:
        answer = WebhookTeacher(workflow.url).ask(FAILURE, KNOWN)
    assert (answer.lesson.text, answer.workflow_version, answer.remembered) == (RULE, 2, False)
    with Loopback(json_reply(TEXT)) as workflow:
        assert WebhookTeacher(workflow.url).ask(FAILURE, KNOWN).workflow_version is None
    with Loopback(json_reply({**TEXT, "workflow_version": True, "remembered": "yes"})) as workflow:
        answer = WebhookTeacher(workflow.url).ask(FAILURE, KNOWN)
    assert (answer.workflow_version, answer.remembered) == (None, False)


def test_a_text_of_the_shipped_workflows_model_that_is_no_lesson_has_a_hint_about_it() -> None:
    text = {"action": "add", "rule": " ", "when": "w", "why": "y"}
    shipped = json_reply({**text, "workflow_version": 2})
    with Loopback(shipped) as workflow, pytest.raises(UnusableAnswer) as caught:
        WebhookTeacher(workflow.url).teach(FAILURE, KNOWN)
    assert "node Settings" in caught.value.hint
    with Loopback(json_reply(text)) as workflow, pytest.raises(UnusableAnswer) as caught:
        WebhookTeacher(workflow.url).teach(FAILURE, KNOWN)
    assert "Respond to Webhook" in caught.value.hint


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
        "http://n8n:5678/webhook/x",
        "https://me:hush/hush@n8n.example.org/x",
        "https://me:hush\u2100@n8n.example.org/x",
        "https://me:hush hush@n8n.example.org/x",
        "me:hush@n8n.example.org/x",
    ],
)
def test_an_address_that_may_not_be_used_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(TeacherMisconfigured, match=r"n8n\.webhook_url") as caught:
        WebhookTeacher(url).preflight()
    assert caught.value.hint
    assert "hush" not in str(caught.value)


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


@pytest.mark.parametrize("host", ["n8n", "192.168.1.7", "n8n.example.org"])
def test_http_to_another_machine_says_how_it_is_allowed_and_what_that_means(host: str) -> None:
    with pytest.raises(TeacherMisconfigured, match=f"to {host} unencrypted") as caught:
        WebhookTeacher(f"http://{host}:5678/webhook/x").preflight()
    assert "n8n.allow_http: true" in caught.value.hint
    assert "reads" in caught.value.hint


def test_http_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "n8n.example.org")
    WebhookTeacher("http://n8n.example.org/webhook/x", allow_http=True).preflight()


def test_a_token_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(TeacherMisconfigured, match="N8N_WEBHOOK_TOKEN"):
        WebhookTeacher("http://127.0.0.1/x", token="a b").preflight()
