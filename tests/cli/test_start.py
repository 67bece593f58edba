"""The program starts with its own modules and its own Python, and children get all variables."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import prompt_learning_loop
from orchestrator.replay import ReplayServer
from tests.cli.conftest import AGENT, CHECKOUT, TASK, CommandResult, Shop

# What pip writes into the command, with the checkout behind PYTHONPATH, as an installed package is.
COMMAND = f"""
import sys
sys.path.append({str(CHECKOUT)!r})
from prompt_learning_loop import program
sys.exit(program())
"""
SHADOWS = ("prompts/__init__", "teacher/__init__", "orchestrator/__init__", "json", "click", "yaml")
VARIABLES = {
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "PYTHONDEVMODE": "1",
    "PYTHONVERBOSE": "1",
    "PYTHONHASHSEED": "3",
}
NAMES = ("PYTHONPATH", *VARIABLES)


def start(*words: str | Path, **variables: str) -> CommandResult:
    done = subprocess.run(
        [sys.executable, "-P", "-c", COMMAND, *map(str, words)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    return CommandResult(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def shadows(shop: Shop) -> Path:
    """Put modules named like ours and our libraries into the project; return what they write."""
    mark = shop.project.parent / "imported"
    for name in SHADOWS:
        shop.write(f"{name}.py", f"open({str(mark)!r}, 'a').write({name!r})\n")
    return mark


def test_a_project_on_the_python_path_is_not_imported(
    shop: Shop, teacher: ReplayServer, shadows: Path
) -> None:
    seen = shop.project.parent / "seen"
    report = f'echo "{" ".join(f"${name}" for name in NAMES)}" >> "{seen}"\n'
    shop.agent.write_text(report + AGENT, encoding="utf-8")
    shop.write("check.sh", f"{report}grep -qx right word.txt\n")
    variables = {"PYTHONPATH": f"{shop.project}{os.pathsep}", **VARIABLES}
    done = start("run", TASK, "--project-dir", shop.project, **variables)
    assert done.code == 0, done.output
    assert not shadows.exists()
    assert set(seen.read_text(encoding="utf-8").splitlines()) == {" ".join(variables.values())}
    # Python itself prints what it loads until it is started again.
    assert "Solved after 2 attempts" in done.out


def test_nothing_of_ours_is_left_in_the_environment(shop: Shop, teacher: ReplayServer) -> None:
    seen = shop.project.parent / "seen"
    shop.agent.write_text(f'env > "{seen}"\n', encoding="utf-8")
    start("run", TASK, "--project-dir", shop.project, "--max-retries", "0", PYTHONPATH="/nowhere")
    assert prompt_learning_loop._PREFIX not in seen.read_text(encoding="utf-8")


def test_a_package_that_was_installed_on_the_python_path_still_starts(shop: Shop) -> None:
    done = start("--version", PYTHONPATH=f"/nowhere{os.pathsep}{CHECKOUT}")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("orchestrator, version ")


def test_the_first_module_imports_only_what_python_has_loaded() -> None:
    script = (
        "import sys; before = set(sys.modules)\n"
        f"sys.path.append({str(CHECKOUT)!r}); import prompt_learning_loop\n"
        "print(set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "{'prompt_learning_loop'}\n"
