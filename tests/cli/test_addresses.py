"""User, password and query of the webhook's address are printed and stored nowhere.

Not one of them looks like a secret, so no pattern finds them.
"""

import json
from pathlib import Path

import pytest

from orchestrator.config import Config
from orchestrator.config.addresses import ADDRESSES
from orchestrator.storage.state_directory import resolve_state_directory
from tests.cli.conftest import TASK, Call, Shop
from tests.stored_text import read_stored_text
from tests.teacher.loopback import Loopback, Reply, json_reply
from tests.teacher.samples import TEXT

USER, PASSWORD, QUERY = "usr7", "example", "qry7"


def hidden(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{USER}:{PASSWORD}@{rest}/webhook/x?a={QUERY}"


def surviving(text: str) -> list[str]:
    return [each for each in (USER, f":{PASSWORD}@", QUERY) if each in text]


@pytest.fixture
def state() -> Path:
    return resolve_state_directory()


def test_every_setting_that_is_an_address_is_listed() -> None:
    named = {
        f"{section}.{name}"
        for section in Config.model_fields
        for name in getattr(type(getattr(Config(), section)), "model_fields", {})
        if "url" in name or "address" in name
    }
    assert named == ADDRESSES


@pytest.mark.parametrize("reply", [json_reply(TEXT), Reply(302), Reply(401), Reply(200)])
def test_no_command_prints_or_stores_them(
    call: Call, shop: Shop, state: Path, reply: Reply
) -> None:
    with Loopback(reply) as workflow:
        address = hidden(workflow.url)
        shop.configure(teacher={"mode": "webhook"}, n8n={"webhook_url": address, "retry_for": 0})
        done = [
            call("config", "show", "--project-dir", shop.project),
            call("trust", "--project-dir", shop.project),
            call("trust", "--list"),
            call("teacher", "test", "--project-dir", shop.project),
            call("run", TASK, "--project-dir", shop.project),
            call("run", TASK, "--project-dir", shop.project, "--json"),
            call("runs", "show"),
            call("runs", "show", "--json"),
            call("teach", "--list", "--project-dir", shop.project),
        ]
        asked = [each for each in workflow.asked if each.body != b"{}"]  # that is a stranger's
        assert len(asked) > 1
        assert all(f"a={QUERY}" in each.path for each in asked)
    shown = workflow.url.replace("//", "//***@") + "/webhook/x?***"
    for each in done:
        assert surviving(each.output) == []
    assert all(shown in each.output for each in done[:5])
    assert surviving(read_stored_text(state)) == []


def test_they_are_not_shown_before_they_are_trusted(call: Call, shop: Shop, state: Path) -> None:
    (state / "trusted.json").unlink()
    address = hidden("https://n8n.example")
    settings = {"teacher": {"mode": "webhook"}, "n8n": {"webhook_url": address}}
    shop.write("orchestrator.yaml", json.dumps(settings))
    for words in (["config", "show"], ["run", TASK], ["trust"], ["trust", "--yes"]):
        done = call(*words, "--project-dir", shop.project)
        assert surviving(done.output) == []
        assert "https://***@n8n.example/webhook/x?***" in done.output
        assert "parts are masked: read them there" in done.output
    settings["n8n"]["webhook_url"] = hidden("https://n8n.example").replace(QUERY, "other")
    shop.write("orchestrator.yaml", json.dumps(settings))
    # The whole value is trusted, and not what is shown of it.
    assert "not trusted" in call("trust", "--project-dir", shop.project).output


def test_a_run_is_resumed_with_them(call: Call, shop: Shop, state: Path) -> None:
    down = Reply(503, b"no available server")
    with Loopback(down) as workflow:
        address = hidden(workflow.url)
        shop.configure(teacher={"mode": "webhook"}, n8n={"webhook_url": address, "retry_for": 0})
        assert call("run", TASK, "--project-dir", shop.project).code == 3
        workflow.replies.append(json_reply(TEXT))
        workflow.replies.popleft()
        done = call("resume")
        assert done.code in (0, 1), done.output
        assert workflow.asked[-1].headers["authorization"].startswith("Basic ")
    assert surviving(done.output + read_stored_text(state)) == []
