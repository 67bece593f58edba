"""The real Anthropic SDK against the replay model."""

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from orchestrator.replay import ReplayServer, Speaker, parse_scenario
from tests.growing_limits import iter_growing_limits

_TOOL = {"name": "Edit", "input_schema": {"type": "object"}}
_SCHEMA = {
    "type": "object",
    "properties": {"rule": {"type": "string"}, "kind": {"enum": ["add", "none"]}},
    "required": ["rule", "kind"],
}


def _request(text: str = "hello", **more: object) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-haiku-5-5", "max_tokens": 500, "messages": messages, **more}


@contextlib.contextmanager
def _served(
    sdk: ModuleType, text: str, source: str = "scenario", **options: object
) -> Iterator[tuple[ReplayServer, Any]]:
    """Yield a server of a scenario, and a client of it that does not retry."""
    with ReplayServer(parse_scenario(text, source)) as model:
        # Proxies and certificate stores, of no use on loopback, would cost 0.3 s each time.
        http = sdk.DefaultHttpxClient(
            trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), timeout=30
        )
        given: dict[str, Any] = {"max_retries": 0, "http_client": http, **options}
        with sdk.Anthropic(base_url=model.url, api_key="any", **given) as client:
            yield model, client


@pytest.mark.parametrize("stream", [False, True])
def test_text_and_tools(sdk: ModuleType, stream: bool) -> None:
    said = "The sign is wrong: ä€😀 " * 60
    text = f"""
    answers:
      - reply:
          say: "{said}"
          tools:
            - {{name: Edit, input: {{path: a.py, new: "{said}", lines: [1, 2.5, true, null]}}}}
            - {{name: Bash}}
          usage: {{input: 7, output: 8, cache_read: 9, cache_write: 10}}
    """
    with _served(sdk, text) as (_model, client):
        if stream:
            with client.messages.stream(**_request(tools=[_TOOL])) as events:
                message = events.get_final_message()
        else:
            message = client.messages.create(**_request(tools=[_TOOL]))
    words, edit, bash = message.content
    assert words.text == said
    assert edit.input == {"path": "a.py", "new": said, "lines": [1, 2.5, True, None]}
    assert (edit.name, bash.name, bash.input) == ("Edit", "Bash", {})
    assert edit.id != bash.id
    assert message.stop_reason == "tool_use"
    assert message.model == "claude-haiku-5-5"
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens) == (7, 8)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (9, 10)


def test_structured_output(sdk: ModuleType) -> None:
    text = "answers: [{when: {speaker: teacher}, reply: {json: {rule: Look first., kind: add}}}]"
    wanted = {"format": {"type": "json_schema", "schema": _SCHEMA}}
    with _served(sdk, text) as (model, client):
        message = client.messages.create(**_request(output_config=wanted))
    assert json.loads(message.content[0].text) == {"rule": "Look first.", "kind": "add"}
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 0
    assert model.requests[0].schema == _SCHEMA


def test_refusal_without_text(sdk: ModuleType) -> None:
    text = "answers: [{reply: {say: '', stop_reason: refusal}}]"
    with _served(sdk, text) as (_model, client):
        message = client.messages.create(**_request())
    assert (message.content, message.stop_reason) == ([], "refusal")


def test_counting_models_and_other_paths(sdk: ModuleType) -> None:
    with _served(sdk, "answers: [{reply: {say: x}}]") as (model, client):
        body = _request("word " * 100)
        del body["max_tokens"]
        assert client.messages.count_tokens(**body).input_tokens > 100
        assert "claude-opus-5-5" in [entry.id for entry in client.models.list()]
        assert client.get("/api/hello", cast_to=object) == {}
    assert model.requests == ()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (413, "ContentTooLargeError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (529, "OverloadedError"),
    ],
)
def test_status(sdk: ModuleType, status: int, error: str, stream: bool) -> None:
    text = f"answers: [{{reply: {{fault: {{status: {status}, message: so it is}}}}}}]"
    with _served(sdk, text) as (_model, client), pytest.raises(sdk.APIStatusError) as caught:
        client.messages.create(**_request(stream=stream))
    assert type(caught.value).__name__ == error
    assert caught.value.status_code == status
    assert caught.value.body["error"]["message"] == "so it is"
    assert caught.value.body["type"] == "error"


