"""The hook as a process of its own: what it writes, and that it never disturbs."""

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.learnings.resume import verify_pending_steps
from orchestrator.learnings.storage import lock_workspace
from orchestrator.learnings.workspace import Workspace, initialize_workspace
from orchestrator.platform.locking import FileLock
from orchestrator.rulebook import locking
from orchestrator.session_hooks import entry, error_log, settings
from orchestrator.session_hooks.writeahead import gitfacts, locations, outcome
from orchestrator.session_hooks.writeahead.buffer import set_entry_status
from orchestrator.session_hooks.writeahead.destructive import find_dangers
from orchestrator.storage.location import find_state_directory
from orchestrator.storage.state_directory import resolve_state_directory
from tests.session_hooks.repositories import dying_remote, failing_filter, git

HOOK = Path(entry.__file__)
FORMER_HOOK = HOOK.parents[1] / "hooks" / "entry.py"
"""Where the hook was when earlier installations wrote its path into settings.json."""


@pytest.fixture
def workspace(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(project))
    monkeypatch.setenv("CLAUDE_PID", str(os.getpid()))
    made = Workspace(project, everywhere=False)
    initialize_workspace(made)
    return made


def event(project: Path, kind: str, command: str = "rm -rf build", **more: Any) -> bytes:
    return json.dumps(
        {
            "session_id": "session-1",
            "cwd": str(project),
            "hook_event_name": kind,
            "tool_name": "Bash",
            "tool_input": {"command": command},
            "tool_use_id": "toolu_1",
            **more,
        }
    ).encode()


