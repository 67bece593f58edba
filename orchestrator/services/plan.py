"""Plan a run: what it will do at most, without the agent and without the teacher."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.agents.claude_payer import NOBODY, describe_payer
from orchestrator.config import Config
from orchestrator.guard import GuardMode
from orchestrator.models import RunPlan
from orchestrator.suites.command_line import parse_command
from orchestrator.suites.detection.interpreters import find_interpreter
from orchestrator.suites.environment import build_project_environment
from orchestrator.workspace.uncommitted import count_uncommitted_files

_GUARDS: Final = {
    GuardMode.RESTORE: "edits of existing tests, and of what affects them, are reverted",
    GuardMode.FLAG: "edits of existing tests are reported, and stay",
    GuardMode.OFF: "none: the agent may edit the tests that judge it",
}


def build_plan(
    config: Config,
    project: Path,
    environment: Mapping[str, str],
    *,
    payers: str,
    resumed: bool = False,
) -> RunPlan:
    """Return the plan of a run.

    Args:
        config: the configuration, with the suite's command.
        project: the user's folder, also of an isolated run.
        environment: what the caller's environment has: the PATH, the keys.
        payers: who pays for agent and teacher.
        resumed: whether the run has started before, so that its own edits are in the project.

    Raises:
        UsageError: the suite's command cannot be parsed.
    """
    tests, limits = config.tests, config.limits
    is_scripted = describe_payer(environment) == NOBODY
    return RunPlan(
        command=tests.command,
        program=_find_program(tests.command, project, environment),
        timeout_seconds=tests.timeout,
        max_attempts=config.learning.max_retries + 1,
        max_turns=config.claude.max_turns if config.agent.kind == "claude_code" else None,
        max_cost_usd=limits.max_cost_usd,
        guard=_GUARDS[GuardMode(tests.guard)],
        payers=NOBODY if is_scripted else payers,
        uncommitted_files=None if resumed else count_uncommitted_files(project),
        is_isolated=config.workspace.isolate,
        is_scripted=is_scripted,
    )


def _find_program(command: str, project: Path, environment: Mapping[str, str]) -> str:
    """Return the interpreter of the suite, or the program that starts it; a path for people."""
    line = parse_command(command)
    if line.by_shell:
        return ""
    name = line.argv[0]
    path = line.build_environment(build_project_environment(project, environment)).get("PATH")
    return find_interpreter(project, name, {"PATH": path or os.defpath})
