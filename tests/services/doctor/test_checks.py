"""Each check finds what is wrong, with its cause and a command; a wrong machine crashes none."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shlex import quote

import pytest

from orchestrator.agents.claude_program import find_program, format_login_command
from orchestrator.config import Config
from orchestrator.models import Task
from orchestrator.platform.liveness import mark_process
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.services import suite_trial
from orchestrator.services.doctor.agent import check_agent, check_login
from orchestrator.services.doctor.configuration import check_configuration, check_limits
from orchestrator.services.doctor.cron import check_cron
from orchestrator.services.doctor.hooks import check_hooks, find_schema_problem
from orchestrator.services.doctor.machine import check_git, check_python, check_versions
from orchestrator.services.doctor.network import check_network
from orchestrator.services.doctor.results import Check, Fault, Link, Status
from orchestrator.services.doctor.rules import check_rules
from orchestrator.services.doctor.state import check_state
from orchestrator.services.doctor.subject import Subject, examine
from orchestrator.services.doctor.suite import check_suite
from orchestrator.services.doctor.teacher import check_teacher
from orchestrator.session_hooks.settings import install_hooks
from orchestrator.storage.runs import Store, create_run_id
from orchestrator.storage.state_directory import resolve_state_directory
from tests.ordinary_user import ordinary_user
from tests.trusting import trust_project

Function = Callable[[Subject], Iterable[Check]]

LESSON: dict[str, object] = {
    **{"reason": "It guessed.", "action": "add", "target": None, "paths": []},
    **{"rule": "Never guess.", "when": "Asked.", "why": "It fails."},
}
PYTEST = f"{sys.executable} -m pytest tests/"


def find(function: Function, project: Path) -> list[Check]:
    return list(function(examine(project)))


def find_one(function: Function, project: Path) -> Check:
    (found,) = find(function, project)
    return found


def configure(project: Path, text: str) -> None:
    (project / "orchestrator.yaml").write_text(text, encoding="utf-8")


def write_test(project: Path, text: str) -> None:
    (project / "tests").mkdir(exist_ok=True)
    (project / "tests" / "test_a.py").write_text(text, encoding="utf-8")
    configure(project, f"tests:\n  command: {json.dumps(PYTEST)}\n")
    trust_project(project)


def hide_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


# ---- the machine


def test_python_and_versions_are_shown(project: Path) -> None:
    assert sys.executable in find_one(check_python, project).text
    assert f"SQLite {sqlite3.sqlite_version}" in find_one(check_versions, project).text


def test_git_is_missing(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide_programs(monkeypatch, tmp_path)
    found = find_one(check_git, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.MACHINE)
    assert found.command == "apt install git"


def test_a_project_without_git_is_fine(project: Path) -> None:
    found = find_one(check_git, project)
    assert found.status is Status.OK
    assert "needs none" in found.text


def test_git_refuses_a_folder_of_another_user(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    found = find_one(check_git, project)
    assert found.status is Status.BROKEN
    assert found.command == f"git config --global --add safe.directory {quote(str(project))}"


# ---- the configuration


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tests: [\n", "orchestrator.yaml"),
        ("tests:\n  comand: pytest\n", "comand"),
        ("tests:\n  timeout: soon\n", "tests.timeout"),
    ],
)
def test_a_wrong_configuration(text: str, words: str, project: Path) -> None:
    configure(project, text)
    found = find_one(check_configuration, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.CONFIGURATION)
    assert words in found.text
    assert found.command == "orchestrator config edit"
    assert find_one(check_suite, project).status is Status.NOT_CHECKED
    assert find_one(check_limits, project).status is Status.OK


def test_a_setting_that_is_not_trusted(project: Path) -> None:
    configure(project, "tests:\n  command: sh -c 'curl example.org'\n")
    found = find_one(check_configuration, project)
    assert found.status is Status.BROKEN
    assert "tests.command" in found.text
    assert found.command == f"orchestrator trust --project-dir {quote(str(project))}"
    trust_project(project)
    assert find_one(check_configuration, project).status is Status.OK


def test_settings_for_claude_code_that_are_not_trusted(project: Path) -> None:
    (project / ".claude").mkdir()
    (project / ".claude" / "settings.json").write_text('{"env": {"A": "b"}}', encoding="utf-8")
    _, found = find(check_configuration, project)
    assert found.status is Status.WARNING
    assert ".claude/settings.json" in found.cause


def test_limits_are_shown(project: Path) -> None:
    text = find_one(check_limits, project).text
    assert text == "$10.00 a run, $50.00 a day; 4 attempts of 15 turns and 30 minutes"


def test_no_limit_of_money_is_a_warning(project: Path) -> None:
    configure(project, "limits:\n  max_cost_usd: null\n")
    trust_project(project)
    assert find_one(check_limits, project).status is Status.WARNING


# ---- the state directory


def test_a_state_directory_that_does_not_exist_yet(project: Path) -> None:
    state = resolve_state_directory()
    found = find_one(check_state, project)
    assert found.status is Status.OK
    assert not state.exists()
    assert found.repair
    found.repair.apply()
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_a_state_directory_that_is_a_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "state").write_text("", encoding="utf-8")
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(project / "state"))
    found = find_one(check_state, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.MACHINE)


def test_a_state_directory_on_a_read_only_disk(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    disks = [words[1] for words in mounts if words[3].startswith("ro") and Path(words[1]).is_dir()]
    if not disks:
        pytest.skip("no file system here is mounted read-only")
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", f"{disks[0]}/state")
    found = find_one(check_state, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.MACHINE)
    assert found.command.startswith("export ORCHESTRATOR_STATE_DIR=")


def test_a_state_directory_in_the_folder_of_another_user(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = examine(project)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with ordinary_user():
        (found,) = check_state(replace(subject, state=closed / "state"))
    assert (found.status, found.fault) == (Status.BROKEN, Fault.MACHINE)


def test_a_state_directory_that_others_may_read(project: Path) -> None:
    with Store() as store:
        state = store.directory
    state.chmod(0o755)
    found = find(check_state, project)[0]
    assert found.status is Status.WARNING
    assert found.repair
    found.repair.apply()
    assert [each.status for each in find(check_state, project)] == [Status.OK]


def test_a_sound_database_is_not_touched(project: Path) -> None:
    with Store() as store:
        state = store.directory
        store.database.write("CREATE TABLE later (a)")
        before = {each.name: each.stat().st_mtime_ns for each in state.iterdir()}
        found = find_one(check_state, project)  # while it is open, with a log
        assert {each.name: each.stat().st_mtime_ns for each in state.iterdir()} == before
        store.database.write("INSERT INTO later VALUES (1)")
    assert found.status is Status.OK
    assert "state.db is sound" in found.text


@pytest.mark.parametrize("name", ["state.db", "dbos.sqlite"])
def test_a_damaged_database(name: str, project: Path) -> None:
    state = resolve_state_directory()
    state.mkdir(parents=True, mode=0o700)
    with closing(sqlite3.connect(state / name)) as connection:
        connection.execute("CREATE TABLE a (b)")
        connection.executemany("INSERT INTO a VALUES (?)", [("x" * 500,)] * 200)
        connection.commit()
    content = bytearray((state / name).read_bytes())
    content[5000:9000] = b"\xff" * 4000
    (state / name).write_bytes(content)
    found = find(check_state, project)[0]
    assert (found.status, found.fault) == (Status.BROKEN, Fault.MACHINE)
    assert found.text == f"{name} is damaged"
    assert found.command.startswith(f"mv {quote(str(state / name))} ")


def test_a_killed_run_is_found_and_recorded(project: Path) -> None:
    run = create_run_id()
    with Store() as store:
        store.create_run(Task("a task", project), "{}", run)
        mark = mark_process()
        store.database.write(
            "UPDATE runs SET outcome = 'running', host = ?, process = ?, process_started = ?"
            " WHERE id = ?",
            (mark.host, 1 << 30, 1.0, run),
        )
    found = find(check_state, project)[0]
    assert found.status is Status.WARNING
    assert found.command == f"orchestrator resume {run}"
    assert found.repair
    found.repair.apply()
    with Store() as store:
        assert store.load_run(run).outcome == "interrupted"


def test_a_lock_of_a_dead_git_is_found_and_removed(project: Path) -> None:
    with Store() as store:
        folder = store.directory / "runs" / "20260101-000000-abcdef" / "git"
    for each in (folder, folder.parent / "carried", folder.parent / "undone"):
        each.mkdir(parents=True)
    (folder / "index.lock").touch()
    assert find(check_state, project)[-1].repair is None  # it may be that of an undo
    copies = [folder.parent / each for each in ("a.lock", "carried/uv.lock", "undone/uv.lock")]
    for each in (folder / "index.lock", *copies):
        each.touch()
        os.utime(each, (1, 1))
    found = find(check_state, project)[-1]
    assert found.status is Status.WARNING
    assert found.repair
    found.repair.apply()
    assert not (folder / "index.lock").exists()
    assert all(each.exists() for each in copies)
    assert find(check_state, project)[-1].status is Status.OK


# ---- network, agent, teacher


def test_a_proxy_that_does_not_answer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://api.example.org")
    found = find_one(check_network, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.MACHINE)
    assert "https_proxy" in found.cause.lower()


def test_certificates_that_cannot_be_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://api.example.org")
    monkeypatch.setenv("NO_PROXY", "api.example.org")
    monkeypatch.setenv("no_proxy", "api.example.org")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    found = find_one(check_network, project)
    assert found.status is Status.BROKEN
    assert "SSL_CERT_FILE" in found.cause


def test_an_agent_that_is_too_old(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\necho '2.0.1 (Claude Code)'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = find_one(check_agent, project)
    assert (found.status, found.command) == (Status.BROKEN, "claude update")


def test_an_agent_that_cannot_be_run(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "claude"
    program.write_text("#!/opt/gone/node\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = find_one(check_agent, project)
    assert "cannot be run" in found.text
    assert (found.status, found.command) == (Status.BROKEN, "pip install claude-agent-sdk")


def test_an_agent_without_a_login(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_one(check_agent, project).status is Status.OK
    found = find_one(check_login, project)
    # Claude Code is not on the PATH, so its name alone would not be found.
    assert found.status is Status.BROKEN
    assert found.command == format_login_command(find_program())
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-x")
    found = find_one(check_login, project)
    assert found.status is Status.OK
    assert "paid by API key (ANTHROPIC_API_KEY)" in found.text


def test_a_login_that_a_key_hides_is_a_warning(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".claude").mkdir()
    login = home / ".claude" / ".credentials.json"
    login.write_text('{"claudeAiOauth": {"accessToken": "x"}}', encoding="utf-8")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-x")
    found = find_one(check_login, project)
    assert (found.status, found.command) == (Status.WARNING, "unset ANTHROPIC_API_KEY")


def test_another_agent_is_its_own_affair(project: Path) -> None:
    configure(project, "agent:\n  kind: command\n  command: [no-such-agent]\n")
    trust_project(project)
    assert find_one(check_agent, project).status is Status.BROKEN
    assert find_one(check_login, project).status is Status.NOT_CHECKED


def test_a_teacher_with_a_key_is_not_asked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEACHER_API_KEY", "sk-x")
    configure(project, "teacher:\n  mode: local\n")
    trust_project(project)
    found = find_one(check_teacher, project)
    assert found.status is Status.OK
    assert "paid by API key (ORCHESTRATOR_TEACHER_API_KEY)" in found.text
    assert "--live" in found.text
    assert not resolve_state_directory().joinpath("state.db").exists()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"json": LESSON}, Status.OK),
        ({"fault": {"status": 401}}, Status.BROKEN),
    ],
)
def test_a_teacher_is_asked_on_request(
    answer: object, status: Status, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEACHER_API_KEY", "sk-x")
    configure(project, "teacher:\n  mode: local\n")
    scenario = json.dumps({"answers": [{"when": {"speaker": "teacher"}, "reply": answer}]})
    with ReplayServer(parse_scenario(scenario)) as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        found = list(check_teacher(examine(project)))
        assert model.requests == ()
        found = list(check_teacher(examine(project, is_live=True)))
        assert len(model.requests) == 1
    assert found[0].status is status
    assert ("it answered" in found[0].text) is (status is Status.OK)


def test_a_teacher_without_a_key(project: Path) -> None:
    configure(project, "teacher:\n  mode: local\n")
    trust_project(project)
    found = find_one(check_teacher, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.MACHINE)
    assert found.command.startswith("export ORCHESTRATOR_TEACHER_API_KEY=")


def test_a_webhook_without_an_address(project: Path) -> None:
    configure(project, "teacher:\n  mode: webhook\n")
    trust_project(project)
    found = find_one(check_teacher, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.CONFIGURATION)


# ---- the suite


def test_cases_are_counted_without_a_run(project: Path) -> None:
    write_test(project, "def test_a():\n    raise SystemExit\n\n\ndef test_b():\n    pass\n")
    before = sorted(str(each) for each in project.rglob("*"))
    found = find_one(check_suite, project)
    assert found.status is Status.OK
    assert ": 2 cases; Python " in found.text
    assert sorted(str(each) for each in project.rglob("*")) == before


def test_collecting_that_is_too_slow_is_a_warning(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite_trial, "COLLECTING_SECONDS", 1.0)
    (project / "tests").mkdir()
    text = "import time\ntime.sleep(60)\n"
    (project / "tests" / "test_a.py").write_text(text, encoding="utf-8")
    found = find_one(check_suite, project)
    assert found.status is Status.WARNING
    assert ": its cases were not counted: collecting takes longer than 1 s" in found.text
    assert found.command.endswith("--collect-only -q")


def test_a_suite_that_is_detected_leaves_nothing_behind(project: Path) -> None:
    """Not even the folder of pytest-benchmark, which is among the plugins here."""
    (project / "src" / "shop").mkdir(parents=True)
    (project / "src" / "shop" / "__init__.py").write_text("PRICE = 1\n", encoding="utf-8")
    (project / "tests").mkdir()
    test = "from shop import PRICE\n\n\ndef test_a():\n    assert PRICE\n"
    (project / "tests" / "test_a.py").write_text(test, encoding="utf-8")
    before = sorted(str(each) for each in project.rglob("*"))
    found = find_one(check_suite, project)
    assert "`PYTHONPATH=src pytest tests/ -v --tb=short` (pytest): 1 case; Python " in found.text
    assert sorted(str(each) for each in project.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "words", "cause"),
    [
        ("", "finds no test", "could not be judged"),
        (
            "import no_such_module\n",
            "1 error before any test runs",
            "'no_such_module'; install the package that provides no_such_module, where the tests",
        ),
        ("def broken(:\n", "1 error before any test runs", "SyntaxError"),
    ],
)
def test_a_suite_that_cannot_judge(text: str, words: str, cause: str, project: Path) -> None:
    write_test(project, text)
    found = find_one(check_suite, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.CONFIGURATION)
    assert words in found.text
    assert cause in found.cause
    if "no_such_module" in text:
        assert "no_such_module" not in found.command
    else:
        assert found.command == f"cd {quote(str(project))} && {PYTEST} --collect-only -q"


def test_a_program_that_does_not_exist(project: Path) -> None:
    configure(project, "tests:\n  framework: command\n  command: no-such-program\n")
    trust_project(project)
    found = find_one(check_suite, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.MACHINE)


def test_a_command_is_not_run_to_count_its_cases(project: Path) -> None:
    configure(project, "tests:\n  framework: command\n  command: touch ran\n")
    trust_project(project)
    found = find(check_suite, project)
    assert [each.status for each in found] == [Status.OK, Status.NOT_CHECKED]
    assert not (project / "ran").exists()


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm", "hatch", "env"])
def test_a_tool_is_not_started(
    tool: str, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`uv run` and `poetry run` make a missing environment, and install what is missing in it."""
    program, started = tmp_path / "bin" / tool, tmp_path / "started"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {started}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    configure(project, f"tests:\n  command: {tool} run pytest\n")
    trust_project(project)
    for _ in range(2):
        found = find(check_suite, project)
        assert [each.status for each in found] == [Status.OK, Status.NOT_CHECKED]
        assert not started.exists()
        (project / ".venv").mkdir(exist_ok=True)  # also not where there is an environment
        (project / ".venv" / "pyvenv.cfg").touch()


