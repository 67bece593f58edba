"""N8N_SETUP.md: all commands run in order, and every block of JSON and YAML is valid."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from orchestrator.config import Config
from teacher.answer import read_answer
from teacher.models import Action
from teacher.webhook import build_request_body
from tests.n8n.guide import (
    BLOCKS,
    COMMANDS,
    FROM_GUIDE,
    GUIDE,
    GuideN8n,
    Terminal,
    blocks,
    enter_key,
    read_started,
    read_variables,
)
from tests.n8n.model import make_scenario
from tests.n8n.server import ROOT
from tests.teacher.samples import ADD, FAILURE, KNOWN

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.replay import ReplayServer

FILES = COMMANDS["1. Make the token and the files"]
COMMAND_LINE = COMMANDS["On the command line"]
DOCKER = COMMANDS["With Docker"]
CONNECT = COMMANDS["3. Connect the orchestrator"]
FRESH = COMMANDS["Change its prompts and its model"]
UPDATE = COMMANDS["Update the workflow"]
ROTATE = COMMANDS["Change the token or the key"]
DOWN = COMMANDS["When n8n is down or slow"]
MCP = COMMANDS["As a tool for Claude Code: the MCP variant"]
REQUEST = COMMANDS["Request and answer"]
MCP_PATH = "mcp/prompt-learning-teacher-mcp"


def test_every_block_is_of_a_kind_that_is_checked_here() -> None:
    assert {kind for kind, _ in BLOCKS} == {"bash", "json", "yaml"}
    assert [len(blocks("json")), len(blocks("yaml"))] == [2, 2]
    run = (FILES, COMMAND_LINE, DOCKER, CONNECT, FRESH, UPDATE, ROTATE, DOWN, MCP, REQUEST)
    assert sorted(block for section in run for block in section) == sorted(blocks("bash"))
    assert len(blocks("bash")) >= 18


def test_the_request_has_the_keys_that_we_send() -> None:
    request = json.loads(blocks("json")[0])
    # The last two are about this request, and not about the question.
    sent = {*build_request_body(FAILURE, KNOWN), "timeout_seconds", "fresh"}
    assert request.keys() == sent
    assert request["known_rules"][0].keys() == {"id", "rule", "when", "why", "note"}
    assert request["timeout_seconds"] == Config().n8n.timeout


def test_the_answer_is_a_lesson() -> None:
    assert read_answer(blocks("json")[1], ()).action is Action.ADD


def test_the_configuration_is_one() -> None:
    assert Config.model_validate(yaml.safe_load(blocks("yaml")[1])).teacher.mode == "webhook"


def test_the_compose_file_publishes_n8n_to_this_machine_only() -> None:
    compose = yaml.safe_load(blocks("yaml")[0])
    service = compose["services"]["n8n"]
    assert service["ports"] == ["127.0.0.1:5678:5678"]
    assert service["env_file"] == "n8n.env"
    [volume] = service["volumes"]
    assert volume.split(":") == [*compose["volumes"], "/home/node/.n8n"]
    # A container that listens on its own loopback alone cannot be reached.
    assert "environment" not in service
    locked = json.loads((ROOT / "tests/n8n/package.json").read_text(encoding="utf-8"))
    assert service["image"] == f"n8nio/n8n:{locked['dependencies']['n8n']}"


def test_pictures_and_files_exist() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE)
    assert len(links) >= 3
    assert [link for link in links if not (ROOT / link).is_file()] == []
    for picture in (ROOT / "docs" / "images").glob("n8n-*.png"):
        assert picture.stat().st_size < 200_000


def test_every_link_within_the_guide_has_its_heading() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", GUIDE, re.MULTILINE)
    }
    links = re.findall(r"\]\(#([^)]+)\)", GUIDE)
    assert len(links) >= 10
    assert [link for link in links if link not in headings] == []


def test_the_command_line_from_an_empty_folder_to_a_changed_token(
    model: ReplayServer, tmp_path: Path
) -> None:
    model.play_scenario(make_scenario(ADD))
    server = GuideN8n(tmp_path / "home", model.url)
    folder = server.home / "n8n-teacher"
    terminal, own = Terminal(server), Terminal(server)
    try:
        terminal.run(*FILES, COMMAND_LINE[0])
        enter_key(folder)
        for name in ("teacher.env", "n8n.env"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        terminal.run(COMMAND_LINE[1])
        server.more = read_started(server)
        assert server.more.keys() == set(FROM_GUIDE)
        server.start()

        to_project(own, tmp_path)
        assert "The teacher works." in own.run(*CONNECT[:3])
        assert is_lesson(own.run(*REQUEST))
        asked = len(model.requests)
        assert "The teacher works." in own.run(*FRESH)
        assert len(model.requests) == asked + 1

        terminal.run(*UPDATE)
        old = terminal.exported["N8N_WEBHOOK_TOKEN"]
        terminal.run(*ROTATE)
        server.restart()
        changed = read_variables(folder / "n8n.env")["N8N_WEBHOOK_TOKEN"]
        assert changed != old
        assert [post(server, token) for token in (old, changed)] == [403, 400]
        own.run(CONNECT[1])
        assert own.exported["N8N_WEBHOOK_TOKEN"] == changed
        assert "The teacher works." in own.run(*FRESH)
        assert "no failures are queued" in own.run(*DOWN)
    finally:
        server.stop()


def test_the_project_names_the_address_and_claude_code_gets_the_tool(
    model: ReplayServer, tmp_path: Path
) -> None:
    model.play_scenario(make_scenario(ADD))
    server = GuideN8n(tmp_path / "home", model.url)
    terminal, own = Terminal(server), Terminal(server)
    try:
        terminal.run(*FILES, COMMAND_LINE[0])
        enter_key(server.home / "n8n-teacher")
        terminal.run(COMMAND_LINE[1], MCP[0])
        server.more = read_started(server)
        server.start(MCP_PATH)

        project = to_project(own, tmp_path)
        address = "https://n8n.example.org/"
        text = blocks("yaml")[1]
        assert address in text
        (project / "orchestrator.yaml").write_text(text.replace(address, f"{server.url}/"))
        own.exported = {"N8N_WEBHOOK_TOKEN": server.more["N8N_WEBHOOK_TOKEN"]}
        assert CONNECT[3] == "orchestrator trust\n"
        own.run("orchestrator trust --yes\n")
        assert "The teacher works." in own.run(CONNECT[2])

        assert own.run(MCP[1]).strip().endswith("_bundled/claude")
        assert "Connected" in own.run(MCP[2])
        stored = (server.home / "claude" / ".claude.json").read_text(encoding="utf-8")
        assert MCP_PATH in stored
        assert own.exported["N8N_WEBHOOK_TOKEN"] not in stored
    finally:
        server.stop()


@pytest.mark.n8n_long
def test_docker(model: ReplayServer, tmp_path: Path) -> None:
    model.play_scenario(make_scenario(ADD))
    server = GuideN8n(tmp_path / "home", model.url)
    folder = server.home / "n8n-teacher"
    terminal, own = Terminal(server), Terminal(server)
    try:
        terminal.run(*FILES, COMMAND_LINE[0])
        enter_key(folder)
        lines = (folder / "n8n.env").read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith("N8N_LISTEN_ADDRESS")]
        assert len(kept) == len(lines) - 1
        (folder / "n8n.env").write_text("".join(kept), encoding="utf-8")
        (folder / "compose.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
        terminal.run(DOCKER[0])
        # Here nothing but the address that it listens on stands between this n8n and a network.
        variables = read_variables(folder / "n8n.env")
        server.more = {**variables, "N8N_LISTEN_ADDRESS": "127.0.0.1"}
        server.start()
        to_project(own, tmp_path)
        assert "The teacher works." in own.run(*CONNECT[:3])
        terminal.run(DOCKER[1])
        server.stop()
        server.start()
        assert is_lesson(own.run(*REQUEST))
    finally:
        server.stop()


def to_project(terminal: Terminal, folder: Path) -> Path:
    """Go to a project, as a person does who starts a run."""
    project = folder / "project"
    project.mkdir()
    terminal.folder = project
    return project


def is_lesson(output: str) -> bool:
    answer: dict[str, Any] = json.loads(output[output.index('{"') :])
    return read_answer(json.dumps(answer), ()).action is Action.ADD


def post(server: GuideN8n, token: str) -> int:
    """Return the status of a request without evidence, which asks nobody."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(server.webhook, json={}, headers=headers, timeout=60).status_code
