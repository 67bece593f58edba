"""`orchestrator doctor`: what is printed, the JSON, and the exit codes."""

import json
import re
from pathlib import Path

import pytest

from orchestrator.services.doctor import running
from orchestrator.services.doctor.registry import CHECKS
from orchestrator.services.doctor.results import Link
from tests.cli.conftest import Call, start_command, wait_for_result

QUICK = tuple(each for each in CHECKS if each.link not in (Link.LOADED, Link.SUITE))


@pytest.fixture(autouse=True)
def no_slow_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all checks but those that start the real program and the suite."""
    monkeypatch.setattr(running, "CHECKS", QUICK)


def test_a_broken_link_is_the_last_line(call: Call, project: Path) -> None:
    done = call("doctor", "--project-dir", project)
    assert done.code == 3
    last = done.out.splitlines()[-1]
    assert last == "first broken link: login: Claude Code has no login and no key"
    assert done.out.count("auth login\n") == 1
    assert "the login above, or a key, is all that it needs" in done.out


def test_all_works(call: Call, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-x")
    done = call("doctor", "--project-dir", project)
    assert done.code == 0
    assert done.out.splitlines()[-1] == "everything that was checked works"
    assert "sk-x" not in done.out


def test_a_wrong_configuration_is_exit_2(call: Call, project: Path) -> None:
    (project / "orchestrator.yaml").write_text("tests:\n  comand: x\n", encoding="utf-8")
    done = call("doctor", "--project-dir", project)
    assert done.code == 2
    assert done.out.splitlines()[-1] == "first broken link: configuration"


def test_lines_fit_80_columns_and_words_stay_whole(
    call: Call, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = call("doctor", "--project-dir", project)
    long = [line for line in done.out.splitlines() if len(line) > 80]
    # A command is to be pasted, and a path has no place to break.
    assert [
        line
        for line in long
        if " $ " not in line and not line.startswith("Checking ") and len(line.split()) > 3
    ] == []


def test_control_characters_of_a_file_are_not_printed(call: Call, project: Path) -> None:
    (project / "orchestrator.yaml").write_text('"a\\e[31mb": 1\n', encoding="utf-8")
    done = call("doctor", "--project-dir", project)
    assert done.code == 2
    assert "\x1b" not in done.out


def test_the_json_has_the_documented_shape(call: Call, project: Path) -> None:
    done = call("doctor", "--json", "--project-dir", project)
    found = json.loads(done.out)
    assert found.keys() == {"version", "project", "checks", "first_broken", "exit_code"}
    assert (found["version"], found["project"]) == (1, str(project))
    assert (found["first_broken"], found["exit_code"], done.code) == ("login", 3, 3)
    for check in found["checks"]:
        assert check.keys() == {
            *("link", "status", "text", "cause", "command", "repaired", "seconds"),
        }
        assert check["status"] in ("ok", "warning", "broken", "not checked")
    page = Path(__file__).parents[2].joinpath("docs", "doctor.md").read_text("utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    shown = json.loads(example)
    assert shown.keys() == found.keys()
    assert shown["checks"][0].keys() == found["checks"][0].keys()


def test_fix_says_what_it_did(call: Call, project: Path) -> None:
    done = call("doctor", "--fix", "--project-dir", project)
    assert re.search(r"done: create\s+.*prompt-learning-loop\s+for you alone", done.out)
    again = call("doctor", "--fix", "--project-dir", project)
    assert "done:" not in again.out


@pytest.mark.whole
def test_an_encoding_without_the_marks(project: Path) -> None:
    wrapper = ("env", "PYTHONIOENCODING=ascii")
    done = wait_for_result(start_command("doctor", "--project-dir", project, wrapper=wrapper))
    assert done.code == 3
    assert "\n+ python " in done.out
    assert "\nx login " in done.out
