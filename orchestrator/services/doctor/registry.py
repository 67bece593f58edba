"""All checks, in the order of the chain: the first broken link is what to correct first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from orchestrator.services.doctor.agent import check_agent, check_login
from orchestrator.services.doctor.configuration import check_configuration, check_limits
from orchestrator.services.doctor.cron import check_cron
from orchestrator.services.doctor.hooks import check_hooks
from orchestrator.services.doctor.loading import check_loading
from orchestrator.services.doctor.machine import check_git, check_python, check_versions
from orchestrator.services.doctor.network import check_network
from orchestrator.services.doctor.results import Check, Link
from orchestrator.services.doctor.rules import check_rules
from orchestrator.services.doctor.sessions import check_sessions
from orchestrator.services.doctor.state import check_state
from orchestrator.services.doctor.subject import Subject
from orchestrator.services.doctor.suite import check_suite
from orchestrator.services.doctor.teacher import check_teacher


@dataclass(frozen=True)
class LinkCheck:
    """The check of one link."""

    link: Link
    function: Callable[[Subject], Iterable[Check]]
    meaning: str
    """What a tick means; printed in the documentation."""
    seconds: float = 30.0
    """The time limit."""


CHECKS: Final = (
    LinkCheck(Link.PYTHON, check_python, "The Python that runs this program is new enough."),
    LinkCheck(Link.GIT, check_git, "git runs, and reads the project."),
    LinkCheck(
        Link.CONFIGURATION,
        check_configuration,
        "The configuration loads, has no unknown key, and asks for nothing that you have not "
        "trusted.",
    ),
    LinkCheck(
        Link.STATE,
        check_state,
        "The state directory can be written and is yours alone, the disk has space, the "
        "databases are sound, and no killed process has left anything.",
        150.0,
    ),
    LinkCheck(
        Link.NETWORK,
        check_network,
        "The variables for proxies and certificates can be used, and the proxy, if there is one, "
        "accepts a connection. No request is sent.",
    ),
    LinkCheck(
        Link.AGENT, check_agent, "The agent's program is there, runs, and is new enough.", 60.0
    ),
    LinkCheck(
        Link.LOGIN, check_login, "There is a login or a key; who pays is shown. It is not tried."
    ),
    LinkCheck(
        Link.TEACHER,
        check_teacher,
        "The teacher's key or login, its prompts and its address can be used. With `--live` it was "
        "asked one question, which costs one lesson, and has answered.",
        300.0,
    ),
    LinkCheck(
        Link.SUITE,
        check_suite,
        "The suite's command can be started. If it is pytest itself, its cases are collected, "
        "which imports the tests but runs none.",
        240.0,
    ),
    LinkCheck(
        Link.RULES,
        check_rules,
        "A new rule can be written, each file with rules can be parsed, and each id is unique.",
    ),
    LinkCheck(
        Link.LOADED,
        check_loading,
        "The request of the real Claude Code contains CLAUDE.md and each learned rule: with the "
        "options of a run, and with those of your own `claude`.",
        150.0,
    ),
    LinkCheck(
        Link.HOOKS,
        check_hooks,
        "The hooks are installed and their program runs, or they are not installed.",
        60.0,
    ),
    LinkCheck(
        Link.SESSIONS,
        check_sessions,
        "Past sessions can be read, and it is known when Claude Code deletes their transcripts, "
        "and when they are reviewed. None is opened.",
    ),
    LinkCheck(Link.LIMITS, check_limits, "What a run may cost, in money, attempts and time."),
    LinkCheck(Link.VERSIONS, check_versions, "The versions that a report of a fault needs."),
    LinkCheck(
        Link.CRON, check_cron, "A cron job, whose PATH is short, finds git and Claude Code too."
    ),
)
"""The checks of the doctor. What needs statistics about rules is added here."""


def describe_links() -> str:
    """Return a Markdown table of all links."""
    rows = [f"| `{each.link}` | {each.meaning} |" for each in CHECKS]
    return "\n".join(("| link | what a tick means |", "|---|---|", *rows))
