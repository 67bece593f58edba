"""The installed hooks in the real Claude Code program, and what lands on disk."""

import json
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from orchestrator.learnings import review
from orchestrator.learnings.workspace import Workspace, initialize_workspace
from orchestrator.platform import process
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.session_hooks import settings
from tests.replay.claude import ClaudeRun, claude_command, claude_env, run_claude
from tests.session_hooks.repositories import failing_filter


@pytest.fixture
def workspace(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    process.capture(["git", "init", "-q"], cwd=project)
    made = Workspace(project, everywhere=False)
    initialize_workspace(made)
    settings.install_hooks(settings.local_settings(project))
    return made


def run(
    project: Path, home: Path, *commands: str, allow: bool = True, background: bool = False
) -> ClaudeRun:
    more = {"description": "x", **({"run_in_background": True} if background else {})}
    steps = [
        {"tools": [{"name": "Bash", "input": {"command": command, **more}}]} for command in commands
    ]
    env = {"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": ""} if background else {}
    scenario = {"answers": [{"steps": [*steps, {"say": "Done."}]}]}
    allowed = ("--allowedTools", "Bash") if allow else ()
    with ReplayServer(parse_scenario(json.dumps(scenario))) as model:
        return run_claude(model.url, "Tidy up", project, home, *allowed, env=env)


def undisturbed(run: ClaudeRun) -> bool:
    return (
        run.completed.returncode == 0
        and run.result["result"] == "Done."
        and run.result["terminal_reason"] == "completed"
        and not run.result["is_error"]
    )


def fields(workspace: Workspace) -> dict[str, str]:
    text = workspace.buffer.read_text(encoding="utf-8")
    entry = text.rpartition("## WAL Entry")[2]
    pairs = (line.split("**: ", 1) for line in entry.splitlines() if line.startswith("**"))
    return {name.strip("*"): value for name, value in pairs}


def test_a_destructive_command_is_pending_while_it_runs_and_committed_after(
    workspace: Workspace, home: Path
) -> None:
    project = workspace.base
    (project / "build").mkdir()
    done = run(project, home, "cp memory/working-buffer.md during.md && rm -rf build")
    assert undisturbed(done)
    assert not (project / "build").exists()
    during = (project / "during.md").read_text(encoding="utf-8")
    assert "**Operation**: rm -rf build\n" in during
    assert "**Status**: PENDING\n" in during
    entry = fields(workspace)
    assert entry["Operation"] == "rm -rf build"
    assert entry["Affected resources"] == str(project / "build")
    assert entry["Blast radius"]
    assert entry["Rollback"]
    assert entry["Status"] == "COMMITTED"
    assert workspace.buffer.read_text(encoding="utf-8").count("## WAL Entry") == 1
    assert not workspace.pending_errors.exists()


def test_a_destructive_command_that_fails_is_rolled_back_and_logged(
    workspace: Workspace, home: Path
) -> None:
    done = run(workspace.base, home, "git reset --hard no-such-commit")
    assert undisturbed(done)
    entry = fields(workspace)
    assert entry["Status"] == "ROLLED_BACK"
    assert entry["Outcome"].startswith("Exit code 128 fatal: ambiguous argument")
    line = workspace.pending_errors.read_text(encoding="utf-8")
    assert line.count("\n") == 1
    assert "TOOL_FAILURE: Bash " in line
    assert "no-such-commit" in line


def test_a_reset_that_fails_on_its_way_is_not_said_to_be_rolled_back(
    workspace: Workspace, home: Path
) -> None:
    project = workspace.base
    failing_filter(project)
    assert undisturbed(run(project, home, "git reset --hard"))
    assert (project / "a.txt").read_text(encoding="utf-8") != "mine\n"
    entry = fields(workspace)
    assert entry["Status"] == "PENDING"
    assert "smudge filter x failed" in entry["Outcome"]


def test_a_failing_call_is_logged_without_its_secrets_and_becomes_an_entry(
    workspace: Workspace, home: Path
) -> None:
    done = run(workspace.base, home, "API_TOKEN=abcdef123456 ls no-such-file", "echo fine")
    assert undisturbed(done)
    line = workspace.pending_errors.read_text(encoding="utf-8")
    assert "ls no-such-file" in line
    assert "abcdef123456" not in line
    found = review.review_workspace(workspace)
    assert len(found.imported) == 1
    (entry,) = workspace.read_entries()
    assert entry.context == "Bash failed: API_TOKEN=[redacted: secret] ls no-such-file"
    assert entry.content.startswith("Exit code 2")
    assert workspace.pending_errors.read_bytes() == b""
    assert "## WAL Entry" not in workspace.buffer.read_text(encoding="utf-8")


def test_a_call_that_was_not_permitted_does_not_stay_pending(
    workspace: Workspace, home: Path
) -> None:
    (workspace.base / "build").mkdir()
    done = run(workspace.base, home, "git clean -fdx", allow=False)
    assert undisturbed(done)
    assert done.result["permission_denials"]
    assert (workspace.base / "build").exists()
    entry = fields(workspace)
    assert (entry["Operation"], entry["Status"]) == ("git clean -fdx", "ROLLED_BACK")
    assert "not permitted" in entry["Outcome"]


@pytest.mark.whole
def test_a_session_that_was_killed_and_taken_up_again_says_nothing_untrue(
    workspace: Workspace, home: Path
) -> None:
    (workspace.base / "build").mkdir()
    session = str(uuid.uuid4())
    command = {"command": "rm -rf build; sleep 20", "description": "x"}
    steps = [{"tools": [{"name": "Bash", "input": command}]}, {"say": "Done."}]
    scenario = parse_scenario(json.dumps({"answers": [{"steps": steps}]}))
    allowed = ("--allowedTools", "Bash")
    with ReplayServer(scenario) as model, subprocess.Popen(
        claude_command("Tidy up", *allowed, "--session-id", session),
        cwd=workspace.base, env=claude_env(model.url, home), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as killed:  # fmt: skip
        while (workspace.base / "build").exists():
            assert killed.poll() is None
            time.sleep(0.05)
        os.killpg(killed.pid, signal.SIGKILL)
    # One answer before the last: the calls of the killed turn are still to be answered.
    says = [{"say": text} for text in ("Yes.", "Done.", "No.")]
    with ReplayServer(parse_scenario(json.dumps({"answers": [{"steps": says}]}))) as model:
        resumed = run_claude(
            model.url, "Go on", workspace.base, home, *allowed, "--resume", session
        )
    assert resumed.completed.returncode == 0
    assert resumed.result["session_id"] == session
    assert fields(workspace)["Status"] == "PENDING"
    assert "Outcome" not in fields(workspace)


def test_a_command_in_the_background_is_not_said_to_be_done(
    workspace: Workspace, home: Path
) -> None:
    assert undisturbed(run(workspace.base, home, "sleep 1; rm -rf build", background=True))
    entry = fields(workspace)
    assert (entry["Operation"], entry["Status"]) == ("rm -rf build", "PENDING")
    assert "in the background" in entry["Outcome"]


def test_hooks_of_project_and_user_together_note_a_call_once(
    workspace: Workspace, home: Path
) -> None:
    settings.install_hooks(home / ".claude" / "settings.json")
    (workspace.base / "build").mkdir()
    assert undisturbed(run(workspace.base, home, "rm -rf build", "ls no-such-file"))
    assert workspace.buffer.read_text(encoding="utf-8").count("## WAL Entry") == 1
    assert workspace.pending_errors.read_text(encoding="utf-8").count("TOOL_FAILURE") == 1


def test_an_unwritable_state_directory_disturbs_nothing(
    workspace: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", "/proc/no/such/place")
    (workspace.base / "build").mkdir()
    done = run(workspace.base, home, "rm -rf build", "ls no-such-file")
    assert undisturbed(done)
    assert not (workspace.base / "build").exists()
    assert "hook" not in done.completed.text.lower()


def test_an_uninstalled_package_disturbs_nothing(workspace: Workspace, home: Path) -> None:
    path = settings.local_settings(workspace.base)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("/entry.py", "/gone.py"), encoding="utf-8")
    (workspace.base / "build").mkdir()
    assert undisturbed(run(workspace.base, home, "rm -rf build"))
    assert not (workspace.base / "build").exists()
