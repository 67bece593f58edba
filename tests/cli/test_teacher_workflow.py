"""`teacher workflow --diff` and `--update`, with files as n8n exports them."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from teacher.workflow import build_credentials, build_mcp_workflow
from teacher.workflow_export import ExportedWorkflow
from tests.cli.conftest import Call, CommandResult
from tests.teacher.exports import find_node, save_in_editor, set_value, ship, strip_version

if TYPE_CHECKING:
    from pathlib import Path

OPEN_TOKEN = "={{ 'Bearer ' + $env.N8N_WEBHOOK_TOKEN }}"

Workflow = Callable[..., CommandResult]


@pytest.fixture
def workflow(call: Call, project: Path, tmp_path: Path) -> Workflow:
    """Run `teacher workflow` with an export."""

    def run(flag: str, export: Any, *words: str) -> CommandResult:
        file = tmp_path / "export.json"
        text = export if isinstance(export, str) else json.dumps(export)
        file.write_text(text, encoding="utf-8")
        return call("teacher", "workflow", flag, file, "--project-dir", project, *words)

    return run


@pytest.fixture
def printed(call: Call, project: Path) -> dict[str, Any]:
    """What `teacher workflow` prints."""
    value: dict[str, Any] = json.loads(call("teacher", "workflow", "--project-dir", project).out)
    return value


def test_what_is_printed_does_not_differ(workflow: Workflow, printed: dict[str, Any]) -> None:
    for export in (printed, [printed]):
        found = workflow("--diff", export)
        assert (found.code, found.err) == (0, "")
        assert found.out.startswith("no difference: version ")
        updated = workflow("--update", export)
        assert (updated.code, json.loads(updated.out)) == (0, printed)
        assert "kept settings: none, because none is edited" in updated.err


def test_the_other_variant_is_recognized(workflow: Workflow) -> None:
    assert workflow("--diff", build_mcp_workflow()).code == 0


def test_edits_are_shown_and_kept(workflow: Workflow, printed: dict[str, Any]) -> None:
    edited = save_in_editor(printed)
    old = str(ExportedWorkflow(edited).values["prompt_other"])
    set_value(set_value(edited, "model", "own-model"), "prompt_other", f"First line.\n{old}")
    edited["nodes"].append({"name": "Send mail", "type": "n8n-nodes-base.emailSend"})
    find_node(edited, "code")["parameters"]["jsCode"] += "\n// mine"
    found = workflow("--diff", [edited])
    assert found.code == 1
    assert "settings edited in n8n; --update keeps these:" in found.out
    assert "  model: own-model in the export, claude-sonnet-5-5 here\n" in found.out
    assert "    +First line.\n" in found.out
    assert f"  {find_node(edited, 'code')['name']}: jsCode\n" in found.out
    assert "  Send mail (only in the export)\n" in found.out
    assert "! n8n may save successful, failed, manual executions" in found.out
    updated = workflow("--update", [edited])
    assert "kept settings: model, prompt_other" in updated.err
    assert "  Send mail (only in the export)\n" in updated.err
    new = ExportedWorkflow(json.loads(updated.out))
    assert new.values["model"] == "own-model"
    assert str(new.values["prompt_other"]).startswith("First line.\n")
    assert (new.content["id"], new.content["name"]) == (edited["id"], "Teacher of the shop")
    assert "Send mail" not in new.nodes


def test_a_configured_prompt_comes_in_where_nobody_has_edited_it(
    workflow: Workflow, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEACHER_MAX_TOKENS", "2048")
    found = workflow("--diff", ship())
    assert "settings changed here; --update brings these:" in found.out
    assert "  max_tokens: 1024 in the export, 2048 here\n" in found.out
    updated = workflow("--update", ship())
    assert "new settings: max_tokens" in updated.err
    assert ExportedWorkflow(json.loads(updated.out)).values["max_tokens"] == 2048


def test_secrets_and_control_characters_are_not_printed(workflow: Workflow) -> None:
    edited = set_value(ship(), "model", "https://user:hidden-pass-77@host/\x1b[31m")
    found = workflow("--diff", edited)
    assert found.code == 1
    assert "hidden-pass-77" not in found.output
    assert "\x1b" not in found.output


def test_a_workflow_of_a_later_version_is_not_updated(workflow: Workflow) -> None:
    later = set_value(ship(), "version", 99)
    refused = workflow("--update", later)
    assert (refused.code, refused.out) == (2, "")
    assert "has version 99 of the workflow" in refused.err
    assert "version: 99 in the export" in workflow("--diff", later).out


def test_an_export_of_the_first_version_counts_as_edited(workflow: Workflow) -> None:
    updated = workflow("--update", set_value(strip_version(), "model", "old-model"))
    assert "kept settings: model" in updated.err
    assert ExportedWorkflow(json.loads(updated.out)).values["model"] == "old-model"


def test_an_open_trigger_is_named(workflow: Workflow) -> None:
    edited = ship()
    find_node(edited, "webhook")["parameters"]["authentication"] = "none"
    for flag in ("--diff", "--update"):
        assert "lets everybody in: set its Authentication" in workflow(flag, edited).output


def test_credentials(workflow: Workflow) -> None:
    shipped = build_credentials()
    token = next(each for each in shipped if each["type"] == "httpHeaderAuth")
    token["data"]["value"] = OPEN_TOKEN
    found = workflow("--diff", shipped)
    assert found.code == 1
    assert "`Bearer undefined` is the password" in " ".join(found.out.split())
    token["data"]["value"] = "Bearer my-own-long-token-5tR"
    found = workflow("--diff", shipped)
    assert (found.code, "my-own-long-token" in found.output) == (1, False)
    token["data"] = "U2FsdGVkX1encrypted"
    refused = workflow("--diff", shipped)
    assert (refused.code, "export:credentials --decrypted" in refused.err) == (2, True)
    assert "has no workflow" in workflow("--update", shipped).err


@pytest.mark.parametrize("flag", ["--diff", "--update"])
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"nodes": [1]}', "[" * 100_000])
def test_a_file_that_is_no_export_is_one_clear_line(
    workflow: Workflow, flag: str, text: str
) -> None:
    refused = workflow(flag, text)
    assert (refused.code, refused.out) == (2, "")
    assert "export.json: " in refused.err
    assert refused.err.count("\n") == 1


def test_files_that_cannot_be_read(call: Call, project: Path, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\xfe{")
    for name, problem in (("missing", "No such file"), (".", "directory"), ("latin", "not UTF-8")):
        refused = call("teacher", "workflow", "--diff", tmp_path / name, "--project-dir", project)
        assert (refused.code, problem in refused.err) == (2, True)


def test_standard_input(
    call: Call, project: Path, printed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, code in ((json.dumps(printed), 0), ("", 2)):
        stream = io.TextIOWrapper(io.BytesIO(text.encode()))
        monkeypatch.setattr(sys, "stdin", stream)
        assert call("teacher", "workflow", "--diff", "-", "--project-dir", project).code == code


def test_only_one_thing_at_a_time(call: Call, project: Path) -> None:
    refused = call("teacher", "workflow", "--mcp", "--diff", "x", "--project-dir", project)
    assert (refused.code, "--mcp and --diff cannot be combined" in refused.err) == (2, True)