@pytest.mark.parametrize("setting", ["command: make verify", "framework: command"])
def test_a_suite_that_is_not_trusted_is_replaced_by_no_other(setting: str, project: Path) -> None:
    """A tick would be about another suite, whose tests would be imported."""
    (project / "tests").mkdir()
    test = "open('imported', 'w')\n\n\ndef test_a():\n    pass\n"
    (project / "tests" / "test_a.py").write_text(test, encoding="utf-8")
    configure(project, f"tests:\n  {setting}\n")
    found = find_one(check_suite, project)
    assert found.status is Status.NOT_CHECKED
    assert "not trusted" in found.text
    assert not (project / "imported").exists()


def test_no_tests_at_all(project: Path) -> None:
    found = find_one(check_suite, project)
    assert (found.status, found.command) == (Status.BROKEN, "")


def test_a_suite_that_a_person_has_to_choose(project: Path) -> None:
    (project / "Makefile").write_text("test:\n\ttrue\n", encoding="utf-8")
    found = find_one(check_suite, project)
    assert (found.status, found.command) == (Status.BROKEN, "orchestrator init")


def test_a_python_without_pytest(project: Path) -> None:
    venv.create(project / ".venv", symlinks=True)
    (project / "tests").mkdir()
    (project / "tests" / "test_a.py").write_text("def test_a(): pass\n", encoding="utf-8")
    command = "uv pip install --python .venv/bin/python pytest"
    assert find_one(check_suite, project).command == command
    configure(project, "tests:\n  command: python -m pytest\n")
    assert find_one(check_suite, project).command == command


