"""What a person has changed in n8n's editor is found, and survives an update."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from teacher.workflow import Settings, build_mcp_workflow, build_webhook_workflow
from teacher.workflow_changes import Difference, compare_workflows, update_workflow
from teacher.workflow_export import ExportedWorkflow
from tests.teacher.exports import find_node, save_in_editor, set_value, ship, strip_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from teacher.workflow import Workflow

CURRENT = ExportedWorkflow(ship())
VARIANTS = {"webhook": ship(), "mcp": ship(build_mcp_workflow())}


@pytest.mark.parametrize("workflow", VARIANTS.values(), ids=VARIANTS)
def test_a_workflow_that_nobody_has_edited_is_equal(workflow: dict[str, object]) -> None:
    current = ExportedWorkflow(copy.deepcopy(workflow))
    assert compare_workflows(ExportedWorkflow(workflow), current).is_equal


@pytest.mark.parametrize("workflow", VARIANTS.values(), ids=VARIANTS)
def test_what_the_editor_does_to_a_workflow_is_no_change(workflow: dict[str, object]) -> None:
    saved = save_in_editor(workflow)
    found = compare_workflows(ExportedWorkflow(saved), ExportedWorkflow(workflow))
    assert (found.edited, found.renewed, found.unknown, found.nodes) == ((), (), (), ())
    assert found.saved == ("successful", "failed", "manual")
    assert not found.is_equal


def test_an_edited_setting_is_kept_and_an_unedited_one_is_renewed() -> None:
    """`model` is edited in n8n, `prompt_other` is of an earlier program, `outside` is both."""
    exported = ship(set_value(set_value(ship(), "prompt_other", "old"), "outside", "old"), 2)
    set_value(set_value(exported, "model", "claude-haiku-5-5"), "outside", "mine")
    found = compare_workflows(ExportedWorkflow(exported), CURRENT)
    assert [each.name for each in found.edited] == ["model", "outside"]
    assert [each.name for each in found.renewed] == ["prompt_other"]
    updated = ExportedWorkflow(update_workflow(ExportedWorkflow(exported), CURRENT))
    assert updated.values == CURRENT.values | {"model": "claude-haiku-5-5", "outside": "mine"}
    again = compare_workflows(updated, CURRENT)
    assert [each.name for each in again.edited] == ["model", "outside"]


def test_a_configured_model_comes_in_unless_it_was_edited_in_n8n() -> None:
    current = ExportedWorkflow(ship(build_webhook_workflow(Settings("own-model", 2048))))
    exported = set_value(ship(), "max_tokens", 4096)
    updated = ExportedWorkflow(update_workflow(ExportedWorkflow(exported), current))
    assert (updated.values["model"], updated.values["max_tokens"]) == ("own-model", 4096)


def test_what_the_first_version_did_not_ship_is_edited() -> None:
    exported = set_value(strip_version(), "prompt_other", "mine")
    current = ExportedWorkflow(ship(build_webhook_workflow(Settings("own-model"))))
    found = compare_workflows(ExportedWorkflow(exported), current)
    assert [each.name for each in found.edited] == ["prompt_other"]
    assert [each.name for each in found.renewed] == ["model"]
    assert (found.exported_version, found.current_version) == (1, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", "1024"),
        ("prompt_shared", str(CURRENT.values["prompt_shared"]).replace("\n", "\r\n")),
        ("schema", json.dumps(json.loads(str(CURRENT.values["schema"])), indent=4)),
        ("schema", json.loads(str(CURRENT.values["schema"]))),
    ],
)
def test_another_form_of_the_same_value_is_no_change(name: str, value: object) -> None:
    exported = set_value(ship(), name, value)
    assert compare_workflows(ExportedWorkflow(exported), CURRENT).is_equal


def test_a_setting_of_ones_own_is_named() -> None:
    exported = set_value(ship(), "my_note", "x")
    assert compare_workflows(ExportedWorkflow(exported), CURRENT).unknown == ("my_note",)


def test_nodes_that_were_added_changed_and_removed() -> None:
    exported = ship()
    request = find_node(exported, "httpRequest")
    request["parameters"]["options"]["timeout"] = 1
    request["onError"] = "stopWorkflow"
    gone = find_node(exported, "code")["name"]
    exported["nodes"] = [node for node in exported["nodes"] if node["name"] != gone]
    exported["nodes"].append({"name": "Send mail", "type": "n8n-nodes-base.emailSend"})
    found = compare_workflows(ExportedWorkflow(exported), CURRENT)
    changes = {each.name: (each.difference, each.keys, each.is_own) for each in found.nodes}
    assert changes == {
        request["name"]: (Difference.CHANGED, ("onError", "options"), True),
        "Send mail": (Difference.ONLY_EXPORTED, (), True),
        gone: (Difference.ONLY_CURRENT, (), True),
    }


def test_another_wire_is_a_change() -> None:
    exported = ship()
    exported["connections"].pop(next(iter(exported["connections"])))
    [change] = compare_workflows(ExportedWorkflow(exported), CURRENT).nodes
    assert (change.name, change.difference) == ("connections", Difference.CHANGED)


def test_a_trigger_without_authentication_is_named_and_stays_as_it_is() -> None:
    exported = ship()
    find_node(exported, "webhook")["parameters"].pop("authentication")  # the editor's default
    found = compare_workflows(ExportedWorkflow(exported), CURRENT)
    assert found.open_triggers == (find_node(exported, "webhook")["name"],)


def test_an_update_keeps_what_belongs_to_the_persons_n8n() -> None:
    exported = save_in_editor(ship())
    exported["settings"] |= {"timezone": "Europe/Vienna", "saveManualExecutions": True}
    trigger = find_node(exported, "webhook")
    trigger["parameters"] |= {"path": "shop", "options": {"ipWhitelist": "10.0.0.1"}}
    trigger["webhookId"] = "own-id"
    updated = update_workflow(ExportedWorkflow(exported), CURRENT)
    assert (updated["id"], updated["name"]) == ("aBcDeFgHiJkLmNoP", "Teacher of the shop")
    new = find_node(updated, "webhook")
    assert new["parameters"]["path"] == "shop"
    assert new["parameters"]["options"] == {"ipWhitelist": "10.0.0.1"}
    assert new["webhookId"] == "own-id"
    assert new["credentials"] == trigger["credentials"]
    request = find_node(updated, "httpRequest")
    assert request["credentials"]["anthropicApi"]["id"] == "own-anthropicApi"
    assert updated["settings"] == CURRENT.content["settings"] | {
        "timezone": "Europe/Vienna",
        "binaryMode": "separate",
    }
    found = compare_workflows(ExportedWorkflow(updated), CURRENT)
    assert found.is_equal


def test_an_update_changes_neither_of_its_arguments() -> None:
    exported = set_value(save_in_editor(ship()), "model", "mine")
    before = (copy.deepcopy(exported), copy.deepcopy(CURRENT.content))
    update_workflow(ExportedWorkflow(exported), CURRENT)
    assert (exported, CURRENT.content) == before


def read_first_version(*, mcp: bool) -> ExportedWorkflow:
    """Return a workflow as version 1 shipped it."""
    text = Path(__file__).with_name("version_1.json").read_text(encoding="utf-8")
    found = [ExportedWorkflow(each) for each in json.loads(text)]
    return next(each for each in found if each.is_mcp is mcp)


@pytest.mark.parametrize("variant", VARIANTS)
def test_nodes_that_the_first_version_had_are_no_edits(variant: str) -> None:
    exported = read_first_version(mcp=variant == "mcp")
    found = compare_workflows(exported, ExportedWorkflow(VARIANTS[variant]))
    assert (found.exported_version, found.unknown, found.open_triggers) == (1, (), ())
    assert len(found.nodes) > 5
    assert [each.name for each in found.nodes if each.is_own is not False] == []


@pytest.mark.parametrize("save", [dict, save_in_editor])
def test_an_edited_node_of_the_first_version_stands_out(save: Callable[..., Workflow]) -> None:
    exported = read_first_version(mcp=False)
    exported.nodes["Claude"]["parameters"]["options"]["timeout"] = 90_000
    found = compare_workflows(ExportedWorkflow(save(exported.content)), CURRENT)
    assert [each.name for each in found.nodes if each.is_own] == ["Claude"]


def test_the_first_version_is_updated() -> None:
    exported = ExportedWorkflow(save_in_editor(read_first_version(mcp=False).content))
    set_value(exported.content, "prompt_other", "mine")
    updated = ExportedWorkflow(update_workflow(exported, CURRENT))
    assert (updated.version, updated.values["prompt_other"]) == (2, "mine")
    assert updated.nodes.keys() == CURRENT.nodes.keys()
    assert updated.content["id"] == exported.content["id"]
    request = find_node(updated.content, "httpRequest")
    assert request["credentials"]["anthropicApi"]["id"] == "own-anthropicApi"


def test_nodes_of_a_version_that_is_not_known_may_be_edits() -> None:
    exported = set_value(ship(), "version", 99)
    find_node(exported, "code")["parameters"]["jsCode"] = "return []"
    [change] = compare_workflows(ExportedWorkflow(exported), CURRENT).nodes
    assert change.is_own is None


@pytest.mark.parametrize("outputs", [3, True, "main", {"a": 1}, [3], [True], [None], [[3]], None])
def test_connections_that_are_none_are_a_difference(outputs: object) -> None:
    exported = ship()
    exported["connections"]["Webhook"] = {"main": outputs}
    [change] = compare_workflows(ExportedWorkflow(exported), CURRENT).nodes
    assert change.name == "connections"