def test_retry_after_and_times(sdk: ModuleType) -> None:
    text = """
    answers:
      - {times: 2, reply: {fault: {status: 429, retry_after: 0.01}}}
      - {reply: {say: now}}
    """
    with _served(sdk, text, max_retries=2) as (model, client):
        assert client.messages.create(**_request()).content[0].text == "now"
    assert [request.answer for request in model.requests] == [
        "answer at line 3",
        "answer at line 3",
        "answer at line 4",
    ]


@pytest.mark.parametrize(
    ("fault", "stream", "timeout", "error"),
    [
        ("hang", False, 0.3, "APITimeoutError"),
        ("hang", True, 0.3, "APITimeoutError"),
        ("stall", False, 0.3, "APITimeoutError"),
        ("stall", True, 0.3, "ReadTimeout"),  # while a stream is read, they come bare
        ("cut", False, 30.0, "APIConnectionError"),
        ("cut", True, 30.0, "RemoteProtocolError"),
        ("malformed", False, 30.0, "JSONDecodeError"),
        ("malformed", True, 30.0, "JSONDecodeError"),
    ],
)
def test_broken_transport(
    sdk: ModuleType, fault: str, stream: bool, timeout: float, error: str
) -> None:
    text = f"answers: [{{reply: {{fault: {fault}}}}}]"
    for seconds in iter_growing_limits(timeout):
        failure = ""
        with _served(sdk, text, timeout=seconds) as (_model, client):
            try:
                list(client.messages.create(**_request(stream=stream)))
            except Exception as caught:  # noqa: BLE001 -- which one it is, is the question
                failure = type(caught).__name__
        if failure == error or failure != "APITimeoutError":
            break  # else the time limit was reached before anything could break
    assert failure == error


def test_a_web_page_instead_of_an_answer(sdk: ModuleType) -> None:
    with _served(sdk, "answers: [{reply: {fault: html}}]") as (_model, client):
        assert "<h1>" in client.messages.create(**_request())
        assert list(client.messages.create(**_request(stream=True))) == []


def test_cut_keeps_what_came_before(sdk: ModuleType) -> None:
    text = f"answers: [{{reply: {{say: '{'word ' * 1000}', fault: cut}}}}]"
    heard, failure = "", ""
    with (
        _served(sdk, text) as (_model, client),
        client.messages.stream(**_request()) as events,
    ):
        try:
            for piece in events.text_stream:
                heard += piece
        except Exception as caught:  # noqa: BLE001 -- httpx's or httpx2's, as the SDK has it
            failure = str(caught)
    assert "peer closed" in failure
    assert 1000 < len(heard) < 5000


@pytest.mark.parametrize("stream", [False, True])
def test_a_stall_goes_on_with_the_reply(sdk: ModuleType, stream: bool) -> None:
    text = "answers: [{reply: {say: late, delay: 0.05, fault: {kind: stall, seconds: 0.05}}}]"
    with _served(sdk, text) as (_model, client):
        if stream:
            with client.messages.stream(**_request()) as events:
                assert events.get_final_text() == "late"
        else:
            assert client.messages.create(**_request()).content[0].text == "late"


@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_the_end_of_the_server_ends_a_waiting_client(sdk: ModuleType, fault: str) -> None:
    arrived, errors = threading.Event(), list[Exception]()

    def ask(url: str) -> None:
        with sdk.Anthropic(base_url=url, api_key="any", max_retries=0) as client:
            try:
                client.messages.create(**_request())
            except sdk.APIConnectionError as error:
                errors.append(error)

    scenario = parse_scenario(f"answers: [{{reply: {{fault: {fault}}}}}]")
    with ReplayServer(scenario, on_request=lambda _request: arrived.set()) as model:
        thread = threading.Thread(target=ask, args=(model.url,))
        thread.start()
        assert arrived.wait(30)
    thread.join(30)
    assert not thread.is_alive()
    assert len(errors) == 1


