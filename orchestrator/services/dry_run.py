"""Preview a run: what it would do, without starting, spending or writing anything."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import Config, Override
from orchestrator.config.setting_hints import complete_hints
from orchestrator.errors import LoopError
from orchestrator.guard import GuardMode, build_guard
from orchestrator.masking import mask_text
from orchestrator.models import (
    RunOutcome,
    RunPlan,
    RunResult,
    SuiteOutcome,
    SuiteReport,
    Task,
)
from orchestrator.platform.project import resolve_project
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.services.isolation import BRANCHES
from orchestrator.services.plan import build_plan
from orchestrator.services.rulebooks import resolve_rule_files
from orchestrator.services.suite_choice import find_suite
from orchestrator.services.teacher_wiring import build_unrecorded_teacher
from orchestrator.services.trust import format_command, load_trusted_config
from orchestrator.services.wiring import build_agent, build_policy, describe_payers
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.suites.command_line import parse_command, require_program
from orchestrator.suites.detection.suite import PYTEST
from orchestrator.suites.environment import build_project_environment, build_user_environment
from orchestrator.teaching.teachers import SilentTeacher
from orchestrator.workspace.worktree import resolve_worktree
from teacher.errors import TeacherError


@dataclass(frozen=True)
class RunPreview:
    """What a run would do."""

    project: Path
    plan: RunPlan
    prompt: str
    """What the agent would be asked first, without secrets."""
    guarded: tuple[tuple[str, str], ...]
    """The files that are guarded by their names, and the reason for each. In a run, those that the
    suite reads are added."""
    rules: tuple[str, ...]
    """The ids of the rules that the agent would load."""
    detected: str = ""
    """How the suite was detected, in one line; empty if it is configured."""
    is_tried: bool = False
    """Whether a run first lets pytest collect the cases, and adds PYTHONPATH where that helps."""
    problem: LoopError | TeacherError | None = None
    """Why a run would not start; None if all that it needs is there."""


def preview_run(
    text: str,
    project: Path,
    config_file: Path | None = None,
    overrides: Sequence[Override] = (),
    environment: Mapping[str, str] | None = None,
) -> RunPreview:
    """Return what a run would do. No agent, teacher or program of the project is started.

    Args:
        text: the task.
        project: the project's directory.
        config_file: the configuration file; the project's own if None.
        overrides: values that take precedence over the file's.
        environment: environment variables; those of this process if None.

    Raises:
        LoopError: the configuration is wrong, or not trusted; or a file cannot be read.
    """
    project = resolve_project(project)
    environment = os.environ if environment is None else environment
    loaded = load_trusted_config(project, config_file, overrides, environment)
    chosen = find_suite(loaded, project, environment, tries=False)
    config = chosen.loaded.config
    task = Task(text, project)
    rule_files = resolve_rule_files(config, project, resolve_state_directory())
    problem: LoopError | TeacherError | None = None
    try:
        with complete_hints(config, chosen.loaded.origins, format_command(project)):
            payers = check_parts(config, project, environment)
    except (LoopError, TeacherError) as error:
        payers, problem = "nobody yet: something is missing", error
    return RunPreview(
        project,
        build_plan(config, project, environment, payers=payers),
        mask_text(build_policy(config).next_prompt(task, RunResult(RunOutcome.RUNNING))),
        _list_guarded_files(config, task, environment, rule_files),
        tuple(rule.id for rule in rule_files.read().file_set.rules),
        chosen.notice,
        bool(chosen.notice) and config.tests.framework == PYTEST,
        problem,
    )


def check_parts(config: Config, project: Path, environment: Mapping[str, str]) -> str:
    """Check what a run checks before it spends anything, and return who would pay.

    No program of the project is started for that.

    Raises:
        LoopError, TeacherError: something is missing.
    """
    env = build_project_environment(project, environment)
    line = parse_command(config.tests.command)
    require_program(line, project, line.build_environment(env))
    if config.workspace.isolate:
        resolve_worktree(project, project, BRANCHES)
    agent = build_agent(config, build_user_environment(project, environment))
    agent.preflight()
    if not config.is_source_enabled("pytest"):
        return describe_payers(agent, SilentTeacher())
    teacher = build_unrecorded_teacher(config, environment, project, lambda _notice: None)
    return describe_payers(agent, teacher)


def _list_guarded_files(
    config: Config, task: Task, environment: Mapping[str, str], rule_files: RuleFiles
) -> tuple[tuple[str, str], ...]:
    """Return the guarded files; what the guard stores is removed."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-dry-run-") as folder:
        guard = build_guard(
            task.project,
            GuardMode(config.tests.guard),
            config.tests.command,
            environment,
            (rule_files,),
            unguarded=config.tests.unguarded,
            folder=Path(folder),
            task=task.text,
        )
        guard.record_baseline(SuiteReport(SuiteOutcome.PASSED, 0), None)
        return tuple((each.path, each.why) for each in guard.list_guarded_files())
