"""Run a case through the command line, with a scripted teacher, all of it below one folder.

Nothing here changes the state of this process, and every port is a free one: several workers run
cases side by side.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.replay import ReplayServer, Scenario, Speaker
from tests.corpus import leftovers, shop
from tests.corpus.cases import AttemptCase, OutcomeCase
from tests.corpus.environments import PYTEST_ONLY, copy_environment
from tests.corpus.outside import serve_outside
from tests.corpus.program import (
    ProgramResult,
    commit_all,
    find_program,
    make_environment,
    make_lesson,
    make_teacher,
    run_commands,
    write_files,
)

_SCRIPT_SECONDS: Final = 60

_AGENT: Final = Path(__file__).parent / "agent.py"
_PLUGINS: Final = {
    " -n 2": "xdist.plugin",
    "timeout": "pytest_timeout",
    "--cov": "pytest_cov.plugin",
    "hypothesis": "_hypothesis_pytestplugin",
}
"""Words in an outcome, and the plugin of pytest that they need. No other one is loaded there."""

_TEACHER: Final = make_teacher(
    make_lesson(
        "Keep what a change touches working in the other modules too.",
        when="Changing a function",
        why="A test failed",
    )
)


@dataclass(frozen=True)
class OutcomeResult:
    """What became of an outcome."""

    case: OutcomeCase
    requests: int
    """How often the teacher was asked."""
    program_result: ProgramResult

    @property
    def taught(self) -> bool:
        """Whether the program took the outcome for the attempt's own failure."""
        return self.requests > 0


@dataclass(frozen=True)
class AttackResult:
    """What became of an attempt, an attack or honest work."""

    case: AttemptCase
    right: bool
    """Whether the code is right, by prices that stand in no test."""
    program_result: ProgramResult


# ---- outcomes


def run_outcome(case: OutcomeCase, folder: Path, environment: Path) -> OutcomeResult:
    """Run an outcome in an empty folder.

    Args:
        case: what to run.
        folder: where; the project, its home and the program's state come to lie there.
        environment: the virtual environment of the project's tests; the case may change it.
    """
    project, world = folder / "proj", folder / "world"
    (world / "site").mkdir(parents=True)
    write_files(project, case.base)
    change = {"files": case.change, "world": bool(case.world.strip()), "agent": case.agent}
    (folder / "change.json").write_text(json.dumps(change), encoding="utf-8")
    config = folder / "orchestrator.yaml"
    config.write_text(json.dumps(_make_outcome_config(case, environment)), encoding="utf-8")
    env = _make_outcome_environment(case, folder, environment)

    def change_world() -> None:
        _run_script(case.world, folder, env)

    with serve_outside(change_world) as port, _serve_teacher() as teacher:
        env |= {"RUNNER": f"http://127.0.0.1:{port}", "RUNNER_PORT": str(port)}
        env |= {"ANTHROPIC_BASE_URL": teacher.url}
        commit_all(project, env)
        _run_script(case.setup, folder, env)
        command = _make_run_command(case.task, project, config)
        ran = run_commands([command], project, env, folder / "output.txt")
        requests = sum(request.speaker is Speaker.TEACHER for request in teacher.requests)
        leftovers.clean_up(folder)
    return OutcomeResult(case, requests, ran)


def _make_outcome_config(case: OutcomeCase, environment: Path) -> Mapping[str, object]:
    agent = [str(environment / "bin" / "python"), "-I", str(_AGENT), "{prompt_file}"]
    return {
        "agent": {"kind": "command", "command": agent},
        "tests": {"command": case.command, "timeout": case.timeout},
    }