def call(data: bytes, env: Mapping[str, str] | None = None) -> None:
    """Run the hook like Claude Code does, and demand that nobody notices."""
    done = subprocess.run(
        ["/bin/sh", "-c", settings.build_hook_command()],
        input=data,
        capture_output=True,
        env={**os.environ, **(env or {})},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def buffer(workspace: Workspace) -> str:
    return workspace.buffer.read_text(encoding="utf-8")


def trouble() -> str:
    path = resolve_state_directory() / "hooks" / "trouble.log"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_before_and_after(workspace: Workspace) -> None:
    call(event(workspace.base, "PreToolUse"))
    assert "**Status**: PENDING\n" in buffer(workspace)
    call(event(workspace.base, "PostToolUse", tool_response={"stdout": ""}))
    assert "**Status**: COMMITTED\n" in buffer(workspace)
    assert list((resolve_state_directory() / "hooks" / "pending").iterdir()) == []
    assert trouble() == ""


@pytest.mark.parametrize(
    ("tool", "value"),
    [
        ("Bash", '{"command": "rm -rf build", "timeout": ' + "9" * 5_000 + "}"),
        ("mcp__db__query", '{"sql": "drop table a", "x": ' + "[" * 50_000 + "]" * 50_000 + "}"),
        ("Bash", '{"command": "rm -rf build"'),
        ("Bash", '{"command": "rm -rf build \\ud800"}'),
        ("Bash", '{"command": "rm -rf build", "command": "rm -rf build"}'),
        ("Bash", '{"command": "rm -rf build", "x": NaN}'),
        ("Bash", '{"command": "' + "ls; " * 40_000 + 'rm -rf build"}'),
        ("mcp__db__query", '{"sql": "' + "drop table a; " * 400_000 + '"}'),
    ],
    ids=["digits", "nested", "cut", "surrogate", "twice", "nan", "long", "sql"],
)
def test_input_that_is_hard_to_parse_is_recorded(
    workspace: Workspace, tool: str, value: str
) -> None:
    """A destructive command is recorded, and its end too, whatever else is in the event."""
    data = event(workspace.base, "PreToolUse", tool_name=tool, tool_input="HERE")
    call(data.replace(b'"HERE"', value.encode()))
    assert "**Status**: PENDING\n" in buffer(workspace)
    assert "toolu_1 in session session-1" in buffer(workspace)
    call(event(workspace.base, "PostToolUseFailure", tool_name=tool, error="Exit code 1"))
    assert "**Outcome**: see what of it was done" in buffer(workspace)
    assert trouble() == ""


def test_only_the_own_entry_is_settled(workspace: Workspace) -> None:
    call(event(workspace.base, "PreToolUse"))
    call(event(workspace.base, "PreToolUse", "git clean -fd", tool_use_id="toolu_12"))
    call(event(workspace.base, "PostToolUse"))
    first, second = buffer(workspace).split("## WAL Entry")[1:]
    assert "**Status**: COMMITTED\n" in first
    assert "**Status**: PENDING\n" in second


@pytest.mark.parametrize(
    ("command", "good", "bad"),
    [
        ("rm -rf build", "COMMITTED", "PENDING"),
        ("git reset --hard old", "COMMITTED", "ROLLED_BACK"),
        ("cd . && git push -f origin main", "COMMITTED", "ROLLED_BACK"),
        ("git push -f origin main dev", "COMMITTED", "PENDING"),
        ("git push --mirror", "COMMITTED", "PENDING"),
        ("timeout 9 git push -f", "COMMITTED", "PENDING"),
        ("terraform apply", "COMMITTED", "PENDING"),
        ("rm -rf dist && npm run build", "COMMITTED", "PENDING"),
        ("git reset --hard old && make", "COMMITTED", "PENDING"),
        ("ls; rm -rf a && rm -rf b", "COMMITTED", "PENDING"),
        ("ssh prod 'ls; rm -rf x'", "COMMITTED", "PENDING"),
        ("bash -c 'git reset --hard old'", "COMMITTED", "PENDING"),
        ("git push --force nowhere main; echo done", "PENDING", "PENDING"),
        ("rm -rf a\nls", "PENDING", "PENDING"),
        ("rm -rf a || true", "PENDING", "PENDING"),
        ("true || rm -rf a", "PENDING", "PENDING"),
        ("[ -d a ] || exit 0; rm -rf a", "PENDING", "PENDING"),
        ("git diff --quiet && exit 0; git push --force origin main", "PENDING", "PENDING"),
        ("test -d a || return 0\nrm -rf a", "PENDING", "PENDING"),
        ("exec make; rm -rf a", "PENDING", "PENDING"),
        ("bash -c 'ls || exit 0; rm -rf a'", "PENDING", "PENDING"),
        ("exec rm -rf a", "COMMITTED", "PENDING"),
        ("rm -rf a && exit 0", "COMMITTED", "PENDING"),
        ("rm -rf !(keep)", "COMMITTED", "PENDING"),
        ("rm -rf a | tee log", "PENDING", "PENDING"),
        ("rm -rf a &", "PENDING", "PENDING"),
        ("! rm -rf a", "PENDING", "PENDING"),
        ("if make; then rm -rf a; fi", "PENDING", "PENDING"),
        ("f() { rm -rf a; }", "PENDING", "PENDING"),
        ("(rm -rf a; ls)", "PENDING", "PENDING"),
        ("echo $(rm -rf a)", "PENDING", "PENDING"),
        ("find . | xargs rm -rf", "PENDING", "PENDING"),
        ("ssh -f prod rm -rf x", "PENDING", "PENDING"),
        ("ssh prod 'rm -rf x; ls'", "PENDING", "PENDING"),
        ("bash -c 'rm -rf x; ls'", "PENDING", "PENDING"),
        ("trap 'rm -rf x' EXIT", "PENDING", "PENDING"),
    ],
)
def test_an_exit_code_says_no_more_than_it_knows(command: str, good: str, bad: str) -> None:
    meanings = outcome.predict_statuses(find_dangers(command, "/p"))
    assert outcome.determine_status(meanings, "", False, {})[0] == good
    refused = "Exit code 128\nfatal: not a git repository (or any of the parents): .git"
    assert outcome.determine_status(meanings, refused, False, {})[0] == bad
    assert outcome.determine_status(meanings, "Exit code 128\nfatal: no", False, {})[0] == "PENDING"
    assert outcome.determine_status(meanings, "Exit code 143", False, {})[0] == "PENDING"
    assert outcome.determine_status(meanings, "Exit code 1", True, {})[0] == "PENDING"
    assert outcome.determine_status(meanings, "It timed out", False, {})[0] == "PENDING"
    assert outcome.determine_status(meanings, "", False, {"interrupted": True})[0] == "PENDING"
    no_match = {"returnCodeInterpretation": "No matches found"}
    assert outcome.determine_status(meanings, "", False, no_match)[0] == "PENDING"


def failed(folder: Path, command: str) -> str:
    """What a failed command gives, and what its entry becomes by that."""
    done = subprocess.run(
        shlex.split(command), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode
    error = f"Exit code {done.returncode}\n{done.stdout.strip()}"
    return outcome.determine_status(
        outcome.predict_statuses(find_dangers(command, "/p")), error, False, {}
    )[0]


def test_a_reset_that_fails_on_its_way_is_not_rolled_back(project: Path) -> None:
    failing_filter(project)
    assert failed(project, "git reset --hard no-such-commit") == "ROLLED_BACK"
    (project / ".git" / "index.lock").touch()
    assert failed(project, "git reset --hard") == "ROLLED_BACK"
    (project / ".git" / "index.lock").unlink()
    assert (project / "a.txt").read_text(encoding="utf-8") == "mine\n"
    assert failed(project, "git reset --hard") == "PENDING"
    assert (project / "a.txt").read_text(encoding="utf-8") == "1\n"


def test_what_a_filter_says_is_not_the_word_of_git(project: Path) -> None:
    failing_filter(project)
    git(project, "config", "filter.x.smudge", "echo fatal: not a git repository >&2; false")
    assert failed(project, "git reset --hard") == "PENDING"


def test_a_push_that_arrived_is_not_rolled_back(project: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    dying_remote(project, remote)
    push = "git push --force origin main"
    assert failed(project, push) == "PENDING"
    assert git(remote, "rev-parse", "main") == git(project, "rev-parse", "main")
    git(project, "commit", "-q", "--allow-empty", "--amend", "-m", "3")
    (remote / "hooks" / "reference-transaction").unlink()
    assert failed(project, "git push --force-with-lease=main:HEAD origin main") == "ROLLED_BACK"
    git(remote, "config", "receive.denyNonFastForwards", "true")
    assert failed(project, push) == "ROLLED_BACK"
    assert git(remote, "rev-parse", "main") != git(project, "rev-parse", "main")


def test_a_failure_is_noted(workspace: Workspace) -> None:
    call(event(workspace.base, "PreToolUse"))
    call(event(workspace.base, "PostToolUseFailure", error="Exit code 1\nrm: no"))
    text = "**Status**: PENDING\n**Outcome**: see what of it was done: Exit code 1 rm: no\n"
    assert text in buffer(workspace)
    more = {"tool_use_id": "toolu_2"}
    call(event(workspace.base, "PreToolUse", "git reset --hard x", **more))
    error = "Exit code 128\nfatal: not a git repository"
    call(event(workspace.base, "PostToolUseFailure", error=error, **more))
    text = "**Status**: ROLLED_BACK\n**Outcome**: Exit code 128 fatal: not a git repository\n"
    assert text in buffer(workspace)
    assert list((resolve_state_directory() / "hooks" / "pending").iterdir()) == []


def test_the_end_of_a_turn_settles_what_was_never_run(workspace: Workspace) -> None:
    call(event(workspace.base, "PreToolUse"))
    call(event(workspace.base, "PreToolUse", tool_use_id="toolu_2", session_id="other"))
    call(json.dumps({"session_id": "session-1", "hook_event_name": "Stop"}).encode())
    first, second = buffer(workspace).split("## WAL Entry")[1:]
    assert "ROLLED_BACK" in first
    assert "PENDING" in second


@pytest.mark.parametrize("process", ["1", "no number", ""])
def test_a_call_of_a_process_that_may_have_been_killed_stays_pending(
    workspace: Workspace, process: str
) -> None:
    call(event(workspace.base, "PreToolUse"))
    stop = json.dumps({"session_id": "session-1", "hook_event_name": "Stop"}).encode()
    call(stop, {"CLAUDE_PID": process})
    assert "**Status**: PENDING\n" in buffer(workspace)
    call(stop)
    assert "**Status**: ROLLED_BACK\n" in buffer(workspace)


def test_a_command_that_destroys_nothing_leaves_no_trace(workspace: Workspace) -> None:
    before = buffer(workspace)
    for command in ("ls", 'echo "rm -rf x"', "git push origin main"):
        call(event(workspace.base, "PreToolUse", command))
        call(event(workspace.base, "PostToolUse", command))
    assert buffer(workspace) == before
    assert trouble() == ""


def test_secrets_and_length(workspace: Workspace) -> None:
    secret = "ghp_abcdefghijklmnop123456"
    command = f"rm -rf https://u:{secret}@h/x " + "y" * 5000
    call(event(workspace.base, "PreToolUse", command))
    failed = f"TOKEN={secret} curl -H 'Authorization: Bearer {secret}' x " + "z" * 5000
    call(event(workspace.base, "PostToolUseFailure", failed, error=f"Exit code 1\n{secret}" * 400))
    log = workspace.pending_errors.read_text(encoding="utf-8")
    assert secret not in buffer(workspace) + log
    assert max(map(len, buffer(workspace).splitlines())) < 600
    assert len(log) < 1500


def test_an_interruption_and_a_run_of_ours_are_no_failures(workspace: Workspace) -> None:
    call(event(workspace.base, "PostToolUseFailure", error="x", is_interrupt=True))
    call(event(workspace.base, "PostToolUseFailure", error="x"), {"ORCHESTRATOR_RUN": "1"})
    assert not workspace.pending_errors.exists()
    call(event(workspace.base, "PostToolUseFailure", error="x"))
    assert workspace.pending_errors.exists()


def test_the_global_workspace_serves_where_the_project_has_none(
    project: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(project))
    call(event(project, "PreToolUse"))
    assert list(project.iterdir()) == []
    everywhere = Workspace(home / ".claude", everywhere=True)
    initialize_workspace(everywhere)
    call(event(project, "PreToolUse"))
    assert "rm -rf build" in buffer(everywhere)
    assert list(project.iterdir()) == []


def test_a_session_in_a_folder_below_writes_to_the_project(workspace: Workspace) -> None:
    (workspace.base / ".git").mkdir()
    below = workspace.base / "src"
    below.mkdir()
    call(event(below, "PreToolUse"), {"CLAUDE_PROJECT_DIR": str(below)})
    assert str(below / "build") in buffer(workspace)


def test_own_patterns_are_noted(workspace: Workspace, home: Path) -> None:
    (workspace.base / locations.PATTERNS).write_text("make deploy-*\n", encoding="utf-8")
    call(event(workspace.base, "PreToolUse", "cd x && make deploy-prod"))
    assert "make deploy-prod" in buffer(workspace)


def test_patterns_that_cannot_be_read_cost_no_entry(workspace: Workspace, home: Path) -> None:
    (workspace.base / locations.PATTERNS).mkdir()
    (home / ".claude").mkdir(exist_ok=True)
    (home / ".claude" / ".learnings").touch()
    call(event(workspace.base, "PreToolUse"))
    assert "rm -rf build" in buffer(workspace)
    assert "IsADirectoryError" in trouble()
    assert trouble().count("\n") == 1


def test_a_database_tool_is_noted(workspace: Workspace) -> None:
    more: dict[str, Any] = {
        "tool_name": "mcp__db__query",
        "tool_input": {"sql": "DROP TABLE users"},
    }
    call(event(workspace.base, "PreToolUse", **more))
    assert "**Operation**: DROP TABLE users\n" in buffer(workspace)


def test_git_facts_are_noted(workspace: Workspace) -> None:
    git = ["git", "-C", str(workspace.base)]
    for arguments in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    commit = head.stdout.strip()
    subprocess.run([*git, "update-ref", "refs/remotes/origin/main", commit], check=True)
    assert gitfacts.read_head(str(workspace.base)) == f"{commit} on main"
    subprocess.run([*git, "pack-refs", "--all"], check=True)
    assert gitfacts.read_head(str(workspace.base)) == f"{commit} on main"
    call(event(workspace.base, "PreToolUse", "git push -f origin main"))
    tip = f"**Before**: HEAD {commit} on main; refs/remotes/origin/main {commit}\n"
    assert tip in buffer(workspace)
    subprocess.run([*git, "remote", "add", "origin", "x"], check=True)
    head_of = ["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]
    subprocess.run([*git, *head_of], check=True)
    again = event(workspace.base, "PreToolUse", "git push -f origin HEAD", tool_use_id="toolu_2")
    call(again)
    assert buffer(workspace).count(tip) == 2


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
@pytest.mark.parametrize("last", [b"", b"no newline at the end"])
def test_what_people_wrote_stays(workspace: Workspace, ending: bytes, last: bytes) -> None:
    before = b"\xef\xbb\xbf# Mine" + ending + b"caf\xe9 \x00 \xff" + ending + last
    workspace.buffer.write_bytes(before)
    call(event(workspace.base, "PreToolUse"))
    call(event(workspace.base, "PostToolUse"))
    after = workspace.buffer.read_bytes()
    assert after.startswith(before)
    assert b"**Status**: COMMITTED" + ending in after
    assert after.count(b"\n") == after.count(ending)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no JSON",
        b"[]",
        b'{"hook_event_name": "PostToolUseFailure"}',
        b'{"hook_event_name": "PreToolUse", "tool_input": {"command": "rm -rf x"}}',
        b'{"hook_event_name": "PreToolUse", "tool_input": "rm -rf x", "tool_use_id": 7}',
        b'{"hook_event_name": "PreToolUse", "tool_use_id": "../../x", "tool_name": "Bash",'
        b' "tool_input": {"command": "rm -rf x"}}',
        b"\xff\xfe\x00",
        b'{"hook_event_name": "PostToolUseFailure", "tool_input": ' + b"[" * 100_000,
    ],
)
def test_events_that_are_none(workspace: Workspace, data: bytes) -> None:
    before = buffer(workspace)
    call(data)
    assert "## WAL Entry" not in buffer(workspace).removeprefix(before)


def test_trouble_is_logged(workspace: Workspace) -> None:
    workspace.buffer.unlink()
    workspace.buffer.mkdir()
    call(event(workspace.base, "PreToolUse"))
    assert "working-buffer.md" in trouble()


def test_utf_16_is_left_alone(workspace: Workspace) -> None:
    before = "Notes\n".encode("utf-16")
    workspace.buffer.write_bytes(before)
    call(event(workspace.base, "PreToolUse"))
    assert workspace.buffer.read_bytes() == before
    assert "UTF-16" in trouble()


def test_links_lead_nowhere(workspace: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "bashrc"
    target.write_text("mine\n", encoding="utf-8")
    workspace.buffer.unlink()
    workspace.buffer.symlink_to(target)
    workspace.pending_errors.symlink_to(target)
    call(event(workspace.base, "PreToolUse"))
    call(event(workspace.base, "PostToolUseFailure", error="x"))
    assert target.read_text(encoding="utf-8") == "mine\n"


def test_a_linked_workspace_of_a_project_is_none(project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project / ".learnings").symlink_to(tmp_path / "elsewhere")
    assert locations.find_local_base(str(project)) is None


def test_an_unwritable_state_directory_costs_the_entry_and_nothing_else(
    workspace: Workspace,
) -> None:
    call(event(workspace.base, "PreToolUse"), {"ORCHESTRATOR_STATE_DIR": "/proc/none"})
    call(event(workspace.base, "PostToolUseFailure", error="x"),
         {"ORCHESTRATOR_STATE_DIR": "/proc/none"})  # fmt: skip
    assert "## WAL Entry" not in buffer(workspace)
    assert "TOOL_FAILURE" in workspace.pending_errors.read_text(encoding="utf-8")


def test_without_a_home_no_folder_is_made_in_its_place(workspace: Workspace) -> None:
    script = (
        f"import pwd, runpy, sys; sys.path.insert(0, {str(HOOK.parents[2])!r})\n"
        "def nobody(_): raise KeyError\n"
        "pwd.getpwuid = nobody\n"
        f"runpy.run_path({str(HOOK)!r}, run_name='__main__')"
    )
    for kind in ("PreToolUse", "PostToolUseFailure"):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", script],
            input=event(workspace.base, kind, error="x"),
            capture_output=True,
            cwd=workspace.base,
            env={"CLAUDE_PROJECT_DIR": str(workspace.base)},
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not (workspace.base / "~").exists()
    assert "TOOL_FAILURE" in workspace.pending_errors.read_text(encoding="utf-8")


def test_what_could_not_be_settled_is_not_taken_for_never_run(workspace: Workspace) -> None:
    call(event(workspace.base, "PreToolUse"))
    with FileLock(locations.buffer_lock_path(str(workspace.base))):
        call(event(workspace.base, "PostToolUse"))
    call(json.dumps({"session_id": "session-1", "hook_event_name": "Stop"}).encode())
    assert "**Status**: PENDING\n" in buffer(workspace)


def test_an_entry_that_could_not_be_written_is_written_when_it_can(workspace: Workspace) -> None:
    workspace.buffer.unlink()
    workspace.buffer.mkdir()
    call(event(workspace.base, "PreToolUse"))
    workspace.buffer.rmdir()
    call(event(workspace.base, "PreToolUse"))
    assert "**Status**: PENDING\n" in buffer(workspace)
    call(event(workspace.base, "PreToolUse", tool_use_id="toolu_2"))
    workspace.buffer.unlink()
    call(json.dumps({"session_id": "session-1", "hook_event_name": "Stop"}).encode())
    assert list((resolve_state_directory() / "hooks" / "pending").iterdir()) == []


def test_a_command_in_the_background_stays_pending(workspace: Workspace) -> None:
    call(event(workspace.base, "PreToolUse"))
    call(event(workspace.base, "PostToolUse", tool_response={"backgroundTaskId": "b1"}))
    call(json.dumps({"session_id": "session-1", "hook_event_name": "Stop"}).encode())
    assert "**Status**: PENDING\n**Outcome**: it goes on in the background" in buffer(workspace)
    assert list((resolve_state_directory() / "hooks" / "pending").iterdir()) == []


@pytest.mark.parametrize(("kind", "status"), [("subagent", "PENDING"), ("shell", "ROLLED_BACK")])
def test_calls_of_an_agent_in_the_background_are_not_over(
    workspace: Workspace, kind: str, status: str
) -> None:
    call(event(workspace.base, "PreToolUse"))
    stop = {"session_id": "session-1", "hook_event_name": "Stop"}
    call(json.dumps({**stop, "background_tasks": [{"id": "a1", "type": kind}]}).encode())
    assert f"**Status**: {status}\n" in buffer(workspace)
    call(event(workspace.base, "PostToolUse"))
    assert ("COMMITTED" in buffer(workspace)) is (kind == "subagent")


def test_what_an_editor_saves_meanwhile_is_not_lost(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(event(workspace.base, "PreToolUse"))
    fsync = os.fsync
    saved: list[int] = []

    def save(descriptor: int) -> None:
        fsync(descriptor)
        if not saved:
            saved.append(workspace.buffer.write_text(buffer(workspace) + "mine\n", "utf-8"))

    monkeypatch.setattr(os, "fsync", save)
    assert set_entry_status(str(workspace.base), "toolu_1", "COMMITTED")
    assert saved
    assert buffer(workspace).endswith("mine\n")
    assert "**Status**: COMMITTED\n" in buffer(workspace)
    assert [path.name for path in workspace.buffer.parent.iterdir()] == ["working-buffer.md"]


def test_a_line_that_does_not_fit_is_taken_back(workspace: Workspace) -> None:
    workspace.pending_errors.write_bytes(b"x\n")
    script = (
        "import resource, signal, runpy\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))\n"
        f"runpy.run_path({str(HOOK)!r}, run_name='__main__')"
    )
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", script],
        input=event(workspace.base, "PostToolUseFailure", error="x"),
        check=True,
    )
    assert workspace.pending_errors.read_bytes() == b"x\n"


def test_a_full_log_stops_growing(workspace: Workspace) -> None:
    workspace.pending_errors.write_bytes(b"x" * (1 << 20) + b"\n")
    call(event(workspace.base, "PostToolUseFailure", error="x"))
    assert workspace.pending_errors.stat().st_size == (1 << 20) + 1
    assert "is full" in trouble()


def test_many_sessions_lose_nothing(workspace: Workspace) -> None:
    each = 6

    def session(number: int) -> None:
        for turn in range(each):
            more = {"tool_use_id": f"toolu_{number}_{turn}", "session_id": f"s{number}"}
            call(event(workspace.base, "PreToolUse", "git reset --hard x", **more))
            error = "Exit code 128\nfatal: not a git repository"
            call(event(workspace.base, "PostToolUseFailure", error=error, **more))

    threads = [threading.Thread(target=session, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble() == ""
    assert buffer(workspace).count("## WAL Entry") == 8 * each
    assert buffer(workspace).count("**Status**: ROLLED_BACK") == 8 * each
    lines = workspace.pending_errors.read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line[line.index("{") :])["call"] for line in lines}) == 8 * each


def test_sessions_of_many_projects_lose_nothing(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import json, sys; sys.path.insert(0, sys.argv[1])\n"
        "from orchestrator.session_hooks.handler import handle_event\n"
        "for line in sys.stdin.buffer: handle_event(line)\n"
    )
    each = 20
    bases = [tmp_path / f"project-{number}" for number in range(8)]
    children = []
    for number, base in enumerate(bases):
        (base / ".learnings").mkdir(parents=True)
        argv = [sys.executable, "-I", "-S", "-c", script, str(HOOK.parents[2])]
        env = {**os.environ, "CLAUDE_PROJECT_DIR": str(base)}
        child = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        events = [
            event(base, kind, tool_use_id=f"toolu_{number}_{turn}")
            for turn in range(each)
            for kind in ("PreToolUse", "PostToolUse")
        ]
        children.append((child, b"\n".join(events)))
    threads = [
        threading.Thread(target=lambda child=child, data=data: said.append(child.communicate(data)))
        for child, data in children
    ]
    said: list[tuple[bytes, bytes]] = []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [stderr for _, stderr in said] == [b""] * 8
    texts = [(base / locations.BUFFER).read_text(encoding="utf-8") for base in bases]
    assert [text.count("## WAL Entry") for text in texts] == [each] * 8
    assert [text.count("**Status**: COMMITTED") for text in texts] == [each] * 8


def test_the_command_line_does_not_keep_the_hook_from_its_entry(workspace: Workspace) -> None:
    with lock_workspace(workspace.base):
        call(event(workspace.base, "PreToolUse"))
        call(event(workspace.base, "PostToolUse"))
    assert trouble() == ""
    assert "**Status**: COMMITTED\n" in buffer(workspace)


def test_hook_and_resume_share_a_lock(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "_LOCK_SECONDS", 0.1)
    with (
        FileLock(locations.buffer_lock_path(str(workspace.base))),
        pytest.raises(InfrastructureError, match=r"working-buffer\.md"),
    ):
        verify_pending_steps(workspace, lambda _: False)


def test_the_command_line_does_the_same(workspace: Workspace) -> None:
    for argv in (["-m", "orchestrator", "hook"], ["-m", "orchestrator.session_hooks"]):
        before = buffer(workspace).count("## WAL Entry")
        done = subprocess.run(
            [sys.executable, *argv],
            input=event(workspace.base, "PreToolUse", tool_use_id=f"toolu_{before}"),
            capture_output=True,
            cwd=HOOK.parents[2],
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert buffer(workspace).count("## WAL Entry") == before + 1


def test_the_state_directory_is_everybodys(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("ORCHESTRATOR_STATE_DIR", ""),
        ("XDG_STATE_HOME", str(home / "xdg")),
        ("XDG_STATE_HOME", ""),
        ("ORCHESTRATOR_STATE_DIR", "~/mine"),
    ):
        monkeypatch.setenv(name, value)
        assert find_state_directory() == str(resolve_state_directory())
        assert error_log.find_state_folder() == str(resolve_state_directory() / "hooks")


def test_a_project_that_a_link_leads_to_is_noted(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.base / ".git").mkdir(exist_ok=True)
    (workspace.base / "shop").mkdir()
    link = tmp_path / "link"
    link.symlink_to(workspace.base / "shop")
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(link))
    call(event(link, "PreToolUse"))
    assert "**Status**: PENDING" in buffer(workspace)


def test_it_starts_without_what_is_slow(workspace: Workspace) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(HOOK.parents[2])!r})\n"
        "import orchestrator.session_hooks.handler, orchestrator.session_hooks.writeahead.entries\n"
        "slow = {'pathlib', 'typing', 'dataclasses', 'pydantic', 'click', 'rich', 'yaml',"
        " 'subprocess', 'asyncio', 'datetime', 'inspect', 'tempfile', 'shlex'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_most_calls_import_only_what_knows_where_things_are(workspace: Workspace) -> None:
    state = {"orchestrator", "orchestrator.storage", "orchestrator.storage.location"}
    ours = {f"orchestrator.platform{module}" for module in ("", ".bom", ".folders")}
    hooks = "orchestrator.session_hooks"
    ours |= {hooks, f"{hooks}.writeahead", f"{hooks}.writeahead.locations"}
    assert {"json", "orchestrator.session_hooks.handler"} <= imported(
        event(workspace.base, "PreToolUse")
    )
    quick = imported(event(workspace.base, "PreToolUse", "pytest tests -q"))
    assert {each for each in quick if each.startswith("orchestrator")} == ours | state
    after = imported(event(workspace.base, "PostToolUse", "pytest tests -q", tool_use_id="toolu_2"))
    assert {each for each in after if each.startswith("orchestrator")} == state
    assert {"json", "re", "pathlib", "typing"}.isdisjoint(quick | after)


