"""`run --dry-run`: what a run would do, and nothing done."""

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.replay import ReplayServer
from tests.cli.conftest import TASK, Call, Shop


def list_all(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_it_shows_everything_and_starts_nothing(
    call: Call,
    shop: Shop,
    teacher: ReplayServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = tmp_path / "state that does not exist"
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(state))
    shop.write("orchestrator.yaml", "learning: {max_retries: 1}\n")
    shop.write("tests/test_a.py", "raise SystemExit('the suite was run')\n")
    shop.write("CLAUDE.md", "## Learned Rules & Patterns\n\n<!-- rule r-1 -->\n- **Rule**: Ask\n")
    before = list_all(shop.project)
    done = call("run", "--dry-run", "--max-cost-usd", "3", TASK)
    assert (done.code, done.err) == (0, "")
    for text in (
        *(
            "no agent and no test is started; nothing is spent or written",
            "pytest tests/ -v --tb=short",
            "$3.00",
        ),
        *("2 attempts", TASK, "tests/test_a.py", "1 active: r-1"),
        *("Detected", "paid by", "a run tries it first"),
    ):
        assert text in " ".join(done.out.split())
    assert list_all(shop.project) == before
    assert not state.exists()


def test_only_pytest_is_said_to_be_tried_first(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    (shop.project / "orchestrator.yaml").unlink(missing_ok=True)
    shop.write(".venv/pyvenv.cfg", "")
    shop.write("tests/test_a.py", "import unittest\n\n\nclass T(unittest.TestCase): pass\n")
    done = call("run", "--dry-run", TASK)
    text = " ".join(done.out.split())
    assert "unittest discover -s tests -v" in text
    assert "a run tries it first" not in text


def test_its_json_says_the_same(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    (found,) = call("run", "--dry-run", "--json", TASK).events
    assert (found["prompt"], found["max_attempts"]) == (TASK, 2)
    assert "check.sh" in [each["path"] for each in found["guarded"]]


def test_what_is_not_trusted_is_refused_as_in_a_run(call: Call, shop: Shop) -> None:
    shop.write("orchestrator.yaml", "tests: {framework: command, command: make evil}\n")
    done = call("run", "--dry-run", TASK, "--project-dir", shop.project)
    assert done.code == 2
    assert "make evil" in done.err


def test_the_working_directory_stays(call: Call, shop: Shop) -> None:
    before = os.listdir(shop.project)  # noqa: PTH208 -- names alone
    call("run", "--dry-run", TASK, "--project-dir", shop.project)
    assert sorted(os.listdir(shop.project)) == sorted(before)  # noqa: PTH208


@pytest.mark.parametrize(
    ("options", "tests", "key", "code", "says"),
    [
        ((), {}, "", 3, "the teacher has no API key"),
        ((), {"command": "nosuch-program"}, "k", 3, "nosuch-program of tests.command"),
        (("--isolate",), {}, "k", 2, "not in a git repository"),
    ],
)
def test_what_a_run_would_refuse_is_refused(
    call: Call,
    shop: Shop,
    teacher: ReplayServer,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    tests: dict[str, str],
    key: str,
    code: int,
    says: str,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    shop.configure(tests=tests)
    if options == ("--isolate",):
        shutil.rmtree(shop.project / ".git")
    for words in (("--dry-run",), ()):
        done = call("run", *words, *options, TASK)
        assert (done.code, done.out.count("Attempt")) == (code, 0)
        assert says in done.err
        assert ("prompt   of the first attempt" in done.out) is bool(words)
    assert teacher.requests == ()


def test_who_pays_for_the_teacher_is_named(
    call: Call, shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEACHER_API_KEY", "k")
    assert "teacher: API key (ORCHESTRATOR_TEACHER_API_KEY)" in call("run", "--dry-run", TASK).out


def test_no_program_of_the_project_is_started(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path
) -> None:
    (shop.project / "orchestrator.yaml").unlink()
    shop.write("tests/test_a.py", "def test_it():\n    assert False\n")
    shop.write(".venv/pyvenv.cfg", "")
    for name in ("python", "python3", "pytest"):
        program = shop.write(f".venv/bin/{name}", f"#!/bin/sh\ntouch {tmp_path}/started\n")
        program.chmod(0o755)
    assert "pytest tests/" in call("run", "--dry-run", TASK).out
    assert not (tmp_path / "started").exists()
