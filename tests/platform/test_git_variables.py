"""No child inherits the variables by which git refers to the caller's repository."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.agents.claude_environment import build_child_environment
from orchestrator.agents.command import CommandAgent
from orchestrator.models import AgentLimits
from orchestrator.platform import process
from orchestrator.platform.git_variables import drop_repository_variables
from orchestrator.suites.environment import (
    build_project_environment,
    restore_decisive_variables,
    select_decisive_variables,
)
from orchestrator.workspace.repository_history import open_user_history

KEPT = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_CEILING_DIRECTORIES": "/home",
    "GIT_CONFIG_GLOBAL": "/etc/gitconfig",
    "GIT_EXEC_PATH": "/usr/lib/git-core",
    "GIT_SSH_COMMAND": "ssh -v",
    "GITHUB_ACTIONS": "true",
    "PATH": "/bin",
}


def list_local_variables() -> dict[str, str]:
    """Return what this machine's git calls local to a repository, and what belongs to it."""
    listed = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True
    )
    pairs = {f"GIT_CONFIG_{kind}_{at}" for kind in ("KEY", "VALUE") for at in (0, 12)}
    others = {"GIT_NAMESPACE", "GIT_QUARANTINE_PATH", "GIT_REFLOG_ACTION"}
    names = {*listed.stdout.split(), *pairs, *others}
    assert len(names) > 15
    return dict.fromkeys(sorted(names), "/elsewhere")


def test_everything_about_one_repository_is_dropped() -> None:
    assert drop_repository_variables(list_local_variables() | KEPT) == KEPT


@pytest.mark.parametrize(
    "build",
    [
        lambda base, folder: build_project_environment(folder, base),
        build_child_environment,
        lambda base, _folder: restore_decisive_variables(base, {}),
        # What an earlier version stored of a run that a hook of git had started.
        lambda base, _folder: restore_decisive_variables({}, base),
        lambda base, _folder: select_decisive_variables(base),
    ],
    ids=["project", "claude", "resumed", "stored before", "stored"],
)
def test_no_environment_of_a_child_has_them(
    build: Callable[[dict[str, str], Path], dict[str, str]], tmp_path: Path
) -> None:
    local = list_local_variables()
    assert not build(local | KEPT, tmp_path).keys() & local.keys()


@pytest.fixture
def repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The caller's repository, to which the variables refer, and another folder."""
    mine, other = tmp_path / "mine", tmp_path / "other"
    other.mkdir()
    subprocess.run(["git", "init", "-q", str(mine)], check=True)
    for name, path in {"DIR": mine / ".git", "WORK_TREE": mine, "INDEX_FILE": mine / "i"}.items():
        monkeypatch.setenv(f"GIT_{name}", str(path))
    return mine, other


def test_a_child_without_an_environment_of_its_own_finds_its_own_repository(
    repositories: tuple[Path, Path],
) -> None:
    _, other = repositories
    assert process.capture(["git", "init", "-q"], cwd=other).returncode == 0
    assert (other / ".git").is_dir()


def test_a_command_agent_finds_its_own_repository(repositories: tuple[Path, Path]) -> None:
    mine, other = repositories
    script = "git init -q && git rev-parse --show-toplevel > top"
    agent = CommandAgent(["sh", "-c", script, "--", "{prompt}"], environment=dict(os.environ))
    agent.run("work", other, AgentLimits(), lambda _event: None)
    assert (other / "top").read_text() == f"{other}\n"
    assert not (mine / "top").exists()


def test_a_commit_of_ours_finds_its_own_repository(repositories: tuple[Path, Path]) -> None:
    mine, other = repositories
    process.capture(["git", "init", "-q"], cwd=other)
    (other / "sub").mkdir()
    assert open_user_history(other / "sub").find_top() == other != mine