def test_many_clients_share_what_is_limited(sdk: ModuleType) -> None:
    text = "answers: [{times: 5, reply: {say: first}}, {reply: {say: rest}}]"
    said: list[str] = []
    with _served(sdk, text) as (model, client):

        def ask() -> None:
            said.append(client.messages.create(**_request()).content[0].text)

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(said) == ["first"] * 5 + ["rest"] * 7
    assert [request.number for request in model.requests] == list(range(1, 13))


def test_a_key_check_uses_nothing_up(sdk: ModuleType) -> None:
    wanted = {"format": {"type": "json_schema", "schema": _SCHEMA}}
    text = "answers: [{times: 1, reply: {say: scripted}}]"
    with _served(sdk, text) as (model, client):
        assert client.messages.create(**_request(max_tokens=1)).content[0].text == "ok"
        shaped = client.messages.create(**_request(max_tokens=1, output_config=wanted))
        assert client.messages.create(**_request()).content[0].text == "scripted"
    assert json.loads(shaped.content[0].text) == {"rule": "replay", "kind": "add"}
    assert [r.speaker for r in model.requests] == [Speaker.SIDE, Speaker.SIDE, Speaker.TEACHER]


def test_no_answer_says_what_came_closest(sdk: ModuleType) -> None:
    text = """
    answers:
      - {name: repair, when: {speaker: agent}, reply: {say: x}}
      - {name: lesson, when: {contains: [ZeroDivisionError, safe], lacks: hello}, reply: {say: x}}
      - {name: spent, times: 1, when: {model: "claude-*"}, reply: {say: x}}
    """
    with _served(sdk, text, "demo.yaml") as (model, client):
        client.messages.create(**_request())
        with pytest.raises(sdk.BadRequestError) as caught:
            client.messages.create(**_request("hello, it is not safe"))
    message = caught.value.body["error"]["message"]
    assert message == (
        "demo.yaml: no answer fits this request: teacher, step 0, claude-haiku-5-5, last text "
        "\"hello, it is not safe\". Closest: answer 'spent' at line 5: used up (times: 1); "
        'answer \'lesson\' at line 4: "ZeroDivisionError" is missing, "hello" is there; '
        "answer 'repair' at line 3: speaker is teacher, not agent"
    )
    assert [request.mismatch for request in model.unanswered_requests] == [message]


def test_a_placeholder_that_the_request_does_not_give(sdk: ModuleType) -> None:
    text = "answers: [{reply: {say: 'in ${cwd}'}}]"
    unnamed = pytest.raises(sdk.BadRequestError, match=r"the request names no \$\{cwd\}")
    with _served(sdk, text) as (model, client), unnamed:
        client.messages.create(**_request())
    assert len(model.unanswered_requests) == 1


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b'{"model": "m"}', b'{"messages": "hi"}']
)
def test_a_body_that_is_no_request(sdk: ModuleType, body: bytes) -> None:
    text = "answers: [{reply: {say: x}}]"
    with _served(sdk, text) as (model, client), pytest.raises(sdk.BadRequestError):
        client.post("/v1/messages", cast_to=object, content=body)
    assert model.requests == ()


def test_odd_shapes_are_survived(sdk: ModuleType) -> None:
    odd = _request(tools=[1], system=[None, 3], output_config=[])
    odd["messages"] = [7, {"role": "user"}, {"role": "user", "content": [None, {"text": ["a"]}]}]
    with _served(sdk, "answers: [{reply: {say: fine}}]") as (_model, client):
        answer = client.post("/v1/messages", cast_to=object, body=odd)
    assert answer["content"][0]["text"] == "fine"