def test_a_project_that_is_not_installed_is_not_fetched_from_an_index(project: Path) -> None:
    (project / "src" / "shop").mkdir(parents=True)
    (project / "pyproject.toml").write_text("[project]\nname = 'shop'\n", encoding="utf-8")
    write_test(project, "import shop\n")
    found = find_one(check_suite, project)
    assert found.command.endswith(" -e .")
    assert "pip install shop" not in found.command


# ---- rules and hooks


def test_ids_that_are_not_unique(project: Path) -> None:
    rule = "<!-- rule r-1 -->\n- **Rule**: Ask.\n- **When**: x\n- **Why**: y\n"
    text = f"## Learned Rules & Patterns\n\n{rule}\n{rule}"
    (project / "CLAUDE.md").write_text(text, encoding="utf-8")
    found = find(check_rules, project)
    assert found[0].status is Status.WARNING
    assert "r-1 more than once" in found[0].text


def test_a_rulebook_that_cannot_be_written(project: Path) -> None:
    (project / "CLAUDE.md").mkdir()
    found = find_one(check_rules, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.CONFIGURATION)


def test_hooks_are_optional(project: Path) -> None:
    assert "not installed" in find_one(check_hooks, project).text


def test_hooks_that_work(project: Path) -> None:
    install_hooks(project / ".claude" / "settings.json")
    found = find_one(check_hooks, project)
    assert found.status is Status.OK
    assert "their program runs" in found.text


