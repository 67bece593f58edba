"""Workflows as a person has them in n8n: of some version, edited, saved by the editor."""

from __future__ import annotations

import copy
import json
from typing import Any

from teacher.workflow import WORKFLOW_VERSION, Workflow, build_webhook_workflow, digest_setting
from teacher.workflow_export import ExportedWorkflow

UNSHIPPED = ("version", "shipped", "asked")


def ship(workflow: Workflow | None = None, version: int = WORKFLOW_VERSION) -> Workflow:
    """Return a workflow with the version, and the digests of what it has in its settings."""
    shipped = copy.deepcopy(workflow or build_webhook_workflow())
    values = ExportedWorkflow(shipped).values
    digests = {
        name: digest_setting(value) for name, value in values.items() if name not in UNSHIPPED
    }
    set_value(shipped, "version", version, "number")
    return set_value(shipped, "shipped", json.dumps(digests), "object")


def strip_version(workflow: Workflow | None = None) -> Workflow:
    """Return a workflow of the first version, which has neither version nor digests."""
    first = copy.deepcopy(workflow or build_webhook_workflow())
    node = ExportedWorkflow(first).settings_node
    assignments = node["parameters"]["assignments"]
    assignments["assignments"] = [
        each for each in assignments["assignments"] if each["name"] not in ("version", "shipped")
    ]
    return first


def set_value(workflow: Workflow, name: str, value: object, type_: str = "string") -> Workflow:
    """Edit a setting in place, or add it."""
    export = ExportedWorkflow(workflow)
    if name in export.assignments:
        export.assignments[name]["value"] = value
    else:
        rows = export.settings_node["parameters"]["assignments"]["assignments"]
        rows.append({"id": name, "name": name, "value": value, "type": type_})
    return workflow


def save_in_editor(workflow: Workflow) -> Workflow:
    """Return a workflow as n8n's editor downloads it: with other ids, and without its settings."""
    saved = copy.deepcopy(workflow)
    saved |= {"id": "aBcDeFgHiJkLmNoP", "name": "Teacher of the shop", "tags": [], "active": True}
    saved["settings"] = {"executionOrder": "v1", "binaryMode": "separate"}
    for node in saved["nodes"]:
        node["position"] = [node["position"][0] + 20, node["position"][1]]
        for kind in node.get("credentials", {}):
            node["credentials"][kind] = {"id": f"own-{kind}", "name": f"my {kind}"}
        if node["parameters"].get("resource") == "row":
            del node["parameters"]["resource"]
    return saved


def find_node(workflow: Workflow, type_: str) -> dict[str, Any]:
    """Return the first node of a type."""
    found: dict[str, Any] = next(
        node for node in workflow["nodes"] if node["type"].endswith(f".{type_}")
    )
    return found
