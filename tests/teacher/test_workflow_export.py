"""Exported workflows and credentials, good and bad."""

from __future__ import annotations

import json
from typing import Any

import pytest

from teacher.workflow import WORKFLOW_VERSION, build_credentials, build_mcp_workflow
from teacher.workflow_export import (
    ExportedWorkflow,
    ExportError,
    find_workflow,
    has_open_token,
    is_credentials,
    list_saved_kinds,
    parse_export,
)
from tests.teacher.exports import set_value, ship, strip_version

OLD_TOKEN = "={{ 'Bearer ' + $env.N8N_WEBHOOK_TOKEN }}"
OTHER = {"name": "Other", "nodes": [{"name": "A", "type": "n8n-nodes-base.set", "parameters": {}}]}


def read(value: object) -> ExportedWorkflow:
    return find_workflow(parse_export(json.dumps(value)))


def test_an_object_and_an_array_of_one_are_read() -> None:
    workflow = ship()
    assert read(workflow).content == read([workflow]).content == workflow
    assert find_workflow(parse_export("\ufeff" + json.dumps(workflow))).content == workflow


def test_the_workflow_is_found_among_others() -> None:
    workflow = ship()
    assert read([OTHER, workflow]).content == workflow


def test_the_variant_is_recognized_by_its_trigger() -> None:
    assert not read(ship()).is_mcp
    assert read(ship(build_mcp_workflow())).is_mcp


def test_the_node_with_the_settings_may_have_another_name() -> None:
    workflow = ship()
    ExportedWorkflow(workflow).settings_node["name"] = "My settings"
    assert read(workflow).settings_node["name"] == "My settings"


@pytest.mark.parametrize(
    ("value", "version"),
    [(2, 2), ("3", 3), (" 4 ", 4), ("", 1), ("two", 1), (None, 1), (True, 1), (-1, 1), (2.5, 1)],
)
def test_versions(value: object, version: int) -> None:
    assert read(set_value(ship(), "version", value)).version == version


def test_a_workflow_without_a_version_is_of_the_first() -> None:
    first = read(strip_version())
    assert first.version == 1
    assert not first.is_edited("model")
    assert read(set_value(first.content, "model", "another")).is_edited("model")
    assert read(ship()).version == WORKFLOW_VERSION


@pytest.mark.parametrize("value", ["", "no JSON", "[" * 100_000, 3, "[1]", '"text"'])
def test_digests_that_cannot_be_read_are_none(value: object) -> None:
    assert read(set_value(ship(), "shipped", value)).shipped == {}


def test_a_setting_is_edited_if_its_value_is_not_the_shipped_one() -> None:
    workflow = ship()
    assert not read(workflow).is_edited("model")
    assert not read(set_value(workflow, "max_tokens", "1024")).is_edited("max_tokens")
    assert read(set_value(workflow, "model", "another")).is_edited("model")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("{", "is not JSON: .* in line 1"),
        ("{\n\n  'a': 1}", "is not JSON: .* in line 3"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "not what n8n exports"),
        ("3", "not what n8n exports"),
        ("[{}, 3]", "not what n8n exports"),
        ("{}", "has no workflow with the node Settings"),
        (json.dumps(OTHER), "has no workflow with the node Settings"),
        ('{"nodes": 3}', "has no workflow with the node Settings"),
        ('{"nodes": [3, {"parameters": []}]}', "has no workflow with the node Settings"),
        ('{"nodes": %s}' % ("[" * 200 + "]" * 200), "nested too deeply"),
        (f'{{"nodes": {"9" * 5000}}}', "a number is too long"),
        ('{"nodes": [NaN]}', "a number"),
        (json.dumps([ship(), ship()]), "has 2 teacher workflows"),
    ],
)
def test_what_is_wrong_with_a_file(text: str, problem: str) -> None:
    with pytest.raises(ExportError, match=problem):
        find_workflow(parse_export(text))


@pytest.mark.parametrize(
    "damage",
    [
        {"nodes": [3]},
        {"nodes": [{"type": "x"}]},
        {"nodes": [{"name": "x", "parameters": []}]},
        {"nodes": [{"name": "x", "credentials": "y"}]},
        {"connections": []},
        {"connections": 3},
        {"settings": "none"},
    ],
)
def test_a_damaged_workflow_is_refused(damage: dict[str, Any]) -> None:
    workflow = ship()
    damaged = {**workflow, **damage}
    if "nodes" in damage:
        damaged["nodes"] = [*workflow["nodes"], *damage["nodes"]]
    if damage == {"connections": []}:  # as good as none
        assert read(damaged).content["connections"] == []
        return
    with pytest.raises(ExportError, match="is damaged"):
        read(damaged)


def test_credentials_are_recognized() -> None:
    assert is_credentials(parse_export(json.dumps(build_credentials())))
    assert not is_credentials([ship()])


@pytest.mark.parametrize(
    ("value", "is_open"),
    [
        (OLD_TOKEN, True),
        ("={{ `Bearer ${$env.N8N_WEBHOOK_TOKEN}` }}", True),
        ("={{ 'Bearer '.concat($vars.token) }}", True),
        ("={{ $env.T ? 'Bearer ' + $env.T : undefined }}", False),
        ("=Bearer {{ $env.N8N_WEBHOOK_TOKEN }}", False),
        ("={{ $env.N8N_WEBHOOK_TOKEN }}", False),
        ("Bearer a-long-random-token", False),
        ("Bearer {{ 'a' + $env.T }}", False),  # no expression without the sign
        ("__n8n_BLANK_VALUE", False),
        (None, False),
    ],
)
def test_a_token_that_a_missing_variable_makes_known(value: object, is_open: bool) -> None:
    credential = {"type": "httpHeaderAuth", "data": {"name": "Authorization", "value": value}}
    assert has_open_token([credential]) is is_open


def test_kinds_of_executions_that_are_not_dropped() -> None:
    assert list_saved_kinds(ship()["settings"]) == []
    assert list_saved_kinds(None) == ["successful", "failed", "manual"]
