import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from orchestrator.agents.command import CommandAgent
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.events import AgentSpoke, Event
from orchestrator.models import AgentLimits, SuiteOutcome
from orchestrator.services.workflow_check import API_KEY_VARIABLE
from orchestrator.suites import create_suite
from orchestrator.suites.environment import (
    build_project_environment,
    find_virtualenv,
    restore_decisive_variables,
    select_decisive_variables,
)
from orchestrator.suites.pytest.suite import PytestSuite
from teacher.local import OWN_KEY_VARIABLE
from teacher.refusals import TOKEN_VARIABLE
from tests.suites.projects import write

OURS = sysconfig.get_path("scripts")


def make_virtualenv(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


def make_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def test_the_projects_own_environment_is_active(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = make_virtualenv(project / ".venv")
    make_program(venv / "bin/pytest", 'echo "the project\'s own, $VIRTUAL_ENV"; exit 4')
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere/else")
    monkeypatch.setenv("PYTHONHOME", "/somewhere/else")
    report = PytestSuite("pytest tests/", 60).run(project)
    assert report.outcome is SuiteOutcome.USAGE_ERROR
    assert report.output == f"the project's own, {venv}\n"
    assert "PYTHONHOME" not in build_project_environment(project)


def test_the_teachers_token_reaches_neither_suite_nor_agent(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (TOKEN_VARIABLE, OWN_KEY_VARIABLE, API_KEY_VARIABLE):
        monkeypatch.setenv(name, "ours-alone")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the-projects-too")
    said = create_suite("command", "env", 60).run(project).output
    agent = CommandAgent(["env"], environment=build_project_environment(project))
    heard: list[Event] = []
    agent.run("go", project, AgentLimits(), heard.append)
    for text in (said, "\n".join(each.text for each in heard if isinstance(each, AgentSpoke))):
        assert "the-projects-too" in text
        assert "ours-alone" not in text


def test_an_environment_above_counts_up_to_the_git_toplevel(project: Path) -> None:
    venv = make_virtualenv(project / "venv")
    inner = project / "a/b"
    inner.mkdir(parents=True)
    assert "VIRTUAL_ENV" not in build_project_environment(inner)
    (project / ".git").mkdir()
    assert build_project_environment(inner)["VIRTUAL_ENV"] == str(venv)
    (project / "a/.git").write_text("gitdir: elsewhere\n", encoding="utf-8")
    assert "VIRTUAL_ENV" not in build_project_environment(inner)


def test_an_environment_of_any_name_counts_if_it_is_the_only_one(project: Path) -> None:
    first = make_virtualenv(project / "env311")
    assert find_virtualenv(project) == first
    (project / "env312").symlink_to(first, target_is_directory=True)
    assert find_virtualenv(project) == first
    second = make_virtualenv(project / ".env313")
    assert find_virtualenv(project) is None  # the user's PATH decides between them
    usual = make_virtualenv(project / "env")
    assert find_virtualenv(project) == usual
    (project / "shop").mkdir()
    (project / ".git").mkdir()
    assert find_virtualenv(project / "shop") == usual
    (usual / "pyvenv.cfg").unlink()
    (second / "pyvenv.cfg").unlink()
    assert find_virtualenv(project / "shop") is None  # above the project only the usual names


def test_without_one_the_users_path_comes_first_and_our_own_last(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_program(tmp_path / "bin/pytest", "echo the shell\\'s; exit 4")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    path = build_project_environment(project)["PATH"].split(os.pathsep)
    assert path == [str(tmp_path / "bin"), "/usr/bin", "/bin", OURS]
    assert PytestSuite("pytest", 60).run(project).output == "the shell's\n"
    (tmp_path / "bin/pytest").unlink()
    write(project, test_a="def test_x(): pass\n")
    assert PytestSuite("pytest", 60).run(project).has_passed


def test_our_own_programs_never_stand_in_for_those_of_a_projects_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_virtualenv(project / ".venv")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert OURS not in build_project_environment(project)["PATH"].split(os.pathsep)


class TestPreflight:
    @pytest.mark.parametrize("framework", ["pytest", "command"])
    def test_a_program_that_is_not_there(self, project: Path, framework: str) -> None:
        suite = create_suite(framework, "no-such-runner tests/", 60)
        with pytest.raises(InfrastructureError, match=r"no-such-runner .* not found .*install"):
            suite.preflight(project)
        assert suite.run(project).outcome is SuiteOutcome.NOT_FOUND

    def test_a_program_by_path(self, project: Path) -> None:
        make_program(project / "run_tests.sh", "true")
        create_suite("command", "./run_tests.sh", 60).preflight(project)
        (project / "run_tests.sh").chmod(0o644)
        suite = create_suite("command", "./run_tests.sh", 60)
        with pytest.raises(InfrastructureError):
            suite.preflight(project)
        report = suite.run(project)
        assert report.outcome is SuiteOutcome.NOT_FOUND
        assert report.exit_code is None
        assert "Permission denied" in report.message

    def test_a_python_without_pytest(self, project: Path) -> None:
        make_virtualenv(project / ".venv")  # without pip
        with pytest.raises(InfrastructureError, match=r"python .* no module pytest") as error:
            PytestSuite("python -m pytest", 60).preflight(project)
        assert error.value.command == "uv pip install --python .venv/bin/python pytest"
        assert error.value.command in error.value.hint

    @pytest.mark.parametrize("command", ["pytest tests", "python -m pytest", ".venv/bin/pytest"])
    def test_an_environment_whose_python_was_removed(self, project: Path, command: str) -> None:
        make_virtualenv(project / ".venv")
        python = project / ".venv" / "bin" / "python"
        python.unlink()
        python.symlink_to("/opt/gone/python3.9")
        make_program(project / ".venv" / "bin" / "pytest", "exit 0")
        with pytest.raises(InfrastructureError, match=r"\.venv is broken") as error:
            PytestSuite(command, 60).preflight(project)
        assert "/opt/gone/python3.9, does not exist" in error.value.message
        assert error.value.command.startswith("rm -r .venv && python3 -m venv .venv && ")

    def test_a_workspace_that_is_no_directory(self, project: Path) -> None:
        with pytest.raises(UsageError, match="not a directory"):
            PytestSuite("pytest", 60).preflight(project / "missing")

    @pytest.mark.parametrize("command", ["no-such-runner && true", "sh -c no-such-runner"])
    def test_a_program_that_only_the_shell_misses(self, project: Path, command: str) -> None:
        report = PytestSuite(command, 60).run(project)
        assert (report.outcome, report.exit_code) == (SuiteOutcome.NOT_FOUND, 127)


def test_an_unknown_framework_is_named() -> None:
    with pytest.raises(UsageError, match=r"'jest' is not known .*pytest, command"):
        create_suite("jest", "jest", 60)


def add_work_tree(main: Path, linked: Path) -> None:
    main.mkdir()
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"],
                      ["worktree", "add", "-q", "--detach", str(linked)]):  # fmt: skip
        subprocess.run(["git", *arguments], cwd=main, check=True)


def test_a_linked_work_tree_uses_the_main_ones_environment_and_its_own_code(tmp_path: Path) -> None:
    main, linked = tmp_path / "main", tmp_path / "elsewhere" / "linked"
    add_work_tree(main, linked)
    site = main / ".venv" / "lib" / "python3.11" / "site-packages"
    (site / "b-1.dist-info").mkdir(parents=True)
    (main / ".venv" / "pyvenv.cfg").touch()
    (main / "b" / "src").mkdir(parents=True)
    (site / "a.pth").write_text(f"import sys\n{main}/lib\n/somewhere/else\n", encoding="utf-8")
    (site / "b-1.dist-info" / "direct_url.json").write_text(
        f'{{"url": "file://{main}/b", "dir_info": {{"editable": true}}}}', encoding="utf-8"
    )
    assert find_virtualenv(linked) == main / ".venv"
    env = build_project_environment(linked, {"PATH": "/bin", "PYTHONPATH": "/mine"})
    assert env["VIRTUAL_ENV"] == str(main / ".venv")
    assert env["PYTHONPATH"].split(":") == [str(linked / "lib"), str(linked / "b/src"), "/mine"]
    assert "PYTHONPATH" not in build_project_environment(main, {"PATH": "/bin"})


def test_a_linked_work_tree_finds_what_the_main_one_finds(tmp_path: Path) -> None:
    main, linked = tmp_path / "main", tmp_path / "elsewhere" / "linked"
    add_work_tree(main, linked)
    for tree in (main, linked):
        (tree / "api").mkdir()
    only = make_virtualenv(main / "myenv")
    assert find_virtualenv(main) == find_virtualenv(linked) == only
    assert find_virtualenv(main / "api") is find_virtualenv(linked / "api") is None
    nearer = make_virtualenv(main / "api" / "env311")
    assert find_virtualenv(main / "api") == find_virtualenv(linked / "api") == nearer
    make_virtualenv(main / "another")
    assert find_virtualenv(main) is find_virtualenv(linked) is None
    own = make_virtualenv(linked / "env312")
    assert find_virtualenv(linked) == own


def test_stored_decisive_variables_are_restored() -> None:
    at_start = {"PYTHONPATH": "lib", "PATH": "/bin", "PYTEST_ADDOPTS": "-q", "HOME": "/home/a"}
    kept = select_decisive_variables(at_start)
    assert kept == {"PYTHONPATH": "lib", "PYTEST_ADDOPTS": "-q"}
    later = {"PYTHONHASHSEED": "1", "PYTHONPATH": "other", "PATH": "/usr/bin", "GIT_DIR": "x"}
    assert restore_decisive_variables(later, {**kept, "GIT_DIR": "old"}) == {
        **kept,
        "PATH": "/usr/bin",
    }
