"""The guide's first path: everything is done in n8n's editor, in a real browser.

An import in the editor drops the workflow's settings, so that n8n saves each execution, with token
and diff, until the guide's step "... > Settings" is done.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from orchestrator.replay import ReplayServer
from teacher.webhook import WebhookTeacher
from tests.cli.conftest import Call, call
from tests.n8n.conftest import set_up
from tests.n8n.editor import CHROMIUM, Editor, is_possible
from tests.n8n.model import make_scenario
from tests.n8n.samples import new_failure
from tests.n8n.server import KEY, SHIPPED, TOKEN, N8n
from tests.teacher.samples import ADD, RULE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teacher.models import Failure
    from tests.e2e.conftest import World

__all__ = ["call"]

pytestmark = pytest.mark.skipif(
    not is_possible(), reason=f"########## NO BROWSER: install chromium ({CHROMIUM}) ##########"
)

NOT_SAVED: Final = {
    "Save failed production executions": "Do not save",
    "Save successful production executions": "Do not save",
    "Save manual executions": "Do not save",
}
"""The labels and choices of the guide's step "... > Settings"."""

SAVE_KEYS: Final = ("saveDataErrorExecution", "saveDataSuccessExecution", "saveManualExecutions")


@pytest.fixture(scope="module")
def own_model() -> Iterator[ReplayServer]:
    with ReplayServer(make_scenario(ADD)) as model:
        yield model


@pytest.fixture(scope="module")
def server(own_model: ReplayServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[N8n]:
    """A fresh n8n with its editor, without any variable of ours, as on n8n Cloud."""
    variables = {
        "N8N_WEBHOOK_TOKEN": None,
        "ANTHROPIC_API_KEY": None,
        "ANTHROPIC_BASE_URL": None,
        "N8N_BLOCK_ENV_ACCESS_IN_NODE": None,
        "N8N_PUBLIC_API_DISABLED": "false",
    }
    server = N8n(tmp_path_factory.mktemp("browser"), own_model.url, True, variables)
    server.start("rest/login", 400)
    try:
        yield server
    finally:
        server.stop()


def write_file(server: N8n, folder: Path) -> Path:
    """Write the shipped workflow for a Claude on loopback, as somebody with a gateway sets it."""
    workflow = json.loads((SHIPPED / "prompt-learning-teacher.json").read_text(encoding="utf-8"))
    [node] = [each for each in workflow["nodes"] if each["name"] == "Settings"]
    for assignment in node["parameters"]["assignments"]["assignments"]:
        if assignment["name"] == "base_url":
            assignment["value"] = server.model_url
    path = folder / "prompt-learning-teacher.json"
    path.write_text(json.dumps(workflow), encoding="utf-8")
    return path


def list_executions(editor: Editor) -> list[dict[str, Any]]:
    """Return what the tab Executions lists, when none of them runs any more.

    The workflow goes on after its answer, and is listed until it has ended.
    """
    while True:
        found: list[dict[str, Any]] = editor.call("GET", "executions")["results"]
        if not any(each["status"] in ("new", "running") for each in found):
            return found
        time.sleep(0.2)


def find_in_database(server: N8n, text: str) -> dict[str, int]:
    """Return in which tables' rows a text stands in clear, and in how many."""
    found = {}
    with closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            rows = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 -- n8n's own names
            if count := sum(text in str(row) for row in rows):
                found[table] = count
    return found


def teach(server: N8n, failure: Failure) -> None:
    assert WebhookTeacher(server.webhook, token=TOKEN).teach(failure, ()).text == RULE


@pytest.mark.n8n_long
def test_the_first_path_of_the_guide(
    server: N8n,
    own_model: ReplayServer,
    world: World,
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Editor(server, tmp_path) as editor:
        editor.create_owner()
        identity = editor.import_workflow(write_file(server, tmp_path))
        # Why the guide has the step "... > Settings".
        settings = editor.call("GET", f"workflows/{identity}")["settings"]
        assert not set(SAVE_KEYS) & settings.keys()
        editor.add_credential(
            "Webhook", "Header Auth", name="Authorization", value=f"Bearer {TOKEN}"
        )
        editor.add_credential("Ask Claude", "Anthropic", apiKey=KEY, url=server.model_url)
        editor.publish()
        server.wait_until_ready()

        own_model.play_scenario(make_scenario(ADD))
        saved = new_failure()
        teach(server, saved)
        assert len(list_executions(editor)) == 1
        assert find_in_database(server, saved.context).keys() == {"execution_data"}

        set_up(world, server.webhook, monkeypatch)
        monkeypatch.setenv("N8N_API_KEY", create_api_key(editor))
        arguments = ("teacher", "test", "--fresh", "--project-dir", world.project)
        tried = call(*arguments)
        assert "n8n has saved this test" in join_lines(tried.output), tried.output
        before = len(list_executions(editor))

        editor.choose_settings(NOT_SAVED)
        settings = editor.call("GET", f"workflows/{identity}")["settings"]
        assert [settings[key] for key in SAVE_KEYS] == ["none", "none", False]
        dropped = new_failure()
        teach(server, dropped)
        assert len(list_executions(editor)) == before
        tried = call(*arguments)
        assert tried.code == 0, tried.output
        assert "n8n has saved" not in join_lines(tried.output), tried.output
        assert "n8n drops the executions of this workflow" in join_lines(tried.output), tried.output
        assert TOKEN not in tried.output
        assert len(list_executions(editor)) == before

    require_only_unpruned(server, dropped.context, saved=0)
    # n8n's Webhook node hands the header on, so the token stands in what is saved.
    require_only_unpruned(server, TOKEN, saved=before)
    assert find_in_database(server, KEY) == {}


def join_lines(output: str) -> str:
    """Return a wrapped text on one line."""
    return " ".join(output.split())


def create_api_key(editor: Editor) -> str:
    wanted = {"label": "test", "scopes": ["workflow:list", "execution:list"], "expiresAt": None}
    return str(editor.call("POST", "api-keys", wanted)["rawApiKey"])


def require_only_unpruned(server: N8n, text: str, *, saved: int) -> None:
    """Require that a text stands in so many saved executions, and else in rows to be pruned.

    n8n writes the data of an execution before it drops it: it marks the row as deleted, and deletes
    it when it prunes, an hour later by default.
    """
    found = find_in_database(server, text)
    assert found.keys() <= {"execution_data"}, found
    with closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT entity.deletedAt FROM execution_data data"
            " JOIN execution_entity entity ON entity.id = data.executionId"
            " WHERE instr(data.data, ?)",
            (text,),
        ).fetchall()
    assert sum(deleted is None for (deleted,) in rows) == saved, rows
