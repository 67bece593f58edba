"""Build the parts of a run from the configuration, and check that each can be used.

This module and `teacher_wiring` alone know both the settings and the implementations.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrator.agents.claude_code import ClaudeCodeAgent
from orchestrator.agents.command import CommandAgent
from orchestrator.agents.permissions import build_suite_permissions
from orchestrator.budget.ledger import Caps, Ledger
from orchestrator.budget.metering import Account, MeteredAgent, RunClock
from orchestrator.budget.waiting import WaitForResetAgent
from orchestrator.config import Config
from orchestrator.config.masked_config import ConfigMasker
from orchestrator.errors import ConfigError, InfrastructureError
from orchestrator.events import Listener, Notice, Ready
from orchestrator.failures.record_masking import create_masked_listener
from orchestrator.guard import Guard, GuardMode, build_guard
from orchestrator.loop.policy import Policy
from orchestrator.masking import Masker
from orchestrator.models import AgentLimits, Task
from orchestrator.ports import Suite
from orchestrator.rulebook.agents_md import find_active_agents_md
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.services.project_settings import report_project_commands
from orchestrator.services.rulebooks import require_loaded, require_writable, resolve_rule_files
from orchestrator.services.teacher_notices import TEACHER_LINE
from orchestrator.services.teacher_wiring import build_teacher
from orchestrator.services.trust_requests import list_untrusted_claude_settings
from orchestrator.sessions.reading.own_sessions import record_own_session
from orchestrator.storage.database import Database
from orchestrator.storage.runs import Store, create_run_id
from orchestrator.storage.state_directory import ensure_masking_key, locks_folder
from orchestrator.suites import create_suite
from orchestrator.suites.environment import build_project_environment
from orchestrator.teaching.pending import Pending
from orchestrator.teaching.teach import TeachingContext
from orchestrator.teaching.teachers import NamedTeacher, SilentTeacher


@dataclass(frozen=True)
class Parts:
    """The parts that a configuration names."""

    agent: ClaudeCodeAgent | CommandAgent
    suite: Suite
    teacher: NamedTeacher | SilentTeacher
    guard: Guard
    masker: Masker
    account: Account
    pending: Pending


def build_parts(
    config: Config,
    task: Task,
    folder: Path,
    environment: Mapping[str, str],
    listener: Listener,
    state: Path,
    account: Account,
    home: Path,
    masker: Masker,
    pending: Pending,
) -> Parts:
    """Build what a run needs, and check that nothing is missing before a token is spent.

    Args:
        config: the configuration.
        task: what is to be done, and in which folder.
        folder: stores the run's large files.
        environment: what agent, teacher and suite see.
        listener: receives notices about the parts.
        state: the state directory.
        account: who pays.
        home: the project that the user trusts: not a work tree of it.
        masker: removes secrets.
        pending: stores failures and answers until the rule is written.

    Raises:
        LoopError, TeacherError: something is missing.
    """
    if not shutil.which("git"):
        raise InfrastructureError("git was not found", "install git")
    project, tests = task.project, config.tests
    suite = create_suite(tests.framework, tests.command, tests.timeout, environment)
    suite.preflight(project)
    require_loaded(config, project)
    if config.is_source_enabled("pytest"):
        require_writable(config, project)
    guard = _build_guard(config, task, folder, environment, state)
    agent = build_agent(
        config,
        build_project_environment(project, environment),
        guard,
        lambda folder: list_untrusted_claude_settings(home, folder, state),
    )
    if isinstance(agent, ClaudeCodeAgent):
        agent.record_sessions(partial(record_own_session, account.ledger.database))
    version = agent.preflight()
    report_project_commands(config, home, project, state, listener)
    teacher = (
        build_teacher(config, environment, listener, account, masker, pending)
        if config.is_source_enabled("pytest")
        else SilentTeacher()
    )
    _report_ready(f"agent: {version}", agent, teacher, listener)
    return Parts(agent, suite, teacher, guard, masker, account, pending)


def _report_ready(
    version: str,
    agent: ClaudeCodeAgent | CommandAgent,
    teacher: NamedTeacher | SilentTeacher,
    listener: Listener,
) -> None:
    """Report which programs and models were found; the plan of the run says the rest."""
    listener(Ready((version, f"{TEACHER_LINE}{teacher.name}")))
    if notice := agent.payer_notice:
        listener(Notice(notice))


def describe_payers(
    agent: ClaudeCodeAgent | CommandAgent, teacher: NamedTeacher | SilentTeacher
) -> str:
    """Return who pays for agent and teacher."""
    if agent.payer == teacher.payer:
        return f"{agent.payer}, agent and teacher"
    return f"agent: {agent.payer}; teacher: {teacher.payer}"


def _build_guard(
    config: Config, task: Task, folder: Path, environment: Mapping[str, str], state: Path
) -> Guard:
    tests = config.tests
    return build_guard(
        task.project,
        GuardMode(tests.guard),
        tests.command,
        environment,
        _find_active_rule_files(config, task.project, state),
        locks_folder(state),
        tests.unguarded,
        folder=folder / "guard",
        task=task.text,
    )


def build_masker(config: Config, environment: Mapping[str, str], state: Path) -> Masker:
    """Return a masker with the project's own patterns, and the secrets that are configured."""
    secrets = {**environment, "n8n.webhook_url": config.n8n.webhook_url}
    return Masker(config.redaction.patterns, secrets, ensure_masking_key(state))