def _make_outcome_environment(case: OutcomeCase, folder: Path, environment: Path) -> dict[str, str]:
    everything = case.command + json.dumps(case.base) + json.dumps(case.change)
    plugins = [plugin for word, plugin in _PLUGINS.items() if word in everything]
    return {
        **make_environment(folder, environment),
        "CASE_DIR": str(folder),
        "WORLD": str(folder / "world"),
        "VENV": str(environment),
        "PYTHONPATH": str(folder / "world" / "site"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": ",".join(plugins),
    }


# ---- attacks and honest work


def run_attempt_case(case: AttemptCase, folder: Path, environment: Path) -> AttackResult:
    """Run an attack or honest work in an empty folder.

    Args:
        case: what to run.
        folder: where; the project, its home and the program's state come to lie there.
        environment: the virtual environment of the project's tests, and of their copies.
    """
    project = folder / case.data.get("dir", "proj")
    (folder / "good_prices.py").write_text(shop.GOOD, encoding="utf-8")
    env = make_environment(folder, environment) | case.data.get("env", {})
    _make_project(case, folder, project, env)
    env["PATH"] = _add_environment(case, folder, project, environment) + env["PATH"]
    _run_script(case.data.get("setup", ""), project, env, program="bash")
    config = _write_attempt_config(case, folder)
    with _serve_teacher() as teacher:
        env["ANTHROPIC_BASE_URL"] = teacher.url
        run = _make_run_command(shop.TASK, project, config, *case.data.get("args", []))
        later = [[find_program(), *arguments] for arguments in case.data.get("then", [])]
        ran = run_commands([run, *later], project, env, folder / "output.txt")
        leftovers.clean_up(folder)
    return AttackResult(case, _is_right(case, project, folder), ran)


def _make_project(case: AttemptCase, folder: Path, project: Path, env: Mapping[str, str]) -> None:
    files = {**shop.BASES[_get_base(case)], **case.files}
    write_files(project, {name: text for name, text in files.items() if name not in case.absent})
    for name, target in case.data.get("link", {}).items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).symlink_to(target)
    commit_all(folder / case.data.get("git", project.relative_to(folder)), env)


def _add_environment(case: AttemptCase, folder: Path, project: Path, environment: Path) -> str:
    """Make the environment of the project's own, if it has one; return what the PATH gains."""
    if _get_base(case) == "venv":
        copy_environment(environment, project / ".venv", PYTEST_ONLY)
    if _get_base(case) == "outer":
        copy_environment(environment, folder / "venv", PYTEST_ONLY)
        return f"{folder / 'venv' / 'bin'}{os.pathsep}"
    return ""


def _write_attempt_config(case: AttemptCase, folder: Path) -> Path:
    script = folder / "agent.sh"
    text = case.data["agent"].replace("@GOOD@", str(folder / "good_prices.py"))
    script.write_text(text.replace("@ROOT@", str(folder)), encoding="utf-8")
    agent = f"agent: {{kind: command, command: [bash, {script}]}}\n"
    tests = case.data.get("config", shop.CONFIG.get(_get_base(case), ""))
    config = folder / "conf.yaml"
    config.write_text(f"{tests}\n{agent}{case.data.get('more', '')}", encoding="utf-8")
    return config


def _get_base(case: AttemptCase) -> str:
    return str(case.data.get("base", "ini"))


def _is_right(case: AttemptCase, project: Path, folder: Path) -> bool:
    """Judge the sources alone: no tests, no caches, nothing from the project's environment."""
    copy = folder / "oracle"
    _copy_sources(project / case.data.get("src", "."), copy)
    code = (
        f"import sys; sys.path.insert(0, {str(copy)!r})\n"
        f"{case.data.get('oracle', shop.ORACLE)}\nprint('RIGHT', flush=True)\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-S", "-c", code],
            cwd=folder,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            timeout=_SCRIPT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.stdout.endswith(b"RIGHT\n")


def _copy_sources(source: Path, target: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".venv", "*.pyc", ".git", "tests")
    try:
        shutil.copytree(source, target, symlinks=True, ignore=ignored)
    except OSError:  # what cannot be copied is missing, and the oracle sees that
        target.mkdir(exist_ok=True)


# ---- both


def _run_script(script: str, cwd: Path, env: Mapping[str, str], program: str = "sh") -> None:
    """Run a script that is data of a corpus. It may fail: some try what not every machine has.

    Its output is not read: what it leaves running would keep a pipe open.
    """
    done = subprocess.run(
        [program, "-c", script],
        cwd=cwd,
        env=env,
        timeout=_SCRIPT_SECONDS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        print(f"exit code {done.returncode} of the case's script:\n{script}")


@contextmanager
def _serve_teacher() -> Iterator[ReplayServer]:
    with ReplayServer(Scenario((_TEACHER,))) as server:
        yield server


def _make_run_command(task: str, project: Path, config: Path, *options: str) -> list[str]:
    return [
        *(find_program(), "run", task, "--max-retries", "0", *options),
        *("--project-dir", str(project), "--config", str(config)),
    ]
