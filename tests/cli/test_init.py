"""`orchestrator init`, and where commands find the project: from the words to the files."""

import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.services import suite_trial
from orchestrator.services.init import FileChange, trust_written
from orchestrator.services.trust import load_known_config
from tests.cli.conftest import CHECKOUT, Call
from tests.suites.detection.conftest import TEST, write_files

FAILING = "def test_it():\n    assert 1 == 2\n"
DEFAULT = "pytest tests/ -v --tb=short"


@pytest.fixture(autouse=True)
def _python_with_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "VIRTUAL_ENV", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    # Loading the installed plugins is half of the time of each run.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    folders = (str(Path(sys.executable).parent), "/usr/bin", "/bin")
    monkeypatch.setenv("PATH", os.pathsep.join(folders))


@pytest.fixture
def repository(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository, which is the working directory."""
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    monkeypatch.chdir(project)
    return project


def read_config(project: Path) -> Mapping[str, object]:
    loaded = load_known_config(project, None, (), {})
    assert loaded.withheld == ()
    return loaded.config.tests.model_dump(include={"framework", "command", "timeout"})


def test_it_shows_what_it_found_and_writes_it(call: Call, repository: Path) -> None:
    write_files(repository, {"tests/test_a.py": FAILING, "tests/test_b.py": TEST})
    for words in (["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    (repository / ".coverage").touch()
    done = call("init", "--yes")
    assert done.code == 0
    assert done.err == ""
    for part in (
        f"tests     {DEFAULT}\n",
        "2 test files in tests/; run by ",
        "found     2 cases, collected in ",
        "result    1 passed, 1 failed in ",
        "fails already: tests/test_a.py::test_it: assert 1 == 2",
        f'    command: "{DEFAULT}"\n',
        "wrote     orchestrator.yaml; commit it, for everybody who works here",
        "git does not ignore .coverage",
        "wrote     CLAUDE.md; commit it",
        'next      orchestrator doctor checks the rest; then: orchestrator run "TASK"',
    ):
        assert part in done.out
    assert read_config(repository) == {"framework": "pytest", "command": DEFAULT, "timeout": 120}
    claude = (repository / "CLAUDE.md").read_text(encoding="utf-8")
    assert claude == f"# project\n\nRun the tests with `{DEFAULT}`.\n"
    files = {each.name for each in repository.iterdir()}
    assert files - {".pytest_cache", ".coverage"} == {
        ".git",
        "tests",
        "orchestrator.yaml",
        "CLAUDE.md",
    }


def test_collecting_that_is_too_slow_counts_no_cases(
    call: Call, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite_trial, "COLLECTING_SECONDS", 1.0)
    write_files(repository, {"tests/test_a.py": f"import time\ntime.sleep(3)\n{TEST}"})
    done = call("init", "--yes")
    assert done.code == 0
    assert "found     its cases were not counted: collecting takes longer than 1 s\n" in done.out
    assert "tests.timeout" not in done.out
    assert "next      orchestrator doctor checks the rest" in done.out
    (repository / "orchestrator.yaml").unlink()
    assert json.loads(call("init", "--json").out)["cases"] is None


def test_without_a_terminal_nothing_is_written(call: Call, repository: Path) -> None:
    write_files(repository, {"tests/test_a.py": TEST})
    done = call("init")
    assert done.code == 2
    assert f'command: "{DEFAULT}"' in done.out
    assert "confirm what is shown with `orchestrator init --yes`" in done.err
    assert {each.name for each in repository.iterdir()} == {".git", "tests"}


def test_what_the_repository_says_is_trusted_once_it_is_confirmed(
    call: Call, repository: Path
) -> None:
    write_files(repository, {"Makefile": "test:\n\t@echo fine\n"})
    refused = call("run", "Do it.")
    assert refused.code == 2
    assert "`make test` runs what the repository says" in refused.err
    done = call("init", "--yes")
    assert done.code == 0
    assert "the exit code of the command decides" in done.out
    assert "you trust tests.framework, tests.command of it" in done.out
    assert read_config(repository)["command"] == "make test"
    (repository / "orchestrator.yaml").write_text(
        'tests: {framework: command, command: "make evil"}', encoding="utf-8"
    )
    assert len(load_known_config(repository, None, (), {}).withheld) == 1


@pytest.mark.parametrize("words", [("init",), ("run", "Do it."), ("doctor",)])
def test_what_the_repository_says_is_not_run_before_a_person_agrees(
    call: Call, repository: Path, words: tuple[str, ...]
) -> None:
    """Also not to collect the cases of a recipe that mentions pytest."""
    write_files(repository, {"Makefile": "test:\n\ttouch ran\n\tpytest tests\n"})
    done = call(*words)
    assert not (repository / "ran").exists()
    assert "runs what the repository says" in " ".join((done.out + done.err).split())


def test_a_command_that_is_agreed_to_collects_the_cases(call: Call, repository: Path) -> None:
    write_files(
        repository,
        {"Makefile": "test:\n\ttouch ran\n\tpytest checks/a.py\n", "checks/a.py": TEST},
    )
    done = call("init", "--yes")
    assert done.code == 0
    assert "found     1 case, collected in " in done.out
    assert (repository / "ran").exists()
    assert read_config(repository)["command"] == "make test"


CONTAINER = "env -u PYTEST_ADDOPTS -u ORCHESTRATOR_SUITE PYTHONPATH="
"""What a pytest in a container knows of the plugin."""


def test_a_pytest_that_cannot_report_is_judged_by_its_exit_code(
    call: Call, repository: Path
) -> None:
    """As `docker compose run app pytest` in a Makefile: a run could not be judged otherwise."""
    recipe = f"test:\n\ttouch ran\n\t{CONTAINER} pytest checks/a.py\n"
    write_files(repository, {"Makefile": recipe, "checks/a.py": TEST})
    done = call("init", "--yes")
    assert done.code == 0
    assert (repository / "ran").exists()
    words = " ".join(done.out.replace("#", "").split())
    assert "its pytest does not report the cases, so the exit code decides" in words
    assert "result    1 passed" in done.out
    assert read_config(repository)["framework"] == "command"
    assert 'then: orchestrator run "TASK"' in done.out


def test_a_named_command_that_gives_no_verdict_is_no_basis_for_a_run(
    call: Call, repository: Path
) -> None:
    done = call("init", "--yes", "--tests", "sh -c 'kill -9 $$'")
    assert "result    crashed" in done.out
    assert done.out.endswith("next      make the tests run, then: orchestrator doctor\n")


@pytest.mark.parametrize("command", ["", "no-such-program"])
@pytest.mark.parametrize("words", [("init",), ("run", "Do it.")])
def test_a_named_command_that_cannot_be_used_is_named_as_the_option(
    call: Call, repository: Path, words: tuple[str, ...], command: str
) -> None:
    done = call(*words, "--tests", command)
    assert done.code in (2, 3)
    assert "--tests" in done.err
    assert "tests.command" not in done.err
    assert "orchestrator.yaml" not in done.err


def test_the_written_reason_is_that_of_the_choice(call: Call, repository: Path) -> None:
    """Not what was wrong on that day."""
    write_files(repository, {"test_a.py": f"import flask\n{TEST}", "requirements.txt": "flask\n"})
    done = call("init", "--yes")
    assert "no module flask in its environment" in done.out
    text = (repository / "orchestrator.yaml").read_text(encoding="utf-8")
    assert "Chosen by: 1 test file in the project's folder.\n" in text


def test_a_link_out_of_the_project_is_not_written_through(
    call: Call, repository: Path, tmp_path: Path
) -> None:
    """A repository would choose which file of the user is written."""
    write_files(repository, {"tests/test_a.py": TEST})
    outside = tmp_path / "outside"
    (repository / "orchestrator.yaml").symlink_to(outside)
    done = call("init", "--yes")
    assert done.code == 2
    assert f"leads out of the project, to {outside}" in done.err
    assert not outside.exists()
    (repository / "orchestrator.yaml").unlink()
    (repository / "CLAUDE.md").symlink_to(outside)
    assert call("init", "--yes").code == 0
    assert (repository / "CLAUDE.md").is_symlink()
    assert not outside.exists()


def test_a_committed_folder_is_not_taken_for_a_repository(
    call: Call, repository: Path, tmp_path: Path
) -> None:
    """Its configuration would name a program that git runs for each changed file."""
    inner, ran = repository / "pkg", tmp_path / "ran"
    write_files(inner, {"tests/test_a.py": TEST, "a.txt": "one\n", ".gitattributes": "* filter=x"})
    subprocess.run(["git", "init", "-q", "--bare", "."], cwd=inner, check=True)
    core = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n"
    config = f'{core}[filter "x"]\n\tclean = "cat; touch {shlex.quote(str(ran))}"\n'
    (inner / "config").write_text(config, encoding="utf-8")
    git = ["git", "--git-dir=.", "--work-tree=."]
    subprocess.run([*git, "add", "a.txt"], cwd=inner, check=True)
    assert ran.exists()
    ran.unlink()
    os.utime(inner / "a.txt", (1, 1))  # git reads it again
    assert call("init", "--yes", "--project-dir", inner).code == 0
    assert not ran.exists()


def test_only_what_was_shown_is_trusted(repository: Path) -> None:
    """The file may be replaced between the writing and the remembering."""
    path = repository / "orchestrator.yaml"
    text = 'tests:\n  framework: command\n  command: "make test"\n'
    change = FileChange(path, None, text.encode())
    path.write_text(text.replace("make test", "make evil"), encoding="utf-8")
    assert trust_written(repository, change, {}) == ["tests.framework"]
    withheld = load_known_config(repository, None, (), {}).withheld
    assert [each.key for each in withheld] == ["tests.command"]


def test_a_configured_command_that_is_not_trusted_is_not_run(call: Call, repository: Path) -> None:
    text = "tests:\n  framework: command\n  command: touch ran\n"
    write_files(repository, {"orchestrator.yaml": text})
    done = call("init", "--yes")
    assert done.code == 0
    assert "not tried: `orchestrator trust` shows" in done.out
    assert not (repository / "ran").exists()
    assert (repository / "orchestrator.yaml").read_text(encoding="utf-8") == text


def test_an_existing_file_is_only_added_to(call: Call, repository: Path) -> None:
    files = {"tests/test_a.py": TEST, "CLAUDE.md": "mine\n"}
    write_files(repository, {**files, "orchestrator.yaml": "learning:\n  max_retries: 1\n"})
    done = call("init", "--yes")
    assert done.code == 0
    assert "+  command: " in done.out  # shown as a patch
    after = (repository / "orchestrator.yaml").read_text(encoding="utf-8")
    assert after.startswith("learning:\n  max_retries: 1\n\ntests:\n")
    assert read_config(repository)["command"] == DEFAULT
    assert (repository / "CLAUDE.md").read_text(encoding="utf-8") == "mine\n"
    assert "already names the command" in call("init", "--yes").out
    assert (repository / "orchestrator.yaml").read_text(encoding="utf-8") == after


def test_what_cannot_be_added_to_is_left_alone(call: Call, repository: Path) -> None:
    text = "tests: {timeout: 60}\n"
    write_files(repository, {"tests/test_a.py": TEST, "orchestrator.yaml": text})
    done = call("init", "--yes")
    assert done.code == 2
    assert f"add this line to it: command: '{DEFAULT}'" in done.err
    assert (repository / "orchestrator.yaml").read_text(encoding="utf-8") == text
    (repository / "orchestrator.yaml").write_text("tests:\n  command: pytest\n", encoding="utf-8")
    assert "already has another tests.command" in call("init", "--yes", "--tests", "pytest -q").err


def test_agents_md_stays_loaded(call: Call, repository: Path) -> None:
    write_files(repository, {"tests/test_a.py": TEST, "AGENTS.md": "Be kind.\n"})
    assert "CLAUDE.md (new; imports AGENTS.md):" in call("init", "--yes").out
    assert (repository / "CLAUDE.md").read_text(encoding="utf-8") == "@AGENTS.md\n"


def test_what_is_not_clear_is_not_chosen_with_yes(call: Call, repository: Path) -> None:
    write_files(repository, {f"{name}/{each}": TEST for name in "ab" for each in
                             ("setup.py", "tests/test_a.py")})  # fmt: skip
    done = call("init", "--yes")
    assert done.code == 2
    assert f"candidates: `{DEFAULT}` in a/, `{DEFAULT}` in b/" in done.err
    assert not (repository / "orchestrator.yaml").exists()
    os.chdir(repository / "a" / "tests")
    done = call("init", "--yes")
    assert done.code == 0
    assert f"project: {repository / 'a'} (the package at hand" in done.err
    assert (repository / "a" / "orchestrator.yaml").exists()


def test_it_prints_json(call: Call, repository: Path) -> None:
    write_files(repository, {"tests/test_a.py": TEST})
    done = call("init", "--yes", "--json")
    found = json.loads(done.out)
    assert found["command"] == DEFAULT
    assert (found["cases"], found["result"], found["written"]) == (1, "passed", True)
    assert found["is_sure"]
    assert list(found["files"]) == ["orchestrator.yaml", "CLAUDE.md"]


def test_a_run_must_not_configure_itself(
    call: Call, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_RUN", "r")
    write_files(repository, {"Makefile": "test:\n\ttrue\n"})
    done = call("init", "--yes")
    assert done.code == 2
    assert "a run must not configure its own tests" in done.err


def test_what_the_tests_lack_is_said_with_the_command(call: Call, repository: Path) -> None:
    write_files(repository, {"test_a.py": f"import no_such_module\n{TEST}"})
    lines = call("init", "--yes").out.splitlines()
    assert (
        "          install the package that provides no_such_module, where the tests run" in lines
    )
    assert not [line for line in lines if line.startswith("          $ ")]
    assert lines[-1] == "next      make the tests run, then: orchestrator doctor"
    write_files(repository, {"test_a.py": f"import shop, no_such_module\n{TEST}", "src/shop.py": "",
                             "pyproject.toml": "[build-system]\nrequires = []\n"})  # fmt: skip
    (repository / "orchestrator.yaml").write_text("tests: {command: pytest}\n", encoding="utf-8")
    lines = call("init").out.splitlines()
    [command] = [line.strip() for line in lines if line.startswith("          $ ")]
    _, python, *words = shlex.split(command)
    assert Path(python).parent == Path(sys.executable).parent
    assert words == ["-m", "pip", "install", "-e", "."]


def test_an_error_that_no_package_corrects_gets_no_command(
    call: Call, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    write_files(repository, {"test_a.py": f"import os\nos.environ['NO_SUCH_VARIABLE']\n{TEST}"})
    done = call("init", "--yes")
    assert "KeyError: 'NO_SUCH_VARIABLE'" in done.out
    assert "$ " not in done.out
    assert done.out.endswith("next      make the tests run, then: orchestrator doctor\n")


def test_a_borrowed_pytest_is_said(
    call: Call, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    write_files(repository, {"test_a.py": TEST, "requirements.txt": "requests\n"})
    done = call("init", "--yes")
    assert done.code == 0
    assert "the project has no pytest, so the one of orchestrator is used" in done.out
    assert "$ python3 -m venv .venv && .venv/bin/python -m pip install pytest -r" in done.out


def test_an_active_environment_without_pytest_gets_it(
    call: Call, repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also if a file fails for another reason: it may need that environment."""
    active = tmp_path / "active"
    venv.create(active, symlinks=True)
    monkeypatch.setenv("VIRTUAL_ENV", str(active))
    monkeypatch.setenv("PATH", f"{active}/bin:/usr/bin:/bin")
    write_files(repository, {"test_a.py": f"import sys\nassert 'active' in sys.prefix\n{TEST}"})
    out = call("init", "--yes").out
    assert "the active environment has no pytest" in out
    python = shlex.quote(f"{active}/bin/python")
    assert f"$ uv pip install --python {python} pytest\n" in out
    assert "python3 -m venv" not in out


def test_what_was_not_written_is_said(repository: Path) -> None:
    write_files(repository, {"Makefile": "test:\n\ttrue\n"})
    _, shown = answer(repository, "n\n", "n\n", "n\n")
    assert "unchanged orchestrator.yaml was not written" in shown
    assert 'orchestrator run --tests "make test" "TASK"' in " ".join(shown.split())


def answer(project: Path, *answers: str) -> tuple[int, str]:
    """Start `init` on a terminal, and answer its questions; an empty answer is Ctrl-C."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "init"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    shown, waiting, interrupted = "", list(answers), False
    while True:
        if interrupted and not select.select([leader], [], [], 5.0)[0]:
            # It came between the last check for signals and the read that waits for the answer.
            child.send_signal(signal.SIGINT)
        try:
            data = os.read(leader, 4096)
        except OSError:  # the other end was closed
            break
        if not data:
            break
        shown += data.decode()
        if waiting and shown.endswith("]: "):
            answer = waiting.pop(0)
            shown += "\n"  # each question is answered once
            if answer:
                os.write(leader, answer.encode())
            else:
                interrupted = True
                child.send_signal(signal.SIGINT)
    os.close(leader)
    return child.wait(), shown


@pytest.mark.whole
def test_on_a_terminal_each_step_is_asked(repository: Path) -> None:
    write_files(repository, {"tests/test_a.py": TEST})
    code, shown = answer(repository, "n\n", "n\n", "n\n")
    assert code == 0
    assert {each.name for each in repository.iterdir()} == {".git", "tests"}
    code, shown = answer(repository, "y\n", "y\n", "")
    assert code == 130
    assert "result    1 passed" in shown.replace("\r", "")
    assert shown.index("collecting the tests ...") < shown.index("found     1 case, collected in ")
    assert (repository / "orchestrator.yaml").exists()
    assert not (repository / "CLAUDE.md").exists()


def test_words_of_a_candidate_stay_whole_on_a_terminal(repository: Path) -> None:
    names = ("orders", "invoices", "deliveries", "customers")
    write_files(repository, {f"{each}/test_{each}.py": TEST for each in names})
    write_files(repository, {"Cargo.toml": "[package]\n"})
    _, shown = answer(repository, "")
    assert "  1  pytest -v --tb=short  (4 test files in " in shown
    _, *lines = shown.splitlines()  # a path has no place to break
    assert max(map(len, lines)) <= 80


def test_a_command_in_a_sub_folder_finds_the_project(
    call: Call, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(repository, {"src/": "", "orchestrator.yaml": "learning:\n  max_retries: 2\n"})
    assert call("config", "show").err == ""
    monkeypatch.chdir(repository / "src")
    done = call("config", "show")
    assert "\n  max_retries: 2" in done.out
    assert done.err == f"project: {repository} (nearest orchestrator.yaml)\n"
    assert "max_retries: 2" not in call("config", "show", "--project-dir", ".").out


def test_the_home_folder_is_used_with_a_warning(
    call: Call, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".git").mkdir()
    monkeypatch.chdir(home)
    assert "warning: the project is your home folder" in call("config", "show").err
    (home / "work").mkdir()
    monkeypatch.chdir(home / "work")
    assert call("config", "show").err == ""