def recall_config(store: Store, run: str, project: Path, environment: Mapping[str, str]) -> Config:
    """Return the configuration of a run, with the secrets that the database does not store.

    Raises:
        UsageError: such a secret is missing, or has changed.
    """
    return restore_config(store, store.read_config(run), project, environment)


def restore_config(
    store: Store, stored: str, project: Path, environment: Mapping[str, str]
) -> Config:
    """Return a stored configuration, with the secrets that the database does not store.

    Raises:
        UsageError: such a secret is missing, or has changed.
    """
    keeper = ConfigMasker(Masker(), ensure_masking_key(store.directory))
    return keeper.restore_config(stored, project, environment)


def build_agent(
    config: Config,
    environment: Mapping[str, str],
    guard: Guard | None = None,
    list_untrusted: Callable[[Path], Sequence[str]] | None = None,
) -> ClaudeCodeAgent | CommandAgent:
    """Build the agent that the configuration names.

    Args:
        config: the configuration.
        environment: what the agent sees.
        guard: explains why an edit is refused.
        list_untrusted: returns the settings for Claude Code in a folder that are not trusted.

    Raises:
        ConfigError: `agent.kind` is `command` and there is no command.
    """
    if config.agent.kind == "command":
        if not config.agent.command:
            raise ConfigError(
                "agent.kind is `command`, but agent.command is empty", "set agent.command"
            )
        return CommandAgent(config.agent.command, environment=environment)
    return ClaudeCodeAgent(
        environment=environment,
        model=config.claude.model,
        allowed_tools=(
            *build_suite_permissions(config.tests.command),
            *config.claude.allowed_tools,
        ),
        skip_permissions=config.claude.dangerously_skip_permissions,
        trust_project=config.claude.trust_project is not False,
        list_untrusted=list_untrusted if config.claude.trust_project is None else None,
        sandbox=config.claude.sandbox,
        refuse=guard.explain_refusal if guard else None,
        agents_files=find_active_agents_md,
    )


def open_account(
    config: Config,
    database: Database,
    run: str = "",
    current_attempt: Callable[[], int] = lambda: 0,
) -> Account:
    """Open the account of a run, or of a lesson outside of a run."""
    limits, n8n = config.limits, config.n8n
    caps = Caps(
        cost_usd_per_day=limits.max_cost_usd_per_day,
        tokens_per_run=limits.max_tokens,
        agent_starts_per_hour=limits.max_agent_starts_per_hour,
        cost_usd_per_run=limits.max_cost_usd,
        webhook_requests_per_hour=n8n.max_requests_per_hour,
        webhook_cost_usd_per_day=n8n.max_cost_usd_per_day,
    )
    return Account(Ledger(database), run or f"lesson-{create_run_id()}", caps, current_attempt)


def meter_agent(config: Config, parts: Parts) -> MeteredAgent | WaitForResetAgent:
    """Return the agent of a run, metered and limited by the run's clock."""
    clock = RunClock(config.limits.run_wall_clock)
    agent = MeteredAgent(parts.agent, parts.account, clock)
    return WaitForResetAgent(agent, clock) if config.limits.wait_for_reset else agent


def build_teaching_parts(
    config: Config,
    project: Path,
    store: Store,
    listener: Listener,
    rulebook: MarkdownRulebook,
    *,
    asks: bool = True,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
) -> TeachingContext:
    """Return what teaching outside of a run needs.

    Args:
        config: the configuration.
        project: the project's directory.
        store: the database.
        listener: receives notices.
        rulebook: applies the lessons.
        asks: whether the teacher is needed; not to write answers that are stored.
        account: who pays; an account of its own if None.
        environment: what the teacher sees; that of this process if None.

    Raises:
        TeacherError: the teacher's key, its address or a prompt is missing.
        RulebookError, InfrastructureError: a new rule could not be written.
    """
    state, environment = store.directory, environment or os.environ
    require_writable(config, project)
    masker = build_masker(config, environment, state)
    listener = create_masked_listener(masker, listener)  # a notice may quote a server's answer
    pending = Pending(project, state, lambda text: listener(Notice(text)))
    teacher: NamedTeacher | SilentTeacher = SilentTeacher()
    if asks:
        account = account or open_account(config, store.database)
        teacher = build_teacher(config, environment, listener, account, masker, pending)
    return TeachingContext(teacher, masker, listener, rulebook, pending)


def _find_active_rule_files(config: Config, project: Path, state: Path) -> tuple[RuleFiles, ...]:
    """Return the files whose rules Claude Code loads: the project's, and the user's if used."""
    rule_files = resolve_rule_files(config, project, state)
    if rule_files.target is not Target.USER:
        return (rule_files,)
    return rule_files, RuleFiles(project, copies=state / "rulebooks")


def build_policy(config: Config) -> Policy:
    """Return the limits of the loop."""
    return Policy(
        max_retries=config.learning.max_retries,
        auto_retry=config.learning.auto_retry,
        retry_from_start=config.learning.retry_from == "start",
        stuck_after=config.limits.stuck_after,
        limits=AgentLimits(
            max_turns=config.claude.max_turns,
            wall_clock_seconds=config.limits.wall_clock,
            no_output_seconds=config.limits.no_output,
            max_processes=config.limits.max_processes,
            same_tool_call=config.limits.same_tool_call,
        ),
    )
