"""A run by a user who may not enter every folder on the PATH and in the project."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.conftest import CHECKOUT, TASK, Shop, start_command, wait_for_result
from tests.ordinary_user import deny_access, find_user_wrapper

PYTEST = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider tests"
SUITES = {
    "pytest": ("pytest", PYTEST),
    "make": ("pytest", "make test"),
    "command": ("command", "sh check.sh"),
}
RIGHT = "def half(x):\n    return x / 2\n"


@pytest.fixture
def wrapper() -> Sequence[str]:
    return find_user_wrapper()


@pytest.mark.parametrize("name", SUITES)
def test_a_closed_folder_is_an_empty_one(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapper: Sequence[str], name: str
) -> None:
    framework, command = SUITES[name]
    outside, theirs = tmp_path / "outside", shop.project / ".venv"
    for folder in (outside / "bin", outside / "lib", theirs / "bin"):
        folder.mkdir(parents=True)
        (folder / "sh").touch()
    (theirs / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    shop.configure(
        tests={"framework": framework, "command": command},
        failure_sources=[{"name": "pytest", "enabled": False}],
    )
    shop.write("prices.py", "def half(x):\n    return x\n")
    test = "from prices import half\n\n\ndef test_half():\n    assert half(2) == 1\n"
    shop.write("tests/test_prices.py", test)
    shop.write("conftest.py", "")
    shop.write("Makefile", f"-include ../outside/none/more.mk\ntest:\n\t{PYTEST}\n")
    shop.write("check.sh", "[ ! -f ../outside/lib/settings.ini ] || exit 9\nmake test\n")
    for arguments in (["add", "-A"], ["commit", "-q", "-m", "a suite"]):
        subprocess.run(["git", *arguments], cwd=shop.project, check=True)
    shop.agent.write_text(f"printf '{RIGHT}' > prices.py\n", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{outside}/bin{os.pathsep}{os.environ['PATH']}")
    path = ["env", f"PYTHONPATH={outside}/lib{os.pathsep}{CHECKOUT}"]
    with ExitStack() as stack:
        for folder, mode in ((outside, 0), (theirs, 0), (tmp_path, 0o311)):
            stack.enter_context(deny_access(folder, mode))
        words = ("run", TASK, "--project-dir", shop.project)
        done = wait_for_result(start_command(*words, wrapper=[*wrapper, *path]))
    assert done.code == 0, done.output
    assert "Solved after 1 attempt\n" in done.out
    assert (shop.project / "prices.py").read_text(encoding="utf-8") == RIGHT
