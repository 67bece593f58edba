"""Whatever in a project is a link: no command writes a file that is outside of the project."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.replay import ReplayServer
from orchestrator.session_hooks import entry, settings
from tests.cli.conftest import TASK, Call, Shop
from tests.sampling import leave_to_whole

ADD = ("rules", "add", "--rule", "Ask.", "--when", "Always.", "--why", "Because.")
INIT = ("learnings", "init", "local", "--hooks", "--gitignore", "personal")
FOLDERS: dict[str, list[tuple[str, ...]]] = {
    ".claude": [("hooks", "install", "local"), ("hooks", "uninstall", "local"), INIT],
    ".learnings": [INIT, ("learnings", "log", "err", "It broke.")],
    "memory": [INIT],
}
FILES: dict[str, list[tuple[str, ...]]] = {
    ".claude/settings.json": [("hooks", "install", "local"), ("hooks", "uninstall", "local"), INIT],
    ".gitignore": [INIT],
    "CLAUDE.md": [ADD, ("run", TASK)],
    "AGENTS.md": [ADD, ("run", TASK)],
    ".learnings/ERRORS.md": [INIT, ("learnings", "log", "err", "It broke.")],
    ".pending-errors.log": [INIT],
    "memory/working-buffer.md": [INIT],
}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def read_all(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def check_nothing_written(
    call: Call, shop: Shop, outside: Path, *commands: tuple[str, ...]
) -> None:
    before = read_all(outside)
    for command in commands:
        done = call(*command, "--project-dir", shop.project)
        assert done.code < 4, done.output
        assert "Usage:" not in done.err
        assert read_all(outside) == before, command


@pytest.mark.parametrize("name", FOLDERS)
def test_a_linked_folder(
    call: Call, shop: Shop, teacher: ReplayServer, outside: Path, name: str
) -> None:
    (outside / "settings.json").write_text("{}\n", encoding="utf-8")
    (shop.project / name).symlink_to(outside)
    check_nothing_written(call, shop, outside, *FOLDERS[name])


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("name", leave_to_whole(FILES))
def test_a_linked_file(
    call: Call, shop: Shop, teacher: ReplayServer, outside: Path, name: str, exists: bool
) -> None:
    target = outside / "precious"
    if exists:
        target.write_text("{}\n" if name.endswith("json") else "Mine.\n", encoding="utf-8")
    (shop.project / name).parent.mkdir(exist_ok=True)
    (shop.project / name).symlink_to(target)
    check_nothing_written(call, shop, outside, *FILES[name])


@pytest.mark.parametrize(
    "name", [".learnings", "memory", "memory/working-buffer.md", ".learnings/.pending-errors.log"]
)
@pytest.mark.parametrize("kind", ["PreToolUse", "PostToolUseFailure"])
def test_the_hook(
    call: Call, shop: Shop, outside: Path, name: str, kind: str, tmp_path: Path
) -> None:
    (outside / "file").write_text("Mine.\n", encoding="utf-8")
    (shop.project / name).parent.mkdir(exist_ok=True)
    (shop.project / name).symlink_to(outside / "file" if "." in name[1:] else outside)
    (shop.project / ".learnings").mkdir(exist_ok=True)
    event = {
        "hook_event_name": kind,
        "session_id": "s",
        "cwd": str(shop.project),
        "tool_name": "Bash",
        "tool_use_id": "toolu_1",
        "tool_input": {"command": "rm -rf build"},
        "error": "It broke.",
    }
    before = read_all(outside)
    subprocess.run(
        [sys.executable, "-I", "-S", entry.__file__],
        input=json.dumps(event).encode(),
        env={**os.environ, "CLAUDE_PROJECT_DIR": str(shop.project)},
        check=True,
    )
    assert read_all(outside) == before


@pytest.mark.parametrize("name", [".claude", ".claude/settings.json"])
@pytest.mark.parametrize("command", [("hooks", "install", "local"), INIT])
def test_it_is_said_in_one_line(
    call: Call, shop: Shop, outside: Path, name: str, command: tuple[str, ...]
) -> None:
    (outside / "settings.json").write_text("{}\n", encoding="utf-8")
    link = shop.project / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside / "settings.json" if name.endswith("json") else outside)
    done = call(*command, "--project-dir", shop.project)
    assert done.code == 2
    assert f"{link} is a link out of the project" in done.err
    assert done.err.count("\n") == 1


def test_a_link_within_the_project_and_the_users_own_link_are_followed(
    call: Call, shop: Shop, outside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop.project / ".claude").mkdir()
    (shop.project / "shared.json").write_text("{}\n", encoding="utf-8")
    (shop.project / ".claude" / "settings.json").symlink_to("../shared.json")
    assert call("hooks", "install", "local", "--project-dir", shop.project).code == 0
    assert settings.is_installed(shop.project / "shared.json")
    (outside / "settings.json").write_text("{}\n", encoding="utf-8")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.json").symlink_to(outside / "settings.json")
    assert call("hooks", "install", "global").code == 0
    assert settings.is_installed(outside / "settings.json")