def test_hooks_of_a_program_that_is_gone_are_installed_again(project: Path) -> None:
    path = project / ".claude" / "settings.json"
    install_hooks(path)
    path.write_text(path.read_text("utf-8").replace(sys.executable, "/gone/python"), "utf-8")
    found = find_one(check_hooks, project)
    assert (found.status, found.cause) == (Status.BROKEN, "/gone/python does not exist")
    assert found.command == f"orchestrator hooks install local --project-dir {quote(str(project))}"
    assert found.repair
    found.repair.apply()
    assert find_one(check_hooks, project).status is Status.OK


def test_a_program_that_a_repository_names_is_not_started(project: Path, tmp_path: Path) -> None:
    path = project / ".claude" / "settings.json"
    install_hooks(path)
    evil = tmp_path / "python"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n", encoding="utf-8")
    evil.chmod(0o755)
    path.write_text(path.read_text("utf-8").replace(sys.executable, str(evil)), "utf-8")
    found = find_one(check_hooks, project)
    assert found.status is Status.WARNING
    assert "another installation" in found.text
    assert not (tmp_path / "ran").exists()


def test_hooks_that_are_disabled(project: Path) -> None:
    path = project / ".claude" / "settings.json"
    install_hooks(path)
    settings = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**settings, "disableAllHooks": True}), encoding="utf-8")
    found = find_one(check_hooks, project)
    assert (found.status, found.cause) == (Status.WARNING, "disableAllHooks is true")


