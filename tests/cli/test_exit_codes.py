"""Exit codes are even: 2 for usage and configuration, 3 for what is missing on the machine.

Each row is a fault and the commands that meet it, as processes of their own.
"""

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from orchestrator.replay import ReplayServer
from tests.cli.conftest import TASK, Shop, start_command, wait_for_result
from tests.sampling import leave_out_long

pytestmark = pytest.mark.whole

Fault = Callable[[Shop, Path], Mapping[str, str]]
"""Makes the fault; returns changed variables of the environment."""

RUN: Final = ("run", TASK)
REPORT: Final = ("report-failure", "--failure-type", "other", "--description", "It fails.")
PYTHON: Final = shlex.quote(sys.executable)


def write_config(text: str) -> Fault:
    def make(shop: Shop, _path: Path) -> Mapping[str, str]:
        shop.write("orchestrator.yaml", text)
        return {}

    return make


def configure(**sections: Any) -> Fault:
    def make(shop: Shop, _path: Path) -> Mapping[str, str]:
        shop.configure(**sections)
        return {}

    return make


def use_pytest(command: str, **files: str) -> Fault:
    def make(shop: Shop, _path: Path) -> Mapping[str, str]:
        for name, text in files.items():
            shop.write(f"{name}.py", text)
        shop.configure(tests={"framework": "pytest", "command": command})
        return {}

    return make


def link_python(shop: Shop, path: Path) -> Mapping[str, str]:
    """Give the project an interpreter that has nothing installed."""
    (path / "bare").mkdir()
    bare = path / "bare" / "python3"
    bare.write_text(f'#!/bin/sh\nexec {PYTHON} -I -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    shop.configure(tests={"framework": "pytest", "command": f"{bare} -m pytest tests/"})
    return {}


def hide_git(_shop: Shop, path: Path) -> Mapping[str, str]:
    (path / "bin").mkdir()
    for name in ("sh", "grep", "head", "env"):
        (path / "bin" / name).symlink_to(f"/bin/{name}")
    return {"PATH": str(path / "bin")}


def hide_claude(shop: Shop, _path: Path) -> Mapping[str, str]:
    shop.configure(agent={"kind": "claude_code", "command": []})
    return {"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": ""}


def spoil_state(_shop: Shop, path: Path) -> Mapping[str, str]:
    (path / "file").touch()
    return {"ORCHESTRATOR_STATE_DIR": str(path / "file" / "state")}


PASSING: Final = "def test_a():\n    pass\n"

ROWS: Final[Mapping[str, tuple[Fault, int, str, tuple[tuple[str, ...], ...]]]] = {
    "bad YAML": (write_config("a: [\n"), 2, "is not valid YAML", (RUN, REPORT, ("config", "show"))),
    "unknown key": (
        *(write_config("tests: {comand: x}\n"), 2, "unknown key `tests.comand`"),
        (RUN, REPORT, ("config", "show"), ("rules", "list")),
    ),
    "wrong value": (
        *(write_config("tests: {timeout: soon}\n"), 2, "`tests.timeout`"),
        (RUN, ("config", "show")),
    ),
    "no tests are found": (
        *(use_pytest(f"{PYTHON} -m pytest", empty="x = 1\n"), 2, "no tests collected"),
        (RUN,),
    ),
    "the folder of the tests is missing": (
        *(use_pytest(f"{PYTHON} -m pytest nosuch/"), 2, "file or directory not found: nosuch/"),
        (RUN,),
    ),
    "an option that pytest does not know": (
        *(use_pytest(f"{PYTHON} -m pytest --nosuch", test_a=PASSING), 2, "--nosuch"),
        (RUN,),
    ),
    "a plugin that is not installed": (
        *(use_pytest(f"{PYTHON} -m pytest -p nosuch", test_a=PASSING), 3, "nosuch"),
        (RUN,),
    ),
    "pytest is not installed": (link_python, 3, "has no module pytest", (RUN,)),
    "the program of tests.command is missing": (
        *(configure(tests={"command": "nosuch-runner tests"}), 3, "nosuch-runner of tests.command"),
        (RUN,),
    ),
    "the agent's program is missing": (
        *(configure(agent={"command": ["nosuch-agent"]}), 3, "nosuch-agent"),
        (RUN,),
    ),
    "no agent is configured": (
        *(configure(agent={"command": []}), 2, "agent.command is empty"),
        (RUN,),
    ),
    "git is missing": (hide_git, 3, "git", (RUN,)),
    "Claude Code has no login": (hide_claude, 3, "no login and no key", (RUN,)),
    "the state directory cannot be written": (
        *(spoil_state, 3, "the state directory"),
        (RUN, REPORT, ("runs",), ("runs", "show"), ("resume",), ("undo",), ("rules", "list")),
    ),
    "there is no run": (
        *(configure(), 2, "run"),
        (("resume",), ("undo",), ("runs", "show"), ("runs", "events"), ("undo", "nosuch")),
    ),
}


@pytest.mark.parametrize("name", leave_out_long(ROWS))
def test_a_fault_has_one_exit_code_in_every_command(
    name: str, shop: Shop, teacher: ReplayServer, tmp_path: Path
) -> None:
    make, code, says, commands = ROWS[name]
    variables = make(shop, tmp_path)
    for words in commands:
        wrapper = ("/usr/bin/env", *(f"{each}={value}" for each, value in variables.items()))
        done = wait_for_result(start_command(*words, wrapper=wrapper, cwd=shop.project))
        assert (done.code, words) == (code, words), done.output
        assert says in done.output, words
        assert "Traceback" not in done.output
