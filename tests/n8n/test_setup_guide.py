"""N8N_SETUP.md: all commands run in order, and every block of JSON and YAML is valid."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from shlex import quote
from typing import TYPE_CHECKING

import yaml

from orchestrator.config import Config
from teacher.answer import read_answer
from teacher.models import Action
from teacher.webhook import build_request_body
from tests.n8n.model import make_scenario
from tests.n8n.server import ROOT, WHERE, N8n
from tests.replay.claude import claude_binary
from tests.teacher.samples import ADD, FAILURE, KNOWN

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.replay import ReplayServer

GUIDE = (ROOT / "N8N_SETUP.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^ *```(\w+)\n(.*?)^ *```$", GUIDE, re.MULTILINE | re.DOTALL)
START = "n8n start\n"


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


def test_every_block_is_of_a_kind_that_is_checked_here() -> None:
    assert {kind for kind, _ in BLOCKS} == {"bash", "json", "yaml"}
    assert [len(blocks(kind)) for kind in ("bash", "json", "yaml")] == [11, 2, 1]
    assert blocks("bash").count(START) == 1


def test_the_request_has_the_keys_that_we_send() -> None:
    request = json.loads(blocks("json")[0])
    assert request.keys() == build_request_body(FAILURE, KNOWN).keys()
    assert request["known_rules"][0].keys() == {"id", "rule", "when", "why"}


def test_the_answer_is_a_lesson() -> None:
    assert read_answer(blocks("json")[1], ()).action is Action.ADD


def test_the_configuration_is_one() -> None:
    assert Config.model_validate(yaml.safe_load(blocks("yaml")[0])).teacher.mode == "webhook"


def test_every_named_key_and_status_exists() -> None:
    named = re.findall(r"`(n8n|teacher)\.(\w+)", GUIDE)
    assert len(named) >= 6
    for section, key in named:
        assert key in type(getattr(Config(), section)).model_fields
    statuses = re.findall(r"^\| (\d{3})(?:, (\d{3}))? ", GUIDE, re.MULTILINE)
    assert len(statuses) == 11


def test_pictures_and_files_exist() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE)
    assert len(links) >= 5
    assert [link for link in links if not (ROOT / link).is_file()] == []
    for picture in (ROOT / "docs" / "images").glob("n8n-*.png"):
        assert picture.stat().st_size < 200_000


def test_the_commands_run_one_after_the_other(model: ReplayServer, tmp_path: Path) -> None:
    model.play_scenario(make_scenario(ADD))
    server = N8n(tmp_path / "n8n", model.url)
    project = tmp_path / "project"
    project.mkdir()
    commands = blocks("bash")
    before = commands.index(START)
    try:
        first = run(commands[:before], server, project, tmp_path, {})
        # In the guide's order: the commands before it need no settings.
        (project / "orchestrator.yaml").write_text(
            blocks("yaml")[0].replace("5678", str(server.port)), encoding="utf-8"
        )
        server.more = {"N8N_WEBHOOK_TOKEN": first["N8N_WEBHOOK_TOKEN"]}
        server.start()
        then = run(commands[before + 1 : -2], server, project, tmp_path, first)
        server.stop()
        server.start("mcp/prompt-learning-teacher-mcp", 403)
        last = run(commands[-2:], server, project, tmp_path, then)
    finally:
        server.stop()
    answer = then["output"][then["output"].index('{"action"') :]
    _, end = json.JSONDecoder().raw_decode(answer)
    assert read_answer(answer[:end], ()).action is Action.ADD
    assert "The teacher works." in then["output"]
    assert "Connected" in last["output"]
    assert "no failures are queued" in last["output"]


def run(
    commands: list[str], server: N8n, project: Path, folder: Path, known: dict[str, str]
) -> dict[str, str]:
    """Run blocks in one shell, and return its variables afterwards, with its `output`."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name, command in {
        "orchestrator": f"cd {quote(str(project))} && PYTHONPATH={quote(str(ROOT))} "
        f'{quote(sys.executable)} -m orchestrator "$@"',
        "claude": f'{claude_binary()} "$@"',
        "n8n": f'{WHERE}/node_modules/.bin/n8n "$@"',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    script = "set -euo pipefail\n" + "".join(commands) + "\nenv -0 > $TMPDIR/variables\n"
    environment = {
        **server.environment,
        **{name: value for name, value in known.items() if name != "output"},
        "PATH": f"{tools}:{server.environment['PATH']}",
        "TMPDIR": str(folder),
        "ORCHESTRATOR_STATE_DIR": str(folder / "state"),
        "CLAUDE_CONFIG_DIR": str(folder / "claude"),
        "NO_PROXY": os.environ["NO_PROXY"],
    }
    done = subprocess.run(
        ["bash", "-c", script.replace("5678", str(server.port))],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    raw = (folder / "variables").read_text(encoding="utf-8")
    variables = dict(each.split("=", 1) for each in raw.split("\0") if "=" in each)
    return {**variables, "output": done.stdout}