@pytest.mark.parametrize("text", ["{ // a comment\n}", "[" * 100_000])
def test_settings_that_claude_code_ignores(text: str, project: Path) -> None:
    (project / ".claude").mkdir()
    (project / ".claude" / "settings.json").write_text(text, encoding="utf-8")
    found = find_one(check_hooks, project)
    assert (found.status, found.fault) == (Status.BROKEN, Fault.CONFIGURATION)
    assert "not valid JSON" in found.cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('{"hooks": []}', "`hooks` is not an object"),
        ('{"hooks": {"Stop": {}}}', "hooks.Stop is not a list"),
        ('{"hooks": {"Stop": [{"matcher": 1, "hooks": []}]}}', "a matcher that is not text"),
        ('{"hooks": {"Stop": [{"hooks": "x"}]}}', "has no list `hooks`"),
        ('{"hooks": {"Stop": [{"hooks": [{"command": "x"}]}]}}', "without a type"),
    ],
)
def test_a_hook_that_claude_code_skips(text: str, cause: str, project: Path) -> None:
    (project / ".claude").mkdir()
    (project / ".claude" / "settings.json").write_text(text, encoding="utf-8")
    found = find_one(check_hooks, project)
    assert found.status is Status.WARNING
    assert cause in found.cause


def test_a_hook_of_another_does_not_hide_that_ours_are_broken(project: Path) -> None:
    path = project / ".claude" / "settings.json"
    install_hooks(path)
    settings = json.loads(path.read_text("utf-8").replace(sys.executable, "/gone/python"))
    settings["hooks"]["Stop"].append({"matcher": 1})
    path.write_text(json.dumps(settings), encoding="utf-8")
    assert [each.status for each in find(check_hooks, project)] == [
        Status.WARNING,
        Status.BROKEN,
    ]


