"""N8N_SETUP.md names menus, fields, variables and versions that the real n8n has."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final

from orchestrator.config import Config
from tests.n8n.guide import GUIDE, PROSE
from tests.n8n.server import ROOT, WHERE

MODULES: Final = WHERE / "node_modules"

ON_SCREEN: Final = {
    "Build a workflow": "workflows.empty.buildWorkflow",
    "Create workflow": "projects.header.create.workflow",
    "Import": "menuActions.import",
    "From file": "menuActions.importFromFile",
    "Export JSON": "menuActions.exportJson",
    "Settings": "generic.settings",
    "Save failed production executions": "workflowSettings.saveDataErrorExecution",
    "Save successful production executions": "workflowSettings.saveDataSuccessExecution",
    "Save manual executions": "workflowSettings.saveManualExecutions",
    "Do not save": "workflowSettings.saveManualOptions.doNotSave",
    "Save": "generic.save",
    "Publish": "workflows.publish",
    "Got it": "activationModal.gotIt",
    "Published": "generic.published",
    "Unpublish": "menuActions.unpublish",
    "Archive": "menuActions.archive",
    "Production URL": "nodeWebhooks.productionUrl",
    "Test URL": "nodeWebhooks.testUrl",
    "Overview": "projects.menu.overview",
    "Credentials": "mainSidebar.credentials",
    "Data tables": "dataTable.dataTables",
    "Delete": "generic.delete",
    "n8n API": "settings.n8napi",
    "Create API key": "settings.api.create.button",
    "Read only": "settings.api.scopes.readOnly",
}
"""What the guide calls by its name on the screen, and the editor's key for this text."""

FIELDS: Final = {
    "Name": ("n8n-nodes-base", "httpHeaderAuth"),
    "Value": ("n8n-nodes-base", "httpHeaderAuth"),
    "API Key": ("@n8n/n8n-nodes-langchain", "anthropicApi"),
    "Base URL": ("@n8n/n8n-nodes-langchain", "anthropicApi"),
    "Secret": ("n8n-nodes-base", "jwtAuth"),
    "Key Type": ("n8n-nodes-base", "jwtAuth"),
    "Algorithm": ("n8n-nodes-base", "jwtAuth"),
}
"""Fields of credentials, and the type of the credential."""

CHOICES: Final = {
    "Passphrase": ("Key Type", "jwtAuth"),
    "HS256": ("Algorithm", "jwtAuth"),
    "JWT Auth": ("Authentication", "webhook"),
}
"""What is chosen in a field, the field, and the credential or node that has it."""

BUTTONS: Final = {
    "Connect to Header Auth": ("n8n-nodes-base", "httpHeaderAuth"),
    "Connect to Anthropic": ("@n8n/n8n-nodes-langchain", "anthropicApi"),
}
"""Buttons under "Credential for ..." in a node, and the type of the credential."""

FIRST_IN: Final = {
    ("n8n-nodes-base.httpRequest", 4.5): (2, 33),
    ("n8n-nodes-base.set", 3.5): (2, 32),
    ("n8n-nodes-base.if", 2.3): (2, 0),
    ("n8n-nodes-base.switch", 3.4): (2, 0),
    ("n8n-nodes-base.respondToWebhook", 1.5): (2, 0),
    ("n8n-nodes-base.webhook", 2.1): (2, 0),
    ("n8n-nodes-base.code", 2): (2, 0),
    ("n8n-nodes-base.stickyNote", 1): (2, 0),
    # 2.0 has no operation that creates a table.
    ("n8n-nodes-base.dataTable", 1.1): (2, 10),
    ("n8n-nodes-base.executeWorkflowTrigger", 1.2): (2, 30),
    ("@n8n/n8n-nodes-langchain.toolWorkflow", 2.2): (2, 0),
    ("@n8n/n8n-nodes-langchain.mcpTrigger", 2.1): (2, 36),
}
"""The first n8n that has a node in this version, or an older one where it was looked up; seen in
the published packages of nodes."""

OWN: Final = {"N8N_WEBHOOK_TOKEN", "N8N_API_KEY", "ORCHESTRATOR_TEACHER_API_KEY"}
"""Variables that we have named, and not n8n, and that are no settings."""
OTHERS: Final = {
    "NODE_EXTRA_CA_CERTS",  # Node's
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "PATH",
    "PWD",
    "END",
}


@cache
def read_messages() -> dict[str, str]:
    """Return the English texts of n8n's editor by their keys."""
    texts = (
        path.read_text(encoding="utf-8")
        for path in (MODULES / "n8n-editor-ui" / "dist" / "assets").glob("src-*.js")
    )
    [text] = [each for each in texts if '"menuActions.importFromFile":`' in each]
    return dict(re.findall(r'"([\w.:@-]+)":`((?:[^`\\]|\\.)*)`', text))


