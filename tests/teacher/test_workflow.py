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
from teacher.webhook_replies import NO_TASK_RUNNER
from teacher.workflow import (
    WORKFLOW_VERSION,
    Settings,
    build_mcp_workflow,
    build_webhook_workflow,
    digest_setting,
    format_json,
    render_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[2] / "n8n"
TEMPLATES = Path(__file__).parents[2] / "teacher" / "n8n"
WORKFLOWS = {"webhook": build_webhook_workflow(), "mcp": build_mcp_workflow()}


def nodes(workflow: dict[str, Any]) -> dict[str, dict[str, Any]]:
    named = {node["name"]: node for node in workflow["nodes"]}
    assert len(named) == len(workflow["nodes"])
    return named


def read_settings(workflow: dict[str, Any]) -> dict[str, Any]:
    settings = nodes(workflow)["Settings"]["parameters"]["assignments"]["assignments"]
    return {setting["name"]: setting["value"] for setting in settings}


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
    notes = {name for name, node in known.items() if node["type"].endswith(".stickyNote")}
    assert connected == known.keys() - notes
    assert len(notes) >= 2


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_expressions_and_scripts_name_existing_nodes(workflow: dict[str, Any]) -> None:
    known = nodes(workflow)
    named = set(re.findall(r"\$\('([^']+)'\)", json.dumps(workflow)))
    assert named >= {"Build request", "Settings"}
    missing = named - known.keys()
    assert missing == set()


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_prompts_are_those_of_the_local_teacher(workflow: dict[str, Any]) -> None:
    values = read_settings(workflow)
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
    digests = [read_settings(each)["shipped"] for each in (default, changed)]
    assert list_differences(default, changed) == {
        "claude-sonnet-5-5": "another-model",
        1024: 2048,
        read_type_prompt(FailureType.WORKFLOW_ERROR): path.read_text(encoding="utf-8").strip(),
        digests[0]: digests[1],
    }


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_settings_say_what_they_were_when_they_were_shipped(workflow: dict[str, Any]) -> None:
    values = read_settings(workflow)
    assert values["version"] == WORKFLOW_VERSION
    shipped = json.loads(values["shipped"])
    assert shipped.keys() == values.keys() - {"version", "shipped", "asked"}
    assert all(shipped[name] == digest_setting(values[name]) for name in shipped)


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
    values = read_settings(workflow)
    assert [name for name, value in values.items() if holes.fullmatch(str(value))] == []
    text = json.dumps(workflow)
    assert not [hole for hole in ("<failure_types>", "<version>", "'<", ".js>") if hole in text]


def test_templates_have_holes_where_the_teachers_texts_belong() -> None:
    templates = [path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.glob("prompt-*"))]
    assert len(templates) == 2
    for text in templates:
        holes = set(re.findall(r'"<([a-z_]+(?:\.js)?)>"', text))
        prompts = {f"prompt_{type_}" for type_ in FailureType}
        scripts = {"question.js", "lesson.js", "explain.js"}
        assert holes - {"decide.js"} == prompts | scripts | {
            *("version", "shipped", "model", "max_tokens", "base_url"),
            *("prompt_shared", "outside", "question", "schema"),
        }


def test_every_secret_is_an_expression() -> None:
    credentials = json.loads((FOLDER / "credentials.json").read_text(encoding="utf-8"))
    assert len(credentials) == 2
    secrets = [each["data"].get("value") or each["data"]["apiKey"] for each in credentials]
    assert all(secret.startswith("={{ ") and "$env." in secret for secret in secrets)


def test_the_token_of_n8n_is_nothing_at_all_without_its_variable() -> None:
    """`'Bearer ' + undefined` is a text, which a stranger can send."""
    [token, _] = json.loads((FOLDER / "credentials.json").read_text(encoding="utf-8"))
    assert token["data"]["value"] == (
        "={{ $env.N8N_WEBHOOK_TOKEN?.trim() "
        "? 'Bearer ' + $env.N8N_WEBHOOK_TOKEN.trim() : undefined }}"
    )


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_failures_of_scripts_and_of_claude_are_explained_without_a_script(
    workflow: dict[str, Any],
) -> None:
    """n8n's task runner executes scripts, and may be gone."""
    known = nodes(workflow)
    may_fail = [name for name, node in known.items() if node["type"].endswith(".code")]
    for name in (*may_fail, "Ask Claude"):
        assert known[name]["onError"] == "continueErrorOutput"
        assert [end["node"] for end in workflow["connections"][name]["main"][-1]] == [
            "Explain failure"
        ]
    explain = known["Explain failure"]
    assert explain["type"] == "n8n-nodes-base.set"
    inside = explain["parameters"]["jsonOutput"].removeprefix("={{").removesuffix("}}")
    assert "{{" not in inside
    assert "}}" not in inside, "n8n ends the expression there"
    assert f'"{NO_TASK_RUNNER}' in inside, "the client knows a lost answer by these words"


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_notes_say_what_the_editor_cannot_import(workflow: dict[str, Any]) -> None:
    note = nodes(workflow)["Note set-up"]["parameters"]["content"]
    assert f"version {WORKFLOW_VERSION}" in note
    assert "base_url" in note
    for setting in ("failed production", "successful production", "manual"):
        assert f"*Save {setting} executions*" in note
    assert "*Do not save*" in note
    notes = [node for name, node in nodes(workflow).items() if name.startswith("Note ")]
    texts = "".join(each["parameters"]["content"] for each in notes)
    assert not re.search(r"(?<!`)CLAUDE\.md", texts), "the editor makes a link of it"


@pytest.mark.parametrize("text", ["\x9b31m", "\x7f", "\ud800", "a\u202eb"])
def test_a_file_has_no_character_that_terminals_obey_or_utf_8_has_not(text: str) -> None:
    made = format_json({"prompt": text})
    assert text not in made
    assert made.isascii()
    assert json.loads(made) == {"prompt": text}


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
