"""Scenarios and their placeholders, and the server that plays them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InfrastructureError
from orchestrator.replay import (
    Answer,
    ReplayServer,
    Reply,
    Scenario,
    ScenarioError,
    ToolCall,
    parse_scenario,
)
from orchestrator.replay.scenario import fill_placeholders


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


def test_an_answer_without_a_file_is_named_by_its_number() -> None:
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