def test_the_schema_accepts_what_claude_code_accepts() -> None:
    assert find_schema_problem({}) == ""
    hook = {"type": "command", "command": "true", "timeout": 3}
    assert find_schema_problem({"hooks": {"Stop": [{"hooks": [hook]}]}}) == ""


def test_an_error_of_a_hook_is_shown(project: Path) -> None:
    log = resolve_state_directory() / "hooks" / "trouble.log"
    log.parent.mkdir(parents=True)
    log.write_text("2026-01-01T00:00:00Z OSError: 'no space'\n", encoding="utf-8")
    found = find(check_hooks, project)[-1]
    assert found.status is Status.WARNING
    assert "no space" in found.cause


def test_what_cron_would_find(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find_one(check_cron, project).link is Link.CRON
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("orchestrator.services.doctor.cron._PATH", "/nowhere")
    found = find_one(check_cron, project)
    assert (found.status, found.command) == (Status.WARNING, f"PATH={tmp_path}:/nowhere")


# ---- a machine on which nothing is as it should be


QUICK = (
    *(check_python, check_git, check_configuration, check_state, check_network, check_agent),
    *(check_login, check_teacher, check_suite, check_rules, check_hooks, check_limits),
    *(check_versions, check_cron),
)


@pytest.mark.parametrize("state", ["/proc/state", "~no-such-user/state"])
@pytest.mark.parametrize("function", QUICK)
def test_nothing_crashes_where_nothing_is_right(
    function: Function,
    state: str,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    hide_programs(monkeypatch, tmp_path)
    monkeypatch.delenv("HOME")
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", state)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "/proc/claude")
    configure(project, "tests: {command: [\n")
    (project / ".claude").write_text("a file", encoding="utf-8")
    (project / "CLAUDE.md").write_bytes(b"\xff\xfe\x00#")
    for check in find(function, project):
        assert check.text
        assert check.status is not Status.BROKEN or check.cause or check.command


def test_the_defaults_stand_in_for_a_configuration_that_is_wrong(project: Path) -> None:
    configure(project, "tests: [\n")
    assert examine(project).config == Config()
