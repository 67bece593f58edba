"""Commits that we make and read go through GitPython, and its children through our own module."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.platform import process
from orchestrator.platform.children import Children
from orchestrator.platform.process_tree import MARK
from orchestrator.workspace.git import Git
from orchestrator.workspace.repository_history import open_private_history, open_user_history
from tests.workspace.repositories import git, repository


def test_git_is_started_by_the_one_module_that_starts_processes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(project, a_txt="one\n")
    assert open_private_history(Git(project)).has_commit("HEAD")  # GitPython is imported by now
    started: list[tuple[str, ...]] = []
    real = process.capture

    def capture(argv: tuple[str, ...], **options: object) -> process.ProcessResult:
        started.append(tuple(argv))
        return real(argv, **options)  # type: ignore[arg-type]

    def popen(*_arguments: object, **_options: object) -> None:
        raise AssertionError("GitPython started a process itself")

    monkeypatch.setattr(process, "capture", capture)
    monkeypatch.setattr("git.cmd.safer_popen", popen)
    assert open_private_history(Git(project)).is_work_tree()
    assert open_user_history(project).is_work_tree()
    assert [argv[0] for argv in started] == ["git", "git"]
    assert [argv[-2:] for argv in started] == [("rev-parse", "--is-inside-work-tree")] * 2


def test_the_children_carry_the_marks_of_the_run(project: Path) -> None:
    repository(project, a_txt="one\n")
    hook = project / ".git" / "hooks" / "pre-commit"
    hook.write_text(f"#!/bin/sh\necho ${MARK} >marks\n", encoding="utf-8")
    hook.chmod(0o755)
    (project / "a.txt").write_text("two\n", encoding="utf-8")
    with Children("the-run").collect():
        open_user_history(project).commit_paths(["a.txt"], "two")
    assert "the-run" in (project / "marks").read_text("utf-8").strip().split(":")


def test_a_command_that_takes_too_long_is_ended(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(project, a_txt="one\n")
    hook = project / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\nsleep 60\n", encoding="utf-8")
    hook.chmod(0o755)
    (project / "a.txt").write_text("two\n", encoding="utf-8")
    real = process.capture
    monkeypatch.setattr(process, "capture", lambda argv, **rest: real(argv, **rest, timeout=0.5))
    with pytest.raises(UsageError, match="git commit refuses"):
        open_user_history(project).commit_paths(["a.txt"], "two")


def test_a_file_is_read_byte_for_byte_and_an_absent_one_is_empty(project: Path) -> None:
    repository(project, a_txt="one\n\n")
    history = open_private_history(Git(project))
    assert history.read_file("HEAD:./a.txt") == b"one\n\n"
    assert history.read_file("HEAD:./b.txt") == b""
    assert (history.has_path("HEAD:./a.txt"), history.has_path("HEAD:./b.txt")) == (True, False)


def test_a_sha256_repository_has_a_history_too(project: Path, tmp_path: Path) -> None:
    git(project, "init", "-q", "--object-format=sha256")
    (project / "a.txt").write_text("one\n", encoding="utf-8")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "first")
    history = open_private_history(Git(project))
    assert len(history.resolve_commit("HEAD")) == 64
    assert history.commit_index("nothing") == history.resolve_commit("HEAD")
    assert history.find_commit_time(project / "a.txt")
    assert history.find_commit_time(project / "b.txt") is None


def test_names_that_are_not_utf_8_are_shown(project: Path) -> None:
    repository(project, a_txt="one\n")
    (Path(str(project)) / b"caf\xe9".decode("utf-8", "surrogateescape")).touch()
    assert open_private_history(Git(project)).list_uncommitted_paths() == ("caf\\xe9",)


@pytest.mark.parametrize("quiet", ["", "quiet"])
def test_without_git_the_message_says_so(quiet: str, project: Path, tmp_path: Path) -> None:
    # In a process of its own, because GitPython looks for git once, when it is imported.
    script = (
        "from pathlib import Path\n"
        "from orchestrator.errors import InfrastructureError\n"
        "from orchestrator.workspace.repository_history import open_user_history\n"
        "try:\n    open_user_history(Path()).is_work_tree()\n"
        "except InfrastructureError as error:\n    print(error)\n"
    )
    variables = {"PATH": "/nowhere", "PYTHONPATH": str(Path(__file__).parents[2])}
    if quiet:
        variables["GIT_PYTHON_REFRESH"] = quiet
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env=variables,
    )
    assert done.stdout.startswith("git cannot be started: "), done.stderr
    assert "install git" in done.stdout
    assert done.stderr == ""


def test_a_failure_of_git_is_reported_in_full(project: Path) -> None:
    repository(project, a_txt="one\n")
    with pytest.raises(InfrastructureError, match="rev-parse --verify refs/heads/none") as caught:
        open_private_history(Git(project)).resolve_commit("refs/heads/none")
    assert "fatal:" in str(caught.value)
    with pytest.raises(UsageError, match="git rev-parse refuses: fatal:"):
        open_user_history(project).resolve_commit("refs/heads/none")


@pytest.mark.parametrize("refresh", [None, "warn", "no such word"])
def test_the_users_variables_for_gitpython_decide_nothing(
    project: Path, tmp_path: Path, refresh: str | None
) -> None:
    repository(project, a_txt="one\n")
    (project / "git").write_text("#!/bin/sh\ntouch started\nexit 1\n", encoding="utf-8")
    (project / "git").chmod(0o755)
    calls = tmp_path / "calls"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    real = shutil.which("git")
    wrapper.write_text(f'#!/bin/sh\necho "$*" >>{calls}\nexec {real} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    script = (
        "import os\n"
        "from pathlib import Path\n"
        "from orchestrator.workspace.repository_history import open_user_history\n"
        "before = dict(os.environ)\n"
        "assert open_user_history(Path.cwd()).is_work_tree()\n"
        "assert dict(os.environ) == before\n"
    )
    environment = {**os.environ, "GIT_PYTHON_GIT_EXECUTABLE": "./git"}
    environment |= {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    if refresh:
        environment["GIT_PYTHON_REFRESH"] = refresh
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=project,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not (project / "started").exists()
    assert "version" not in calls.read_text("utf-8")
