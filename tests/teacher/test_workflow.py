"""The workflows: filled from the teacher's texts, without a secret, every node connected."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from teacher.errors import TeacherMisconfigured
from teacher.models import FailureType
from teacher.prompt import read_shared_prompt, read_type_prompt
from teacher.workflow import Settings, build_mcp_workflow, build_webhook_workflow, render_files

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[2] / "n8n"
TEMPLATES = Path(__file__).parents[2] / "teacher" / "n8n"
WORKFLOWS = {"webhook": build_webhook_workflow(), "mcp": build_mcp_workflow()}


def nodes(workflow: dict[str, Any]) -> dict[str, dict[str, Any]]:
    named = {node["name"]: node for node in workflow["nodes"]}
    assert len(named) == len(workflow["nodes"])
    return named


def test_the_shipped_files_are_current() -> None:
    assert len(render_files()) == 3
    for name, text in render_files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "python -m teacher.workflow"
    assert {path.name for path in FOLDER.iterdir()} == render_files().keys()


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_every_connection_is_valid_and_every_node_is_connected(workflow: dict[str, Any]) -> None:
    known = nodes(workflow)
    connected = set(workflow["connections"])
    for outputs in workflow["connections"].values():
        for ends in (end for output in outputs.values() for end in output):
            connected |= {end["node"] for end in ends}
    notes = {name for name in known if name.startswith("Note")}
    assert connected == known.keys() - notes
    assert len(notes) >= 1


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_expressions_and_scripts_name_existing_nodes(workflow: dict[str, Any]) -> None:
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


@pytest.mark.parametrize("build", [build_webhook_workflow, build_mcp_workflow])
def test_settings_change_their_values_and_nothing_else(
    build: Callable[[Settings | None], dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "mine.md"
    path.write_text('Look at "the\\queue" of {{ $json }}.\n\n<model>\n', encoding="utf-8")
    settings = Settings("another-model", 2048, {FailureType.WORKFLOW_ERROR: str(path)})
    changed, default = build(settings), build(None)
    assert list_differences(default, changed) == {
        "claude-sonnet-5-5": "another-model",
        1024: 2048,
        read_type_prompt(FailureType.WORKFLOW_ERROR): path.read_text(encoding="utf-8").strip(),
    }


def list_differences(one: Any, other: Any) -> dict[Any, Any]:
    """Return the values of one JSON document that differ in another one of the same form."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        pairs = [(one[key], other[key]) for key in one]
    elif isinstance(one, list):
        pairs = list(zip(one, other, strict=True))
    else:
        return {} if (type(one), one) == (type(other), other) else {one: other}
    return {key: value for each in pairs for key, value in list_differences(*each).items()}


@pytest.mark.parametrize("build", [build_webhook_workflow, build_mcp_workflow])
def test_a_prompt_that_is_missing_is_an_error(
    build: Callable[[Settings], dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(TeacherMisconfigured, match=r"failure_prompts\.other"):
        build(Settings(prompts={FailureType.OTHER: str(tmp_path / "missing.md")}))


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_no_hole_is_left(workflow: dict[str, Any]) -> None:
    holes = re.compile(r"<[a-z_]+(\.js)?>")
    for node in workflow["nodes"]:
        assert holes.fullmatch(node["parameters"].get("jsCode", "")) is None
    settings = nodes(workflow)["Settings"]["parameters"]["assignments"]["assignments"]
    assert [each["name"] for each in settings if holes.fullmatch(str(each["value"]))] == []
    assert "<failure_types>" not in json.dumps(workflow)


def test_templates_have_holes_where_the_teachers_texts_belong() -> None:
    templates = [path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.glob("prompt-*"))]
    assert len(templates) == 2
    for text in templates:
        holes = set(re.findall(r'"<([a-z_]+(?:\.js)?)>"', text))
        prompts = {f"prompt_{type_}" for type_ in FailureType}
        scripts = {"question.js", "lesson.js", "cause.js"}
        assert holes - {"decide.js"} == prompts | scripts | {
            *("model", "max_tokens", "prompt_shared", "outside", "question", "schema")
        }


def test_every_secret_is_an_expression() -> None:
    credentials = json.loads((FOLDER / "credentials.json").read_text(encoding="utf-8"))
    assert len(credentials) == 2
    secrets = [each["data"].get("value") or each["data"]["apiKey"] for each in credentials]
    assert all(secret.startswith("={{ ") and "$env." in secret for secret in secrets)


def test_both_triggers_require_a_token() -> None:
    triggers = [
        nodes(WORKFLOWS["webhook"])["Webhook"],
        nodes(WORKFLOWS["mcp"])["MCP Server Trigger"],
    ]
    assert [trigger["parameters"]["authentication"] for trigger in triggers] == ["headerAuth"] * 2


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_n8n_is_configured_to_drop_each_execution(workflow: dict[str, Any]) -> None:
    settings = workflow["settings"]
    assert settings["saveDataSuccessExecution"] == settings["saveDataErrorExecution"] == "none"
    assert settings["saveManualExecutions"] is False
