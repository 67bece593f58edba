"""Check that the configuration can be used, and show the limits that it sets."""

from collections.abc import Iterator

from orchestrator.config.choices import select_effective
from orchestrator.counts import format_count
from orchestrator.platform.project_commands import format_project_command
from orchestrator.services.doctor.results import Check, Fault, Link, fail, succeed, warn
from orchestrator.services.doctor.subject import Subject
from orchestrator.services.trust import describe_choice, format_command


def check_configuration(subject: Subject) -> Iterator[Check]:
    """Check that the configuration loads, and that the user has trusted what it asks for."""
    if subject.loaded is None:
        message, hint = "it cannot be read", ""
        if subject.config_error:
            message, hint = subject.config_error.message, subject.config_error.hint
        yield fail(
            Link.CONFIGURATION, message, hint, "orchestrator config edit", Fault.CONFIGURATION
        )
        return
    loaded = subject.loaded
    if asked := select_effective(loaded.withheld, ()):
        shown = "; ".join(describe_choice(each) for each in asked)
        yield fail(
            Link.CONFIGURATION,
            f"{loaded.file} asks for what you have not trusted: "
            f"{', '.join(each.key for each in asked)}",
            f"a run would stop at {shown}",
            format_command(subject.project),
            Fault.CONFIGURATION,
        )
        return
    if loaded.file is None:
        yield succeed(Link.CONFIGURATION, "no file, so the defaults are used")
    else:
        count = sum(origin != "default" for _, _, origin in loaded.iter_values())
        values = format_count(count, "value")
        yield succeed(Link.CONFIGURATION, f"{loaded.file} loads, {values} set")
    yield from _check_project_settings(subject)


def _check_project_settings(subject: Subject) -> Iterator[Check]:
    config = subject.config
    if config.agent.kind != "claude_code" or config.claude.trust_project is not None:
        return
    if untrusted := subject.list_untrusted(subject.project):
        yield warn(
            Link.CONFIGURATION,
            "this project's settings for Claude Code are not loaded in a run",
            f"you have not trusted {', '.join(untrusted)}",
            format_command(subject.project),
        )


def check_limits(subject: Subject) -> Iterator[Check]:
    """Show what a run may cost, in money, attempts and time."""
    config = subject.config
    limits, attempts = config.limits, config.learning.max_retries + 1
    money = f"${limits.max_cost_usd:.2f} a run" if limits.max_cost_usd else "no limit of money"
    if limits.max_cost_usd_per_day:
        money += f", ${limits.max_cost_usd_per_day:.2f} a day"
    minutes = limits.wall_clock / 60
    tries = f"{format_count(attempts, 'attempt')} of {config.claude.max_turns} turns"
    text = f"{money}; {tries} and {minutes:g} minutes"
    if limits.max_cost_usd is None:
        command = format_project_command("config show", subject.project)
        yield warn(Link.LIMITS, text, "limits.max_cost_usd is off, so only the day's is", command)
    else:
        yield succeed(Link.LIMITS, text)
