"""Builds the parts of a run from the configuration, and checks that each is there.

The only module that knows both the settings and the implementations.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.agents.claude_code import ClaudeCodeAgent
from orchestrator.agents.command import CommandAgent
from orchestrator.agents.permissions import suite_permissions
from orchestrator.config import Config
from orchestrator.errors import ConfigError, InfrastructureError, UsageError
from orchestrator.events import Listener, Notice, Ready
from orchestrator.loop import Policy
from orchestrator.models import AgentLimits
from orchestrator.suites import ProjectSuite, create_suite
from orchestrator.suites.environment import project_environment
from teacher.local import LocalTeacher
from teacher.models import Action, Failure, Lesson
from teacher.webhook import WebhookTeacher


@dataclass(frozen=True)
class Parts:
    """The parts that a configuration names."""

    agent: ClaudeCodeAgent | CommandAgent
    suite: ProjectSuite
    teacher: "LocalTeacher | WebhookTeacher | SilentTeacher"


def checked_project(project: Path) -> Path:
    """The project's real path.

    Raises:
        UsageError: it is no directory.
    """
    if not project.exists():
        raise UsageError(f"{project} does not exist", "give the project with --project-dir")
    if not project.is_dir():
        raise UsageError(f"{project} is not a directory", "give the project with --project-dir")
    return project.resolve()


def build(
    config: Config, project: Path, environment: Mapping[str, str], listener: Listener
) -> Parts:
    """Build what a run needs, and check that all is there before a token is spent.

    Raises:
        LoopError, TeacherError: something is missing; says what, and the mend.
    """
    if not shutil.which("git"):
        raise InfrastructureError("git was not found", "install git")
    suite = create_suite(config.tests.framework, config.tests.command, config.tests.timeout)
    suite.preflight(project)
    agent = build_agent(config, project_environment(project, environment))
    found = agent.preflight()
    teacher = (
        build_teacher(config, environment, listener)
        if config.source_enabled("pytest")
        else SilentTeacher()
    )
    listener(Ready((found, f"suite: {config.tests.command}", f"teacher: {_named(teacher)}")))
    return Parts(agent, suite, teacher)


def build_agent(config: Config, environment: Mapping[str, str]) -> ClaudeCodeAgent | CommandAgent:
    """The agent that the configuration names.

    Raises:
        ConfigError: `agent.kind` is `command` and there is no command.
    """
    if config.agent.kind == "command":
        if not config.agent.command:
            raise ConfigError("agent.kind is `command`, but agent.command is empty", "name one")
        return CommandAgent(config.agent.command, environment=environment)
    return ClaudeCodeAgent(
        environment=environment,
        model=config.claude.model,
        allowed_tools=(*suite_permissions(config.tests.command), *config.claude.allowed_tools),
        skip_permissions=config.claude.dangerously_skip_permissions,
    )


def build_teacher(
    config: Config, environment: Mapping[str, str], listener: Listener
) -> LocalTeacher | WebhookTeacher:
    """The teacher that the configuration names, ready to be asked.

    Raises:
        TeacherError: its key, its address or a prompt is missing.
    """
    teacher: LocalTeacher | WebhookTeacher
    if config.teacher.mode == "webhook":
        teacher = WebhookTeacher(
            config.n8n.webhook_url,
            config.n8n.timeout,
            token=environment.get("N8N_WEBHOOK_TOKEN"),
        )
    else:
        teacher = LocalTeacher(
            config.teacher.model,
            config.teacher.max_tokens,
            config.prompt_names(),
            api_key=environment.get("ANTHROPIC_API_KEY"),
            base_url=environment.get("ANTHROPIC_BASE_URL"),
            timeout_seconds=config.teacher.timeout,
        )
        if teacher.notice:
            listener(Notice(teacher.notice))
    teacher.preflight()
    return teacher


def policy(config: Config) -> Policy:
    """How far the loop goes."""
    return Policy(
        max_retries=config.learning.max_retries,
        auto_retry=config.learning.auto_retry,
        retry_from_start=config.learning.retry_from == "start",
        max_cost_usd=config.limits.max_cost_usd,
        limits=AgentLimits(
            max_turns=config.claude.max_turns,
            wall_clock_seconds=config.limits.wall_clock,
            no_output_seconds=config.limits.no_output,
        ),
    )


def _named(teacher: "LocalTeacher | WebhookTeacher | SilentTeacher") -> str:
    match teacher:
        case LocalTeacher():
            return teacher.model
        case WebhookTeacher():
            return "webhook"
        case _:
            return "none"


class SilentTeacher:
    """Stands in when the configuration says that the suite's failures are not taught."""

    def warm(self) -> None:
        """Load nothing."""

    def teach(self, failure: Failure, known_rules: object) -> Lesson:
        """Learn nothing, and say why."""
        del failure, known_rules
        return Lesson(Action.NONE, "the source pytest is not enabled in failure_sources")
