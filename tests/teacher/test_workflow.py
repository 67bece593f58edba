"""The workflows as files: made from the texts here, without a secret, every wire joined."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from teacher.models import FailureType
from teacher.prompt import read_shared_prompt, read_type_prompt
from teacher.workflow import Settings, build_mcp_workflow, build_webhook_workflow, render_files

FOLDER = Path(__file__).parents[2] / "n8n"
WORKFLOWS = {"webhook": build_webhook_workflow(), "mcp": build_mcp_workflow()}


def nodes(workflow: dict[str, Any]) -> dict[str, dict[str, Any]]:
    named = {node["name"]: node for node in workflow["nodes"]}
    assert len(named) == len(workflow["nodes"])
    return named


def test_the_files_are_what_is_made_here() -> None:
    assert len(render_files()) == 3
    for name, text in render_files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "python -m teacher.workflow"
    assert {path.name for path in FOLDER.iterdir()} == render_files().keys()


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_every_connection_joins_nodes_and_every_node_is_joined(workflow: dict[str, Any]) -> None:
    known = nodes(workflow)
    joined = set(workflow["connections"])
    for outputs in workflow["connections"].values():
        for ends in (end for output in outputs.values() for end in output):
            joined |= {end["node"] for end in ends}
    notes = {name for name in known if name.startswith("Note")}
    assert joined == known.keys() - notes
    assert len(notes) >= 1


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_expressions_and_scripts_name_nodes_that_are_there(workflow: dict[str, Any]) -> None:
    known = nodes(workflow)
    named = set(re.findall(r"\$\('([^']+)'\)", json.dumps(workflow)))
    assert named >= {"Question"}
    missing = named - known.keys()
    assert missing == set()


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_prompts_are_those_of_the_local_teacher(workflow: dict[str, Any]) -> None:
    settings = nodes(workflow)["Settings"]["parameters"]["assignments"]["assignments"]
    values = {setting["name"]: setting["value"] for setting in settings}
    assert values["prompt_shared"] == read_shared_prompt()
    for type_ in FailureType:
        assert values[f"prompt_{type_}"] == read_type_prompt(type_)


def test_model_and_prompts_can_be_others(tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_text("Look at the queue.\n", encoding="utf-8")
    settings = Settings("claude-haiku-5-5", 2048, {FailureType.WORKFLOW_ERROR: str(path)})
    assignments = nodes(build_webhook_workflow(settings))["Settings"]["parameters"]["assignments"]
    values = {each["name"]: each["value"] for each in assignments["assignments"]}
    assert values["model"] == "claude-haiku-5-5"
    assert values["max_tokens"] == 2048
    assert values["prompt_workflow_error"] == "Look at the queue."


def test_every_secret_is_an_expression() -> None:
    credentials = json.loads((FOLDER / "credentials.json").read_text(encoding="utf-8"))
    assert len(credentials) == 2
    secrets = [each["data"].get("value") or each["data"]["apiKey"] for each in credentials]
    assert all(secret.startswith("={{ ") and "$env." in secret for secret in secrets)


def test_both_doors_want_a_token() -> None:
    doors = [
        nodes(WORKFLOWS["webhook"])["Webhook"],
        nodes(WORKFLOWS["mcp"])["MCP Server Trigger"],
    ]
    assert [door["parameters"]["authentication"] for door in doors] == ["headerAuth"] * 2


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_n8n_is_told_to_drop_each_execution(workflow: dict[str, Any]) -> None:
    settings = workflow["settings"]
    assert settings["saveDataSuccessExecution"] == settings["saveDataErrorExecution"] == "none"
    assert settings["saveManualExecutions"] is False
