"""Scenarios are read from YAML, and each error names the file, the line and the key."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.replay import (
    Answer,
    Fault,
    FaultKind,
    Reply,
    ScenarioError,
    Speaker,
    Tokens,
    ToolCall,
    When,
    load_scenario,
    parse_scenario,
)


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
    ("text", "expected"),
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
        pytest.param("answers: " + 3000 * "[", "nested too deeply", id="deep"),
        pytest.param(
            f"answers: [{{reply: {{json: {700 * '['}{700 * ']'}}}}}]",
            "nested too deeply",
            id="deep json",
        ),
        ("a: 2001-99-99", "not YAML: month must be in 1..12"),
        pytest.param(f"a: {5000 * '9'}", "not YAML: Exceeds the limit", id="digits"),
        ("answers:\n\t- x", "line 2: not YAML:"),
        ("a\x00b", "not YAML:"),
        ("answers: [{reply: &x {json: *x}}]", "not YAML: found"),
        ("answers: [{reply: !!python/name:os.system {}}]", "not YAML: could not determine"),
    ],
)
def test_errors_name_line_path_and_key(text: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "it.yaml")
    assert str(caught.value).startswith("it.yaml")
    assert expected in str(caught.value)
    assert isinstance(caught.value, UsageError)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"answers: [{reply: {say: \xe4}}]")
    for name in ("missing.yaml", "latin.yaml", "."):
        with pytest.raises(ScenarioError, match="cannot read the scenario"):
            load_scenario(tmp_path / name)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
    st.lists(inner) | st.dictionaries(st.sampled_from(["answers", "reply", "when", "say"]), inner)
)))  # fmt: skip
def test_any_yaml_is_a_scenario_or_an_error(document: object) -> None:
    try:
        scenario = parse_scenario(yaml.safe_dump(document))
    except ScenarioError:
        return
    assert scenario.answers
