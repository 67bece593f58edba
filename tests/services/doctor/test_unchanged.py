"""Without --fix the doctor changes nothing: not a byte, not a mode, not a time."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.services.doctor.results import Status
from orchestrator.services.doctor.running import diagnose
from orchestrator.services.doctor.subject import examine
from orchestrator.session_hooks.settings import install_hooks
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import resolve_state_directory
from tests.trusting import trust_project

pytestmark = pytest.mark.whole

Snapshot = dict[str, tuple[int, int, bytes]]


def take_snapshot(*folders: Path) -> Snapshot:
    """Return mode, time of change and content of everything below some folders."""
    found: Snapshot = {}
    for folder in folders:
        for path in (folder, *sorted(folder.rglob("*"))):
            status = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


def fill(project: Path, home: Path) -> None:
    """Make a project, a configuration folder and a state directory as people have them."""
    config = home / ".claude"
    (config / "projects" / "x").mkdir(parents=True)
    (config / "projects" / "x" / "a.jsonl").write_text("{}\n", encoding="utf-8")
    hook = {"hooks": [{"type": "command", "command": f"touch {home}/ran"}]}
    settings = {"model": "opus", "hooks": {"SessionStart": [hook], "UserPromptSubmit": [hook]}}
    (config / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (config / "CLAUDE.md").write_text("Answer in verse.\n", encoding="utf-8")
    server = {"command": "touch", "args": [f"{home}/served"]}
    state = {"numStartups": 7, "mcpServers": {"s": server}}
    (home / ".claude.json").write_text(json.dumps(state), encoding="utf-8")
    (project / "tests").mkdir()
    (project / "tests" / "test_a.py").write_text("def test_a():\n    pass\n", encoding="utf-8")
    command = f"{sys.executable} -m pytest tests/"
    text = json.dumps({"tests": {"command": command}})
    (project / "orchestrator.yaml").write_text(text, encoding="utf-8")
    (project / "CLAUDE.md").write_text("# Notes\n\nBe brief.\n", encoding="utf-8")
    (project / ".mcp.json").write_text(json.dumps({"mcpServers": {"t": server}}), encoding="utf-8")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    (project / "tests" / "test_a.py").touch()  # git's index is stale: `git status` refreshes it
    install_hooks(project / ".claude" / "settings.json")
    with Store():
        pass
    trust_project(project)


def test_nothing_changes(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-user")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    fill(project, home)
    state = resolve_state_directory()
    before = take_snapshot(project, home, state)
    diagnosis = diagnose(examine(project), lambda _finding: None)
    after = take_snapshot(project, home, state)
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    assert changed == [], "\n".join(changed)
    checks = [finding.check for finding in diagnosis.findings]
    assert len({check.link for check in checks}) == 16
    broken = [check for check in checks if check.status is Status.BROKEN]
    assert broken == []
    loaded = [check for check in checks if check.link == "loaded"]
    assert [check.status for check in loaded] == [Status.OK, Status.OK]
