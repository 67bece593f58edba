"""What the shipped workflow answers when Claude cannot be reached, or its scripts cannot run."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from orchestrator.replay import ReplayServer, Reply
from teacher.workflow import WORKFLOW_VERSION, build_mcp_workflow, build_webhook_workflow
from tests.n8n.install import node
from tests.n8n.model import make_scenario
from tests.n8n.server import TOKEN, WHERE, N8n
from tests.teacher.samples import ADD

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADERS = {"authorization": f"Bearer {TOKEN}"}
NO_RUNNER = "n8n's task runner did not answer: n8n is stopping or starting"


def make_workflow(name: str, base_url: str, credential: bool = True) -> dict[str, Any]:
    """Return the shipped workflow under another name, with another address of Claude."""
    workflow = {**build_webhook_workflow(), "id": f"failure{name}", "name": name}
    nodes = {node["name"]: node for node in workflow["nodes"]}
    nodes["Webhook"]["parameters"]["path"] = nodes["Webhook"]["webhookId"] = name
    settings = nodes["Settings"]["parameters"]["assignments"]["assignments"]
    [address] = [each for each in settings if each["name"] == "base_url"]
    address["value"] = base_url
    if not credential:
        del nodes["Ask Claude"]["credentials"]
    return workflow


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("certificate")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
        " -keyout key.pem -out certificate.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def own_model() -> Iterator[ReplayServer]:
    with ReplayServer(make_scenario(ADD)) as model:
        yield model


@pytest.fixture(scope="module")
def broken(
    own_model: ReplayServer, self_signed: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[N8n]:
    """An n8n with one workflow for each address, which waits 3 s for its task runner."""
    home = tmp_path_factory.mktemp("failures")
    server = N8n(home, own_model.url, more={"N8N_RUNNERS_TASK_REQUEST_TIMEOUT": "3"})
    server.import_workflows("prompt-learning-teacher", publish=False)
    workflows = [
        make_workflow("good", ""),
        make_workflow("refused", "http://127.0.0.1:1"),
        make_workflow("unknownhost", "http://no-such-host.invalid"),
        make_workflow("selfsigned", self_signed),
        make_workflow("nohttps", own_model.url.replace("http:", "https:")),
        make_workflow("wrongscheme", "htp://user:secret@gateway"),
        make_workflow("wrongport", "http://127.0.0.1:99999"),
    ]
    path = home / "workflows.json"
    # n8n does not publish a node without credential: that is what deleting one leads to.
    path.write_text(json.dumps(workflows), encoding="utf-8")
    server.command("import:workflow", f"--input={path}")
    for workflow in workflows:
        server.command("publish:workflow", f"--id={workflow['id']}")
    server.start("webhook/good")
    try:
        yield server
    finally:
        server.stop()


def ask(server: N8n, name: str, key: str = "") -> httpx.Response:
    body = {"context": "It failed.", **({"idempotency_key": key} if key else {})}
    return httpx.post(f"{server.url}/webhook/{name}", json=body, headers=HEADERS, timeout=100)


@pytest.mark.parametrize(
    ("name", "kind", "error"),
    [
        ("refused", "try_again", "ECONNREFUSED"),
        ("unknownhost", "try_again", "no-such-host.invalid"),
        ("selfsigned", "misconfigured", "certificate"),
        ("nohttps", "misconfigured", "EPROTO"),
        ("wrongscheme", "misconfigured", "Invalid URL: htp://gateway"),
        ("wrongport", "misconfigured", "Invalid URL"),
    ],
)
@pytest.mark.n8n_long
def test_only_what_can_pass_is_to_be_tried_again(
    broken: N8n, name: str, kind: str, error: str
) -> None:
    answer = ask(broken, name)
    said = answer.json()
    assert (answer.status_code, said["kind"]) == (502, kind), said
    assert error in said["error"]
    assert said["workflow_version"] == WORKFLOW_VERSION
    assert "offline" not in said["error"]


@pytest.mark.n8n_long
def test_a_deleted_credential_is_not_to_be_tried_again(broken: N8n) -> None:
    with closing(sqlite3.connect(broken.home / ".n8n" / "database.sqlite")) as database:
        [row] = database.execute("select * from credentials_entity where name = 'Anthropic'")
        database.execute("delete from credentials_entity where name = 'Anthropic'")
        database.commit()
        try:
            answer = ask(broken, "good")
        finally:
            marks = ", ".join("?" * len(row))
            database.execute(f"insert into credentials_entity values ({marks})", row)  # noqa: S608
            database.commit()
    assert (answer.status_code, answer.json()["kind"]) == (502, "misconfigured"), answer.text
    assert "redential" in answer.json()["error"]


def find_runners(home: Path) -> list[int]:
    """Return the processes of the task runner of this n8n."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        # The runner gets few variables; its parent has those of this n8n.
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        if b"task-runner" in command and b"N8N_RUNNERS" in environment:
            own = Path("/proc", parent, "environ")
            if str(home).encode() in own.read_bytes():
                found.append(int(process.name))
    return found


@pytest.mark.n8n_long
def test_a_task_runner_that_is_gone_in_mid_lesson(broken: N8n, own_model: ReplayServer) -> None:
    own_model.play_scenario(make_scenario(Reply(say=ADD, delay=4.0), ADD))
    asked = len(own_model.requests)
    runners: list[int] = []

    def stop_runner() -> None:
        while len(own_model.requests) == asked:
            time.sleep(0.05)
        runners.extend(find_runners(broken.home))
        for process in runners:
            os.kill(process, signal.SIGSTOP)

    thread = threading.Thread(target=stop_runner)
    thread.start()
    try:
        answer = ask(broken, "good", "in mid-lesson")
    finally:
        thread.join(60)
        for process in runners:
            os.kill(process, signal.SIGCONT)
    assert runners
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5"), answer.text
    assert answer.json()["error"] == NO_RUNNER
    # Nothing of it is left in the memory, so the next one does not have to wait for it.
    assert ask(broken, "good", "in mid-lesson").json()["action"] == "add"


@pytest.mark.n8n_long
def test_a_task_runner_that_never_comes(
    own_model: ReplayServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    more = {
        "N8N_RUNNERS_MODE": "external",
        "N8N_RUNNERS_AUTH_TOKEN": "nobody-has-it",
        "N8N_RUNNERS_TASK_REQUEST_TIMEOUT": "2",
    }
    server = N8n(tmp_path_factory.mktemp("no-runner"), own_model.url, more=more)
    server.import_workflows("prompt-learning-teacher")
    server.start()
    try:
        answer = ask(server, "prompt-learning-teacher")
    finally:
        server.stop()
    assert answer.status_code == 503, answer.text
    assert answer.json() == {
        "error": NO_RUNNER,
        "kind": "try_again",
        "workflow_version": WORKFLOW_VERSION,
    }


def test_each_node_has_the_newest_version() -> None:
    """Older ones look different in n8n's editor, and lack options."""
    nodes = [*build_webhook_workflow()["nodes"], *build_mcp_workflow()["nodes"]]
    used = {(node["type"], node["typeVersion"]) for node in nodes}
    types = sorted({type_ for type_, _ in used})
    script = Path(__file__).with_name("node_versions.cjs")
    printed = subprocess.run(
        [node(WHERE) / "node", script, WHERE, *types], check=True, capture_output=True, timeout=300
    )
    newest = json.loads(printed.stdout)
    assert len(newest) >= 10
    assert used == set(newest.items())