def read_credential(package: str, name: str) -> dict[str, Any]:
    path = MODULES / package / "dist" / "types" / "credentials.json"
    [found] = [c for c in json.loads(path.read_text(encoding="utf-8")) if c["name"] == name]
    assert isinstance(found, dict)
    return found


def read_choices(name: str, field: str) -> list[str]:
    """Return what can be chosen in a field of one of n8n's own credentials or nodes."""
    types = MODULES / "n8n-nodes-base" / "dist" / "types"
    return [
        option["name"]
        for file in ("credentials.json", "nodes.json")
        for each in json.loads((types / file).read_text(encoding="utf-8"))
        if each["name"] == name
        for part in each["properties"]
        if part["displayName"] == field
        for option in part["options"]
    ]


def read_nodes(name: str) -> list[dict[str, Any]]:
    workflow = json.loads((ROOT / "n8n" / f"{name}.json").read_text(encoding="utf-8"))
    return list(workflow["nodes"])


WORKFLOWS: Final = ("prompt-learning-teacher", "prompt-learning-teacher-mcp")


def test_the_names_on_the_screen_are_those_of_n8n() -> None:
    messages = read_messages()
    assert len(messages) > 5000
    assert {name: messages.get(key) for name, key in ON_SCREEN.items()} == {n: n for n in ON_SCREEN}
    for name, kind in FIELDS.items():
        assert name in [each["displayName"] for each in read_credential(*kind)["properties"]]
    for name, (field, owner) in CHOICES.items():
        assert name in read_choices(owner, field)
    connect = messages["nodeCredentials.quickConnect.connectTo"]
    for name, kind in BUTTONS.items():
        assert name == connect.replace("{provider}", read_credential(*kind)["displayName"])


def test_every_name_in_italics_is_checked() -> None:
    plain = re.sub(r"\*\*.*?\*\*|`[^`]*`", "", PROSE)
    named = {part for name in re.findall(r"\*([^*\n]+)\*", plain) for part in re.split(" > ", name)}
    assert len(named) >= 25
    nodes = {each["name"] for workflow in WORKFLOWS for each in read_nodes(workflow)}
    fields = {*FIELDS, *BUTTONS, *CHOICES, "Authentication"}
    known = {*ON_SCREEN, *fields, *nodes, "...", "italics"}
    assert named - known == set()
    assert {*ON_SCREEN, *fields} - named == set()


def test_every_variable_exists() -> None:
    named = set(re.findall(r"\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b", GUIDE))
    assert len(named) >= 12
    own = {name for name in named - OWN if name.startswith("ORCHESTRATOR_")}
    for name in own:
        section, _, key = name.removeprefix("ORCHESTRATOR_").lower().partition("_")
        assert key in type(getattr(Config(), section)).model_fields
    of_n8n = named - own - OWN - OTHERS
    assert "N8N_BLOCK_ENV_ACCESS_IN_NODE" in of_n8n
    missing = set(of_n8n)
    for package in ("@n8n/config", "n8n-workflow", "n8n-core", "n8n"):
        for path in sorted((MODULES / package / "dist").rglob("*.js")):
            if not missing:
                return
            text = path.read_text(encoding="utf-8")
            missing = {name for name in missing if not re.search(rf"\b{name}\b", text)}
    assert missing == set()


def test_the_oldest_n8n_has_all_nodes_in_the_workflows_versions() -> None:
    found = re.search(r"n8n (\d+)\.(\d+) or newer \((\d+)\.(\d+) for the", GUIDE)
    assert found
    numbers = [int(each) for each in found.groups()]
    for name, oldest in zip(WORKFLOWS, (numbers[:2], numbers[2:]), strict=True):
        versions = {(each["type"], each["typeVersion"]) for each in read_nodes(name)}
        assert versions <= FIRST_IN.keys()
        assert max(FIRST_IN[each] for each in versions) == tuple(oldest)


def test_every_key_and_status_exists() -> None:
    named = [each for each in re.findall(r"`(n8n|teacher)\.(\w+)", GUIDE) if each[1] != "env"]
    assert len(named) >= 6
    for section, key in named:
        assert key in type(getattr(Config(), section)).model_fields
    statuses = re.findall(r"^\| (\d{3})(?:, (\d{3}))? ", GUIDE, re.MULTILINE)
    assert len(statuses) >= 11


def test_the_version_that_was_tried_is_the_one_that_is_installed() -> None:
    installed = json.loads((MODULES / "n8n" / "package.json").read_text(encoding="utf-8"))
    tried = {*re.findall(r"n8n (\d+\.\d+\.\d+)", GUIDE), *re.findall(r"n8nio/n8n:(\S+)", GUIDE)}
    assert tried == {installed["version"]}
