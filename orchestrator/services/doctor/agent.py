"""Check the agent: its program, its version, and who pays for it."""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.agents.claude_payer import (
    can_authenticate,
    describe_payer,
    describe_unused_login,
)
from orchestrator.agents.claude_program import (
    find_bundled_program,
    find_program,
    format_login_command,
)
from orchestrator.errors import InfrastructureError, LoopError
from orchestrator.services.doctor.results import Check, Fault, Link, fail, skip, succeed, warn
from orchestrator.services.doctor.subject import Subject
from orchestrator.services.wiring import build_agent


def check_agent(subject: Subject) -> Iterator[Check]:
    """Check that a run could start the agent: program, version, permissions."""
    # With a key that is none: whether there is a login is a link of its own.
    env = {"ANTHROPIC_API_KEY": "none", **subject.user_environment}
    try:
        text = build_agent(subject.config, env).preflight()
        # Its path is long, and says nothing.
        yield succeed(Link.AGENT, text.replace(str(find_bundled_program()), "of claude-agent-sdk"))
    except LoopError as error:
        is_machine = isinstance(error, InfrastructureError)
        fault = Fault.MACHINE if is_machine else Fault.CONFIGURATION
        command = error.command or "orchestrator config edit"
        yield fail(Link.AGENT, error.message, error.hint, command, fault)


def _find_login_command() -> str:
    """Return the command that logs in, also where Claude Code is not on the PATH."""
    try:
        return format_login_command(find_program())
    except LoopError:  # the link before this one says that there is no program
        return "claude auth login"


def has_login(subject: Subject) -> bool:
    """Return whether Claude Code has anything to authenticate with."""
    try:
        program = find_program()
    except LoopError:  # what can be found without it is found
        program = Path("claude")
    return can_authenticate(subject.user_environment, program)


def check_login(subject: Subject) -> Iterator[Check]:
    """Check that the agent can log in, and say who pays."""
    env = subject.user_environment
    if subject.config.agent.kind != "claude_code":
        yield skip(Link.LOGIN, "only the program of agent.command knows its login")
    elif not has_login(subject):
        yield fail(
            Link.LOGIN, "Claude Code has no login and no key",
            "a run would stop; log in once, or set ANTHROPIC_API_KEY", _find_login_command(),
        )  # fmt: skip
    elif notice := describe_unused_login(env):
        yield warn(Link.LOGIN, f"paid by {describe_payer(env)}", notice, "unset ANTHROPIC_API_KEY")
    else:
        yield succeed(Link.LOGIN, f"paid by {describe_payer(env)}; not tried, as that costs")
