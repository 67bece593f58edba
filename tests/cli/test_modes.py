"""Whatever command comes first, and whatever the umask: the state directory is its owner's alone.

Of a run's folder only the folder itself is looked at: what git and the guard write into it cannot
be reached through it.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestrator.cli.main import cli
from orchestrator.replay import ReplayServer
from orchestrator.session_hooks import entry
from tests.cli.conftest import TASK, Call, Shop

RULE = ("--rule", "Ask.", "--when", "Always.", "--why", "Because.")
ARGUMENTS = {
    "run": (TASK,),
    "resume": (),
    "tasks run": ("tasks.md", "--dry-run"),
    "tasks status": (),
    "tasks resume": (),
    "tasks retry": ("last", "T001"),
    "tasks cancel": (),
    "tasks clean": (),
    "runs": (),
    "runs show": (),
    "runs prune": (),
    "runs events": (),
    "report-failure": ("--failure-type", "planning_error", "--description", "It guessed."),
    "teach": ("--pending",),
    "teacher test": (),
    "teacher workflow": (),
    "rules list": (),
    "rules pending": (),
    "rules show": ("r-000000",),
    "rules why": ("r-000000",),
    "rules add": RULE,
    "rules edit": ("r-000000", *RULE),
    "rules retire": ("r-000000",),
    "rules restore": ("r-000000",),
    "rules reject": ("r-000000",),
    "rules approve": ("r-000000",),
    "rules adopt": ("r-000000",),
    "rules archive": (),
    "review": (),
    "review list": (),
    "review show": ("p-000000",),
    "review accept": ("p-000000",),
    "review edit": ("p-000000", *RULE),
    "review reject": ("p-000000",),
    "review schedule": (),
    "sessions list": (),
    "sessions show": ("00000000",),
    "sessions search": ("text",),
    "sessions export": ("00000000",),
    "stats": (),
    "learnings init": ("local", "--hooks"),
    "learnings promote": ("LRN-20260101-001",),
    "learnings log": ("lrn", "Ask first."),
    "learnings review": (),
    "learnings resolve": ("LRN-20260101-001",),
    "learnings resume": (),
    "learnings score": (
        *("--frequency", "1", "--failure-reduction", "1"),
        *("--user-burden", "1", "--self-cost", "1"),
    ),
    "hooks install": ("local",),
    "hooks uninstall": ("local",),
    "hook": (),
    "config show": (),
    "config edit": (),
    "docs": (),
    "help": (),
    "version": (),
    "completion": ("bash",),
    "trust": (),
    "demo": (),
    "init": ("--yes",),
    "doctor": (),
    "undo": ("--yes",),
    "worker": ("--once",),
    "workers": (),
}
"""Arguments of every command, such that most of them come to use the state directory."""

WITHOUT_PROJECT = {
    *("resume", "runs", "runs show", "runs events", "teacher workflow", "hook", "demo"),
    *("docs", "help", "version", "completion", "review schedule", "sessions show"),
    *("sessions export", "worker", "workers"),
}
ELSEWHERE = {"demo"}
"""It has a state directory of its own, in a folder that `mkdtemp` makes."""
USES_NO_STATE = {
    *("teacher workflow", "teacher test", "config show", "trust", "demo", "teach", "init"),
    *("learnings init", "learnings promote", "learnings log", "learnings review"),
    *("learnings resolve", "learnings resume", "learnings score"),
    *("hooks install", "hooks uninstall"),
    *("config edit", "docs", "help", "version", "completion", "doctor", "review schedule"),
}
"""They do not open the database, and so correct no mode; nothing is pending for `teach`."""

EVENT = {
    "hook_event_name": "PreToolUse",
    "session_id": "s",
    "tool_name": "Bash",
    "tool_use_id": "toolu_1",
    "tool_input": {"command": "rm -rf build"},
}


def iter_commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every command that does something by itself."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from iter_commands(inner, (*path, name))
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield " ".join(path)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISUAL", "true")  # for `config edit`: it changes nothing
    state = tmp_path / "home" / "local" / "state"
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(state))
    return state


@pytest.fixture
def lax_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def call_command(call: Call, command: str, shop: Shop) -> None:
    """Call a command, which may fail, but not by a bug."""
    if command == "hook":
        subprocess.run(
            [sys.executable, "-I", "-S", entry.__file__],
            input=json.dumps({**EVENT, "cwd": str(shop.project)}).encode(),
            env={**os.environ, "CLAUDE_PROJECT_DIR": str(shop.project)},
            check=True,
        )
        return
    if command == "tasks run":
        shop.write("tasks.md", f"- [ ] {TASK}\n")
    place = () if command in WITHOUT_PROJECT else ("--project-dir", shop.project)
    done = call(*command.split(), *ARGUMENTS[command], *place)
    assert done.code < 4, done.output
    assert "Usage:" not in done.err


def list_lax(state: Path) -> list[str]:
    """Return what others may read: folders, and the files that no private folder protects."""
    found = []
    for above, folders, names in os.walk(state):
        if Path(above).parent.name in ("runs", "worktrees"):
            folders.clear()
            names.clear()
        for each in (Path(above), *(Path(above) / name for name in names)):
            mode = stat.S_IMODE(each.lstat().st_mode)
            if mode & 0o077 and each.parent.name != "rulebooks":
                found.append(f"{mode:o} {each.relative_to(state)}")
    return found


def test_every_command_is_here() -> None:
    assert set(iter_commands(cli)) == ARGUMENTS.keys()


@pytest.mark.parametrize("command", sorted(ARGUMENTS.keys() - ELSEWHERE))
@pytest.mark.usefixtures("lax_umask")
def test_the_first_command_makes_it_private(
    call: Call, shop: Shop, teacher: ReplayServer, state: Path, command: str
) -> None:
    if command not in ("learnings init", "run"):
        call("learnings", "init", "local", "--project-dir", shop.project)
    shutil.rmtree(state, ignore_errors=True)
    call_command(call, command, shop)
    assert list_lax(state) == []
    assert state.exists() or command in USES_NO_STATE


@pytest.mark.parametrize("command", sorted(ARGUMENTS.keys() - USES_NO_STATE - ELSEWHERE))
def test_modes_that_are_too_lax_are_corrected(
    call: Call, shop: Shop, teacher: ReplayServer, state: Path, command: str
) -> None:
    call("learnings", "init", "local", "--project-dir", shop.project)
    call("rules", "add", *RULE, "--project-dir", shop.project)
    (state / "runs").mkdir()
    lax = [state, *state.rglob("*")]
    for each in lax:
        each.chmod(0o755 if each.is_dir() else 0o644)
    call_command(call, command, shop)
    if command == "hook":  # it opens no database, but locks the others out of the directory
        lax = [state]
    top = [each for each in lax if state in (each, each.parent)]
    assert [each for each in top if each.exists() and each.stat().st_mode & 0o077] == []


def test_folders_of_others_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    """Whoever names /tmp, a group's folder or their home does not want it closed."""
    for mode in (0o1777, 0o2775):
        (tmp_path / "shared").mkdir(exist_ok=True)
        (tmp_path / "shared").chmod(mode)
        monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "shared"))
        assert call("runs").code == 0
        assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == mode
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)  # whatever the umask
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(home))
    assert call("runs").code == 0
    assert stat.S_IMODE(home.stat().st_mode) == 0o755


def test_a_linked_state_directory_is_made_private_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "link"))
    assert call("runs").code == 0
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o700