def test_settings_of_an_earlier_installation_still_run_the_hook(
    workspace: Workspace, tmp_path: Path
) -> None:
    former = f"{shlex.join([sys.executable, '-I', '-S', str(FORMER_HOOK)])} 2>/dev/null || : "
    hook = {"type": "command", "command": former + settings.MARK, "timeout": 10}
    file = tmp_path / "settings.json"
    hooks = {name: [{"matcher": "", "hooks": [hook]}] for name in settings.EVENTS}
    file.write_text(json.dumps({"hooks": hooks}), encoding="utf-8")

    def send(data: bytes) -> None:
        group = json.loads(file.read_text(encoding="utf-8"))["hooks"]["PreToolUse"][0]
        done = subprocess.run(
            ["/bin/sh", "-c", group["hooks"][0]["command"]],
            input=data, capture_output=True, cwd=workspace.base, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    send(event(workspace.base, "PreToolUse"))
    assert "**Status**: PENDING\n" in buffer(workspace)
    send(event(workspace.base, "PostToolUse"))
    assert "**Status**: COMMITTED\n" in buffer(workspace)
    send(event(workspace.base, "PostToolUseFailure", error="x"))
    assert "TOOL_FAILURE" in workspace.pending_errors.read_text(encoding="utf-8")
    assert trouble() == ""
    settings.install_hooks(file)
    assert str(FORMER_HOOK) not in file.read_text(encoding="utf-8")
    send(event(workspace.base, "PreToolUse", tool_use_id="toolu_2"))
    assert buffer(workspace).count("## WAL Entry") == 2


def test_the_former_hook_imports_no_more_than_the_hook(workspace: Workspace) -> None:
    for data in (
        event(workspace.base, "PreToolUse", "pytest tests -q"),
        event(workspace.base, "PostToolUse", "pytest tests -q", tool_use_id="toolu_2"),
    ):
        more = imported(data, FORMER_HOOK) - imported(data)
        assert more <= {"orchestrator.session_hooks", "orchestrator.session_hooks.entry"}


def imported(data: bytes, hook: Path = HOOK) -> set[str]:
    """Return the modules that the hook imports for an event."""
    argv = [sys.executable, "-I", "-S", "-X", "importtime", str(hook)]
    done = subprocess.run(argv, input=data, capture_output=True, check=True)
    lines = done.stderr.decode().splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
