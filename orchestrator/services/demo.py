"""Run `orchestrator demo`: the real loop on a small project, with a scripted model.

The script repairs the bug only if the request contains the text of the learned rule. So the demo
fails if the rule was not written, not loaded by Claude Code, or not sent.
"""

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Final

from orchestrator.agents.claude_payer import SCRIPTED_KEY
from orchestrator.config import Override
from orchestrator.errors import InfrastructureError
from orchestrator.events import Listener
from orchestrator.models import RunOutcome, RunResult
from orchestrator.platform import process
from orchestrator.platform.folders import CLAUDE_MD, CONFIG_VARIABLE
from orchestrator.platform.shipped_files import find_shipped_file
from orchestrator.replay import ReplayServer, load_scenario
from orchestrator.replay.request import RecordedRequest
from orchestrator.replay.scenario import Speaker
from orchestrator.services.runs import start_run

TASK: Final = "Repair the calculator so that all of its tests pass."

RULE: Final = "Never return a number to say that there is no result"
"""The beginning of the scripted rule, which must appear in the requests of the agent."""

_FOREIGN_SETTINGS: Final = ("ANTHROPIC_", "AWS_BEARER", "CLAUDE", "GIT_", "ORCHESTRATOR_")
"""Prefixes of variables that would make the demo's programs use other servers or settings."""


def run_demo(*, keep: bool, listener: Listener, say: Callable[[str], None]) -> int:
    """Run the demo and return the exit code: 0 if the loop has learned, 1 if it has not.

    Args:
        keep: whether to keep its folder.
        listener: receives the events of the run.
        say: prints a line.

    Raises:
        LoopError: something that the demo needs is missing.
    """
    say(
        "The model's words are scripted, by a small server on this machine. Everything\n"
        "else is real: Claude Code and its tools, the Anthropic SDK, pytest, git. No key,\n"
        "no network.\n"
    )
    with _create_demo_folder(keep) as folder, _serve_scripted_model(folder) as model:
        project = folder / "project"
        result = start_run(
            TASK,
            project,
            overrides=_build_overrides(),
            listener=listener,
            environment=_build_environment(folder, model.url),
            state=folder / "state",
        )
        learned = _report_findings(result, project, model.requests, say)
        for line in model.unanswered_requests:
            say(f"the script had no answer: {line}")
    if keep:
        say(f"\nThe folder is left to look at: {folder}")
        say(f"The record: ORCHESTRATOR_STATE_DIR={folder / 'state'} orchestrator runs show last")
    return 0 if learned else 1


def _report_findings(
    result: RunResult,
    project: Path,
    requests: tuple[RecordedRequest, ...],
    say: Callable[[str], None],
) -> bool:
    asked = [request for request in requests if request.speaker is Speaker.AGENT]
    carried = [RULE in request.text for request in asked]
    first = carried.index(True) if True in carried else len(carried)
    rulebook = project / CLAUDE_MD
    findings = {
        "the first attempt failed its tests": any(
            attempt.report and not attempt.is_solved for attempt in result.attempts[:1]
        ),
        "the teacher's rule stands in CLAUDE.md": rulebook.is_file()
        and RULE in rulebook.read_text(encoding="utf-8"),
        f"Claude Code sent the rule ({sum(carried)} of {len(asked)} requests, none of the "
        f"first {first})": 0 < first < len(carried) and all(carried[first:]),
        "the next attempt passed, which the script allows only with the rule": (
            result.outcome is RunOutcome.SOLVED and len(result.attempts) == 2
        ),
    }
    say("\nDid it learn? Cause and effect:")
    for finding, holds in findings.items():
        say(f"  {'yes' if holds else 'NO '}  {finding}")
    return all(findings.values())


@contextlib.contextmanager
def _create_demo_folder(keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-demo-")).resolve()
    try:
        with resources.as_file(find_shipped_file("example_project")) as example:
            shutil.copytree(
                example,
                folder / "project",
                ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"),
            )
        _commit_all(folder / "project")
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _commit_all(project: Path) -> None:
    identity = ["-c", "user.name=Demo", "-c", "user.email=demo@localhost"]
    identity += ["-c", "core.hooksPath=/dev/null"]  # global hooks of the user could fail here
    for arguments in (
        ["init", "-q"],
        ["add", "-A"],
        [*identity, "-c", "commit.gpgsign=false", "commit", "-q", "-m", "The example as it is"],
    ):
        done = process.capture(["git", *arguments], cwd=project, env=_clean_environment())
        if done.returncode:
            raise InfrastructureError(f"git {arguments[0]} failed: {done.text.strip()}")


@contextlib.contextmanager
def _serve_scripted_model(folder: Path) -> Iterator[ReplayServer]:
    with resources.as_file(find_shipped_file("demo.yaml")) as path:
        scenario = load_scenario(path)
    variables = {"project": str(folder / "project"), "python": shlex.quote(sys.executable)}
    with ReplayServer(scenario, variables=variables) as server:
        yield server


def _build_overrides() -> list[Override]:
    command = f"{shlex.quote(sys.executable)} -m pytest tests/ -v --tb=short"
    return [
        Override("tests.command", command, "demo"),
        Override("learning.max_retries", 1, "demo"),
    ]


def _build_environment(folder: Path, url: str) -> dict[str, str]:
    return {
        **_clean_environment(),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": SCRIPTED_KEY,
        CONFIG_VARIABLE: str(folder / "claude"),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def _clean_environment() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_SETTINGS)
    }
