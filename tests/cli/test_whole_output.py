"""The whole output of runs, as a person reads it in a pipe: golden texts beside this file.

Times, ids and paths differ each time, so they are replaced by names. A golden text that is wrong
now is replaced by the one that the failing test has written to its temporary folder.
"""

import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from orchestrator.replay import ReplayServer, parse_scenario
from tests.cli.conftest import TASK, Call, CommandResult, Shop

GOLDEN = Path(__file__).parent / "whole_output"
PYTEST = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider -p no:randomly"

REPLACED = (
    (re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}"), "RUN"),
    (re.compile(r"r-[0-9a-f]{6}"), "RULE"),
    (re.compile(r"\b\d+(?:\.\d+)? s\b|\b\d+:\d\d min\b"), "TIME"),
    (re.compile(r"[\d.]+k? tokens?, \$[\d.]+"), "TOKENS, $COST"),
    (re.compile(r"(?m)^teacher: .*"), "teacher: MODEL"),
)
BAD_COUNT = re.compile(
    r"\b1 (?:runs|errors|cases|turns|attempts|files|tests|failures|calls|tokens|rules|lines)\b"
    r"|\b(?:[02-9]|\d\d+) (?:run|error|case|turn|attempt|file|test|failure|call|token|rule)\b"
    r"|no cases|\(s\)"
)


def check_output(done: CommandResult, shop: Shop, tmp_path: Path, name: str) -> None:
    """Compare what a command printed with the golden text of this name."""
    text = done.out.replace(sys.executable, "PYTHON").replace(str(shop.project), "PROJECT")
    text = text.replace(str(shop.agent), "AGENT")
    for pattern, word in REPLACED:
        text = pattern.sub(word, text)
    (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    golden = GOLDEN / f"{name}.txt"
    assert text == golden.read_text(encoding="utf-8"), tmp_path
    assert not BAD_COUNT.search(done.out)
    assert not [line for line in done.out.splitlines() if line != line.rstrip()]
    assert not {"\x1b", "\r"} & set(done.out)


@pytest.fixture(autouse=True)
def clean_work_tree(shop: Shop) -> None:
    """Start with a clean work tree, as most people do."""
    shop.write(".gitignore", "orchestrator.yaml\n__pycache__/\nCLAUDE.md\n")
    for arguments in (["rm", "-q", "--cached", "orchestrator.yaml"], ["add", "-A"]):
        subprocess.run(["git", *arguments], cwd=shop.project, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "ignore"], cwd=shop.project, check=True)


def test_solved_after_a_lesson(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path
) -> None:
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 0
    check_output(done, shop, tmp_path, "solved")
    assert b", source sh-check.sh, run " in shop.rulebook


def test_not_solved(call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path) -> None:
    shop.agent.write_text("echo no >> word.txt\n", encoding="utf-8")
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 1
    check_output(done, shop, tmp_path, "not_solved")


def test_stopped_and_resumed(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = parse_scenario("answers: [{when: {speaker: teacher}, reply: {fault: 403}}]")
    with ReplayServer(down) as model, monkeypatch.context() as patch:
        patch.setenv("ANTHROPIC_BASE_URL", model.url)
        done = call("run", TASK, "--project-dir", shop.project)
    resumed = call("resume")
    assert (done.code, resumed.code) == (3, 0)
    check_output(done, shop, tmp_path, "stopped")
    check_output(resumed, shop, tmp_path, "resumed")


def test_a_command_shows_what_it_printed(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path
) -> None:
    shop.write("check.sh", "echo 'comparing word.txt'\ngrep -qx right word.txt || exit 4\n")
    shop.agent.write_text("echo right > word.txt; echo new > other.txt\n", encoding="utf-8")
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 0
    check_output(done, shop, tmp_path, "command")


@pytest.mark.whole
def test_a_test_that_hangs_is_named(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path
) -> None:
    shop.configure(tests={"framework": "pytest", "command": PYTEST, "timeout": 40})
    shop.write(
        "tests/test_word.py",
        textwrap.dedent(
            """
            import time


            def test_first():
                pass


            def test_hangs():
                time.sleep(600)
            """
        ),
    )
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 3
    check_output(done, shop, tmp_path, "hanging")
