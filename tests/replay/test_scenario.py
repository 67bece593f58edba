"""Scenarios as written, as read, and as complained about."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.replay import (
    Answer,
    Fault,
    FaultKind,
    RecordedRequest,
    ReplayServer,
    Reply,
    Scenario,
    ScenarioError,
    Speaker,
    Tokens,
    ToolCall,
    When,
    load_scenario,
    parse_scenario,
)
from orchestrator.replay.choosing import find_mismatches
from orchestrator.replay.scenario import fill_placeholders


def test_everything_that_can_be_written() -> None:
    scenario = parse_scenario(
        """
        description: all of it
        answers:
          - name: first
            when:
              speaker: agent
              step: 2
              contains: one
              lacks: [two, three]
              last_contains: [four]
              model: claude-*
            times: 3
            reply:
              say: words
              tools: [{name: Edit, input: {n: 1}}]
              stop_reason: max_tokens
              usage: {input: 1, output: 2, cache_read: 3, cache_write: 4}
              fault: {kind: stall, seconds: 5}
              delay: 0.5
          - reply: {json: [1, {a: null}]}
        """,
        "all.yaml",
    )
    first, second = scenario.answers
    assert first.when == When(Speaker.AGENT, 2, ("one",), ("two", "three"), ("four",), "claude-*")
    assert first.reply == Reply(
        "words",
        (ToolCall("Edit", {"n": 1}),),
        None,
        "max_tokens",
        Tokens(1, 2, 3, 4),
        Fault(FaultKind.STALL, seconds=5.0),
        0.5,
    )
    assert (first.name, first.times, first.line) == ("first", 3, 4)
    assert second == Answer(Reply(json=[1, {"a": None}]), line=20)


def test_steps_are_answers_for_one_step_each() -> None:
    text = "answers: [{name: do, times: 2, when: {contains: x}, steps: [{say: a}, {fault: 529}]}]"
    a, b = parse_scenario(text).answers
    assert (a.when, b.when) == (When(step=0, contains=("x",)), When(step=1, contains=("x",)))
    assert (a.reply, b.reply) == (Reply("a"), Reply(fault=Fault(FaultKind.STATUS, 529)))
    assert (a.times, b.times) == (2, 2)


def test_yaml_merges_share_conditions() -> None:
    scenario = parse_scenario(
        """
        answers:
          - when: &agent {speaker: agent, model: a}
            reply: {say: a}
          - when: {<<: *agent, model: b}
            reply: {say: b}
        """
    )
    assert scenario.answers[1].when == When(Speaker.AGENT, model="b")


_REPLY = "reply: {say: x}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: scenario must be a mapping with `description`, `answers`"),
        ("answers: []", "line 1: scenario: `answers` must be a list with at least one item"),
        ("answers: [x]", "line 1: answer 1 must be a mapping with `name`,"),
        ("answer: []", "line 1: scenario: `answer` is not a key here; did you mean `answers`?"),
        ("answers:\n- when: {}", "line 2: answer 1 needs either `reply` or `steps`"),
        (f"answers:\n- {_REPLY}\n  tmes: 1", "line 3: answer 1: `tmes` is not a key here; did"),
        (
            f"answers:\n- {_REPLY}\n  times: 0",
            "line 3: answer 1: `times` must be greater than or equal to 1",
        ),
        (
            f"answers:\n- {_REPLY}\n  times: yes",
            "line 3: answer 1: `times` must be a valid integer",
        ),
        (f"answers:\n- {_REPLY}\n  when: {{speaker: me}}", "when: `speaker` must be 'agent', "),
        (f"answers:\n- {_REPLY}\n  when: {{speaker: [a]}}", "'teacher' or 'side', not ['a']"),
        (
            f"answers:\n- {_REPLY}\n  when: {{contains: [1]}}",
            "when: `contains` must be a valid str",
        ),
        (f"answers:\n- {_REPLY}\n  when: {{lacks: ''}}", "answer 1, when: `lacks` must not be em"),
        (f"answers:\n- {_REPLY}\n  when: agent", "answer 1: `when` must be a mapping with"),
        ("answers: [{when: {step: 1}, steps: [{say: x}]}]", "`steps` sets the step itself; remove"),
        ("answers: [{steps: [{say: x}, {sy: x}]}]", "answer 1, step 1: `sy` is not a key here"),
        ("answers: [{reply: {}}]", "answer 1: `reply` says nothing: give `say`"),
        ("answers: [{reply: {say: 1}}]", "`say` must be a valid string, not 1; put it in quotes"),
        ("answers: [{reply: {say: x, json: {}}}]", "`json` goes with neither `say` nor `tools`"),
        ("answers: [{reply: {json: }}]", "`json` is empty"),
        ("answers: [{reply: {json: {d: 2026-01-01}}}]", "which JSON does not have; put it in"),
        ("answers: [{reply: {json: [.nan]}}]", "`json` holds nan, which JSON does not have"),
        ("answers: [{reply: {tools: [{input: {}}]}}]", "reply, tool 1: `name` is missing"),
        ("answers: [{reply: {tools: [{name: a, input: 3}]}}]", "`input` must be a mapping"),
        (
            "answers: [{reply: {say: x, stop_reason: done}}]",
            "`stop_reason` must be 'end_turn', 'max",
        ),
        ("answers: [{reply: {say: x, usage: {input: -1}}}]", "usage: `input` must be greater than"),
        ("answers: [{reply: {say: x, delay: .inf}}]", "`delay` must be a finite number"),
        ("answers: [{reply: {fault: 418}}]", "`status` is 418; known are 400, 401"),
        ("answers: [{reply: {fault: boom}}]", "`kind` must be 'status', 'stall', 'hang'"),
        ("answers: [{reply: {fault: status}}]", "`fault` needs a `status`, or a `kind`"),
        ("answers: [{reply: {fault: {status: 500, seconds: 1}}}]", "`seconds` does not go with"),
        ("answers: [{reply: {fault: {kind: cut, retry_after: 1}}}]", "`retry_after` does not go"),
        ("answers: [{reply: {say: x, fault: 500}}]", "`fault` is status, which sends nothing"),
        ("answers:\n- reply: {say: x}\n  reply: {say: y}", "line 3: not YAML: the key `reply`"),
        (
            f"answers:\n- {_REPLY}\n  when:\n    contains: {{}}",
            "line 4: answer 1, when: `contains`",
        ),
        (f"answers:\n- {_REPLY}\n  when:", "line 3: answer 1: `when` is empty; give it a value"),
        (
            "answers:\n- reply:\n    json:\n      a:\n      - .inf",
            "line 4: answer 1, reply: `json`",
        ),
        (
            "answers:\n- reply:\n    fault:\n      sattus: 1",
            "line 4: answer 1, reply, fault: `sattus`",
        ),
        ("answers: [", "line 1: not YAML:"),
        ("answers:\n\t- x", "line 2: not YAML:"),
        ("a\x00b", "not YAML:"),
        ("answers: [{reply: &x {json: *x}}]", "not YAML: found"),
        ("answers: [{reply: !!python/name:os.system {}}]", "not YAML: could not determine"),
    ],
)
def test_complaints_name_place_and_key(text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "it.yaml")
    assert str(caught.value).startswith("it.yaml")
    assert complaint in str(caught.value)
    assert isinstance(caught.value, UsageError)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"answers: [{reply: {say: \xe4}}]")
    for name in ("missing.yaml", "latin.yaml", "."):
        with pytest.raises(ScenarioError, match="cannot read the scenario"):
            load_scenario(tmp_path / name)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
    st.lists(inner) | st.dictionaries(st.sampled_from(["answers", "reply", "when", "say"]), inner)
)))  # fmt: skip
def test_any_yaml_is_a_scenario_or_a_complaint(document: object) -> None:
    try:
        scenario = parse_scenario(yaml.safe_dump(document))
    except ScenarioError:
        return
    assert scenario.answers


@given(st.text(), st.text())
def test_placeholders_are_replaced_once(value: str, words: str) -> None:
    """A value that looks like a placeholder stays what it is."""
    safe = words.replace("$", "")
    reply = Reply(safe + "${v}$${v}${v%x}$v", (ToolCall("t", {"a": ["${v}", 1]}),), None)
    filled = fill_placeholders(reply, {"v": value})
    assert filled.say == safe + value + "${v}${v%x}$v"
    assert filled.tools[0].input == {"a": [value, 1]}


def test_an_unknown_placeholder_is_found_before_serving() -> None:
    scenario = parse_scenario("answers:\n- reply: {json: {deep: ['${project}']}}", "it.yaml")
    with pytest.raises(ScenarioError) as caught:
        ReplayServer(scenario, variables={"python": "x"})
    assert str(caught.value) == (
        "it.yaml: answer at line 2: unknown placeholder ${project} (known placeholders: "
        "cwd, model, python; write $${project} for the literal text)"
    )


def test_an_answer_without_a_file_is_called_by_its_number() -> None:
    answers = (Answer(Reply("a")), Answer(Reply("b")), Answer(Reply("c"), name="named"))
    scenario = Scenario(answers)
    assert [scenario.label_answer(answer) for answer in answers] == [
        "answer 1",
        "answer 2",
        "answer 'named'",
    ]


def test_a_port_that_is_taken() -> None:
    scenario = Scenario((Answer(Reply("a")),))
    with ReplayServer(scenario) as model:
        second = ReplayServer(scenario, port=int(model.url.rpartition(":")[2]))
        with pytest.raises(InfrastructureError, match="cannot listen"):
            second.__enter__()
    with pytest.raises(RuntimeError, match="not running"):
        assert model.url


# ---- requests ------------------------------------------------------------------------------


def _turn(role: str, *blocks: object) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def _conversation(agent: str = "claude-cli/2.1") -> RecordedRequest:
    def use(identity: str) -> dict[str, Any]:
        command = {"command": "pytest -q"}
        return {"type": "tool_use", "id": identity, "name": "Bash", "input": command}

    result = {"type": "tool_result", "tool_use_id": "1", "content": "1 failed"}
    nested = {**result, "content": [{"type": "text", "text": "2\n  failed"}]}
    environment = "# Environment\n - Primary working directory: /a b/c \n - Platform: linux"
    return RecordedRequest(
        {
            "model": "claude-opus-5-5",
            "system": [{"type": "text", "text": "You are an agent."}],
            "tools": [{"name": "Bash"}],
            "messages": [
                _turn("user", {"type": "text", "text": "Primary working directory: /no\nrepair"}),
                {"role": "system", "content": environment},
                _turn("assistant", {"type": "text", "text": "I look."}, use("1"), use("2")),
                _turn("user", result),
                _turn("assistant", {"type": "text", "text": "Hm."}),
                _turn("assistant", use("3")),
                _turn("user", nested),
                {"role": "system", "content": "a reminder"},
            ],
        },
        user_agent=agent,
    )


def test_what_a_request_tells() -> None:
    request = _conversation()
    assert (request.step, request.cwd, request.tools) == (2, "/a b/c", ("Bash",))
    assert request.speaker is Speaker.AGENT
    assert request.last_text == "2\n  failed"
    for part in ("You are an agent.", "repair", "pytest -q", "1 failed", "a reminder"):
        assert part in request.text


@pytest.mark.parametrize(
    ("body", "agent", "speaker"),
    [
        ({"tools": [{"name": "Bash"}]}, "claude-cli/2.1", Speaker.AGENT),
        ({"tools": [{"name": "Bash"}]}, "Anthropic/Python 2", Speaker.AGENT),
        ({"tools": []}, "claude-cli/2.1", Speaker.SIDE),
        ({"max_tokens": 1}, "n8n", Speaker.SIDE),
        ({"max_tokens": 2}, "n8n", Speaker.TEACHER),
    ],
)
def test_speaker(body: dict[str, Any], agent: str, speaker: Speaker) -> None:
    assert RecordedRequest(body, user_agent=agent).speaker is speaker


@pytest.mark.parametrize(
    ("when", "reasons"),
    [
        (When(), []),
        (When(speaker=Speaker.AGENT, step=2, model="claude-o*"), []),
        (When(contains=("1 failed", "2 failed"), last_contains=("2  failed",)), []),
        (When(lacks=("3 failed",)), []),
        (When(speaker=Speaker.TEACHER), ["speaker is agent, not teacher"]),
        (When(step=0), ["step is 2, not 0"]),
        (When(model="*haiku*"), ["model is claude-opus-5-5, not *haiku*"]),
        (When(contains=("3 failed", "repair")), ['"3 failed" is missing']),
        (When(lacks=("repair",)), ['"repair" is there']),
        (When(last_contains=("1 failed",)), ['"1 failed" is not in the last message']),
    ],
)
def test_conditions(when: When, reasons: list[str]) -> None:
    assert find_mismatches(when, _conversation()) == reasons
